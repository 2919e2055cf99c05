/**
 * The life of a service: components start in order, run together, and stop in reverse. If any one ends, with or without an error,
 * all end: there is no half-alive daemon. Stopping is bounded; who overran is named.
 */
import type { Logger } from './logger';

export interface Component {
  readonly name: string;
  /** Resolves once the component serves. `signal` aborts when it should end; `done` settles when it has ended fully. */
  start(signal: AbortSignal): Promise<{ readonly done: Promise<void> }>;
}

export interface RunGroupOptions {
  readonly components: readonly Component[];
  readonly logger: Logger;
  /** Ends the group from outside (a process signal, a test). */
  readonly signal: AbortSignal;
  readonly stopTimeoutMs: number;
  readonly onReady?: () => void;
}

interface Running {
  readonly name: string;
  readonly controller: AbortController;
  readonly done: Promise<void>;
}

/** Resolves when all have stopped after an asked-for end; throws the first failure otherwise. */
export async function runGroup(options: RunGroupOptions): Promise<void> {
  const running: Running[] = [];
  let failure: Error | undefined;
  try {
    for (const component of options.components) {
      if (options.signal.aborted) break;
      running.push(await startOne(component));
    }
    if (!options.signal.aborted) {
      options.onReady?.();
      failure = await firstEnd(running, options.signal);
    }
  } catch (thrown) {
    failure = thrown instanceof Error ? thrown : new Error(String(thrown));
  }
  await stopAll(running, options);
  if (failure !== undefined) throw failure;
}

async function startOne(component: Component): Promise<Running> {
  const controller = new AbortController();
  try {
    const { done } = await component.start(controller.signal);
    done.catch(() => undefined);
    return { name: component.name, controller, done };
  } catch (thrown) {
    // What it had begun before it failed must end with it.
    controller.abort();
    throw thrown;
  }
}

async function firstEnd(running: readonly Running[], signal: AbortSignal): Promise<Error | undefined> {
  const asked = new Promise<undefined>((resolve) => {
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  const ends = running.map(async ({ name, done }): Promise<Error | undefined> => {
    try {
      await done;
    } catch (thrown) {
      return new Error(`${name} failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`, {
        cause: thrown,
      });
    }
    return signal.aborted ? undefined : new Error(`${name} ended though nobody asked it to`);
  });
  return Promise.race([asked, ...ends]);
}

async function stopAll(running: readonly Running[], options: RunGroupOptions): Promise<void> {
  for (const one of [...running].reverse()) {
    one.controller.abort();
    const timeout = Symbol('timeout');
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<symbol>((resolve) => {
      timer = setTimeout(() => resolve(timeout), options.stopTimeoutMs);
    });
    const result = await Promise.race([one.done.catch(() => undefined), late]);
    clearTimeout(timer);
    if (result === timeout) {
      options.logger.warn(
        { component: one.name, stop_timeout_ms: options.stopTimeoutMs },
        'component did not stop in time',
      );
    }
  }
}
