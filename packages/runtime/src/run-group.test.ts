import { silentLogger } from './logger';
import type { Logger } from './logger';
import { runGroup } from './run-group';
import type { Component } from './run-group';

/** A component that tells what happens to it, and ends as told. */
function scripted(
  name: string,
  events: string[],
  behaviour: { readonly failsToStart?: true; readonly ignoresStop?: true } = {},
): Component & { end(error?: Error): void } {
  let end: (error?: Error) => void = () => undefined;
  return {
    name,
    end: (error) => end(error),
    start(signal) {
      events.push(`${name} starts`);
      signal.addEventListener('abort', () => events.push(`${name} is told to stop`));
      if (behaviour.failsToStart === true) return Promise.reject(new Error(`${name} cannot`));
      const done = new Promise<void>((resolve, reject) => {
        end = (error) => (error === undefined ? resolve() : reject(error));
        if (behaviour.ignoresStop !== true) signal.addEventListener('abort', () => resolve());
      });
      return Promise.resolve({ done });
    },
  };
}

const STOP_MS = 20;

function run(components: readonly Component[], logger: Logger = silentLogger) {
  const stop = new AbortController();
  let ready: () => void = () => undefined;
  const isReady = new Promise<void>((resolve) => (ready = resolve));
  const ended = runGroup({
    ...{ components, logger, signal: stop.signal, stopTimeoutMs: STOP_MS },
    onReady: () => ready(),
  });
  return { ended, isReady, stop: () => stop.abort() };
}

describe('a run group', () => {
  it('starts in order and stops in reverse', async () => {
    const events: string[] = [];
    const group = run(['a', 'b', 'c'].map((name) => scripted(name, events)));
    await group.isReady;
    group.stop();
    await group.ended;
    expect(events).toEqual([
      ...['a starts', 'b starts', 'c starts'],
      ...['c is told to stop', 'b is told to stop', 'a is told to stop'],
    ]);
  });

  it('stops what had started when one cannot start, that one included', async () => {
    const events: string[] = [];
    const group = run([
      scripted('a', events),
      scripted('b', events, { failsToStart: true }),
      scripted('c', events),
    ]);
    await expect(group.ended).rejects.toThrow('b cannot');
    expect(events).toEqual(['a starts', 'b starts', 'b is told to stop', 'a is told to stop']);
  });

  it.each([
    ['fails', new Error('no more'), 'b failed: no more'],
    ['just ends', undefined, 'b ended though nobody asked it to'],
  ])('ends as a whole when one part %s', async (_how, error, words) => {
    const events: string[] = [];
    const b = scripted('b', events);
    const group = run([scripted('a', events), b]);
    await group.isReady;
    b.end(error);
    await expect(group.ended).rejects.toThrow(words);
    expect(events).toContain('a is told to stop');
  });

  it('names who does not stop in time, and ends without it', async () => {
    const warnings: unknown[] = [];
    const logger: Logger = { ...silentLogger, warn: (fields) => warnings.push(fields) };
    const events: string[] = [];
    const group = run([scripted('a', events), scripted('slow', events, { ignoresStop: true })], logger);
    await group.isReady;
    group.stop();
    await group.ended;
    expect(warnings).toEqual([{ component: 'slow', stop_timeout_ms: STOP_MS }]);
    expect(events.at(-1)).toBe('a is told to stop');
  });

  it('starts nothing more once it is told to end', async () => {
    const events: string[] = [];
    const stop = new AbortController();
    const first: Component = {
      name: 'first',
      start: (signal) => {
        stop.abort();
        return scripted('inner', events).start(signal);
      },
    };
    await runGroup({
      ...{ components: [first, scripted('second', events)], logger: silentLogger },
      ...{ signal: stop.signal, stopTimeoutMs: STOP_MS },
    });
    expect(events).not.toContain('second starts');
  });
});
