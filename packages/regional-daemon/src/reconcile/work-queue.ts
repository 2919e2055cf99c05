/**
 * A queue of keys, never of events: adding a key that waits already changes nothing, and one key is in flight at most once.
 * A failing key is tried again with back-off; a key may ask to be looked at later. Bounded by the number of keys.
 */
import { backoffDelayMs } from '@lpmos/runtime';

export interface WorkQueue<K> {
  add(key: K): void;
  /** Adds the key after `ms`; an earlier wish for the same key stands. */
  addAfter(key: K, ms: number): void;
  /** Stops taking keys and resolves when nothing is in flight. */
  stop(): Promise<void>;
  /** Keys waiting or in flight. */
  readonly depth: number;
}

export interface WorkQueueOptions<K> {
  /** Handles one key. A throw means "try again". */
  readonly work: (key: K) => Promise<void>;
  readonly concurrency: number;
  readonly random: () => number;
  readonly onError: (key: K, thrown: unknown, attempt: number) => void;
}

const RETRY = { firstMs: 100, ceilingMs: 10_000 };
/** setTimeout overflows at 2^31 ms and fires at once; nothing is planned further ahead than a day. */
const LONGEST_DELAY_MS = 24 * 60 * 60 * 1000;

export function createWorkQueue<K>(options: WorkQueueOptions<K>): WorkQueue<K> {
  const waiting = new Set<K>();
  const inFlight = new Map<K, Promise<void>>();
  const again = new Set<K>();
  const failures = new Map<K, number>();
  const timers = new Map<K, { readonly timer: NodeJS.Timeout; readonly at: number }>();
  let stopped = false;

  const add = (key: K): void => {
    if (stopped) return;
    if (inFlight.has(key)) again.add(key);
    else waiting.add(key);
    pump();
  };

  const addAfter = (key: K, ms: number): void => {
    if (stopped) return;
    const at = performance.now() + ms;
    const earlier = timers.get(key);
    if (earlier !== undefined && earlier.at <= at) return;
    clearTimeout(earlier?.timer);
    const timer = setTimeout(
      () => {
        timers.delete(key);
        add(key);
      },
      Math.min(Math.max(ms, 0), LONGEST_DELAY_MS),
    );
    timers.set(key, { timer, at });
  };

  const pump = (): void => {
    for (const key of waiting) {
      if (inFlight.size >= options.concurrency || stopped) return;
      waiting.delete(key);
      // Never within the caller's turn: who adds a key may be in the middle of something that the work must find finished.
      inFlight.set(
        key,
        Promise.resolve().then(() => run(key)),
      );
    }
  };

  const run = async (key: K): Promise<void> => {
    try {
      await options.work(key);
      failures.delete(key);
    } catch (thrown) {
      const attempt = failures.get(key) ?? 0;
      failures.set(key, attempt + 1);
      options.onError(key, thrown, attempt);
      addAfter(key, backoffDelayMs(RETRY, attempt, options.random));
    } finally {
      inFlight.delete(key);
      if (again.delete(key)) add(key);
      pump();
    }
  };

  return {
    add,
    addAfter,
    async stop() {
      stopped = true;
      waiting.clear();
      for (const { timer } of timers.values()) clearTimeout(timer);
      timers.clear();
      await Promise.allSettled(inFlight.values());
    },
    get depth() {
      return waiting.size + inFlight.size;
    },
  };
}
