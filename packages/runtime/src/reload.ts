/**
 * Reading the configuration again while a service runs: on each hangup it is read completely, and its listener is told what it says now or
 * every problem. One reload at a time; hangups that come meanwhile are one more reload behind it. Which settings change live is the listener's
 * decision. Invariant: whatever is wrong with the new configuration, the service runs on.
 */
import { ConfigError } from './config';
import type { Logger } from './logger';

export type Reread<C> = { readonly config: C } | { readonly problems: readonly string[] };

export type ReloadListener<C> = (read: Reread<C>) => void | Promise<void>;

export type OnReload<C> = (listener: ReloadListener<C>) => void;

export function reloads<C>(options: {
  readonly onHangup: (listener: () => void) => void;
  readonly reread: () => C;
  readonly logger: Logger;
}): OnReload<C> {
  return (listener) => {
    let running = false;
    let again = false;
    const reload = async (): Promise<void> => {
      if (running) {
        again = true;
        return;
      }
      running = true;
      do {
        again = false;
        try {
          await listener(readAgain(options.reread));
        } catch (thrown) {
          options.logger.error({ err: thrown }, 'the reload failed; the last good configuration stays');
        }
      } while (again);
      running = false;
    };
    options.onHangup(() => void reload());
  };
}

function readAgain<C>(reread: () => C): Reread<C> {
  try {
    return { config: reread() };
  } catch (thrown) {
    if (thrown instanceof ConfigError) return { problems: thrown.problems };
    return { problems: [thrown instanceof Error ? thrown.message : String(thrown)] };
  }
}
