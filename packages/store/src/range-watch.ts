/**
 * Keeps a RangeCache true: list at R, watch from R+1, and list again after *any* end of the watch and on a timer.
 * A watch is a hint to look, never the truth: servers of this line starve streams and drop deletes around compactions
 * (etcd issues 17529, 18089), so every list is compared and a difference is repaired, counted and said.
 * Never gives up: `start` resolves with the first list or with the signal. Backs off 50 ms to 3 s with jitter.
 */
import type { Clock } from '@lpmos/core';
import { readRange } from './kv';
import type { KeyRange, Kv, WatchEnd } from './kv';
import { pause } from './pause';
import { createRangeCache } from './range-cache';
import type { RangeCache, RangeCacheWriter } from './range-cache';

export interface StoreLogger {
  warn(fields: Record<string, unknown>, message: string): void;
}

export interface RangeWatchOptions {
  readonly kv: Kv;
  readonly range: KeyRange;
  readonly clock: Clock;
  readonly logger?: StoreLogger | undefined;
  readonly keepValues?: boolean;
  /** Mean time between two comparisons with a fresh list. */
  readonly relistMs?: number;
  /** How long a running watch may lag behind a list before a difference counts as lost. */
  readonly settleMs?: number;
}

export interface RangeWatch {
  readonly cache: RangeCache;
  /** Monotonic milliseconds since the store was last heard from; Infinity before the first time. */
  readonly silentForMs: number;
  /** Keys that the watch had lost and a list showed. */
  readonly divergences: number;
  /** How often the watch ended and was begun again. */
  readonly restarts: number;
  /** Begins, and resolves once the first list is in or the signal aborts. Never rejects. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when a started watch has stopped, which only its signal makes it do. */
  readonly done: Promise<void>;
}

const RELIST_MS = 60_000;
const SETTLE_MS = 2_000;
const BACKOFF_FIRST_MS = 50;
const BACKOFF_MOST_MS = 3_000;
/** A watch that lived so long was a good one: the next failure starts the back-off afresh. */
const GOOD_LIFE_MS = 1_000;

interface Loop {
  readonly options: RangeWatchOptions;
  readonly cache: RangeCacheWriter;
  readonly onListed: () => void;
  lastHeardMs: number | undefined;
  divergences: number;
  restarts: number;
}

export function createRangeWatch(options: RangeWatchOptions): RangeWatch {
  const { clock, logger, keepValues = true } = options;
  let listed = (): void => undefined;
  let finished = (): void => undefined;
  const firstList = new Promise<void>((resolve) => (listed = resolve));
  const done = new Promise<void>((resolve) => (finished = resolve));
  const cache = createRangeCache({
    keepValues,
    onListenerFault: (error) => logger?.warn({ error }, 'a listener of the store cache failed'),
  });
  const loop: Loop = {
    options,
    cache,
    onListed: listed,
    lastHeardMs: undefined,
    divergences: 0,
    restarts: 0,
  };
  return {
    cache,
    get silentForMs() {
      return loop.lastHeardMs === undefined ? Infinity : clock.monotonicMs() - loop.lastHeardMs;
    },
    get divergences() {
      return loop.divergences;
    },
    get restarts() {
      return loop.restarts;
    },
    start: (signal) => {
      const running = run(loop, signal).finally(finished);
      return Promise.race([firstList, running]);
    },
    done,
  };
}

async function run(loop: Loop, signal: AbortSignal): Promise<void> {
  const { clock } = loop.options;
  let failures = 0;
  while (!signal.aborted) {
    const revision = await list(loop);
    const began = clock.monotonicMs();
    if (revision !== undefined && !signal.aborted) {
      loop.onListed();
      const end = await follow(loop, revision + 1, signal);
      if (signal.aborted) return;
      loop.restarts += 1;
      sayEnd(loop, end);
    }
    failures = clock.monotonicMs() - began >= GOOD_LIFE_MS ? 0 : failures + 1;
    await pause(backoffMs(failures), signal);
  }
}

/** The revision of the list that the cache now equals, or undefined when the store could not be asked. */
async function list(loop: Loop): Promise<number | undefined> {
  const { kv, range } = loop.options;
  try {
    const { entries, revision } = await readRange(kv, range);
    heard(loop);
    loop.cache.replace(entries, revision);
    return revision;
  } catch (error) {
    loop.options.logger?.warn({ error, range: range.start }, 'cannot list the store; trying again');
    return undefined;
  }
}

/** Watches until the stream ends, or until a check finds that it lost something; the list that follows repairs it. */
async function follow(loop: Loop, startRevision: number, signal: AbortSignal): Promise<WatchEnd> {
  const { kv, range } = loop.options;
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  // Not waited for: a check on a dead link takes its deadline to end, and once `both` is aborted it changes nothing.
  void checkNowAndThen(loop, both, () => stop.abort());
  const end = await kv.watch({
    range,
    startRevision,
    signal: both,
    onEvents: (events) => loop.cache.applyEvents(events),
    onProgress: (revision) => loop.cache.applyProgress(revision),
    onAlive: () => heard(loop),
  });
  stop.abort();
  return end;
}

async function checkNowAndThen(loop: Loop, signal: AbortSignal, restart: () => void): Promise<void> {
  const { relistMs = RELIST_MS } = loop.options;
  while (!signal.aborted) {
    await pause(relistMs * (0.75 + Math.random() / 2), signal);
    if (signal.aborted) return;
    if (await foundDivergence(loop, signal)) return restart();
  }
}

async function foundDivergence(loop: Loop, signal: AbortSignal): Promise<boolean> {
  const { kv, range, settleMs = SETTLE_MS } = loop.options;
  const { cache } = loop;
  const check = cache.beginCheck();
  try {
    const { entries, revision } = await readRange(kv, range, { keysOnly: true });
    heard(loop);
    if (check.differences(entries, revision).length === 0) return false;
    // The watch may only be slower than the list; what is still missing after this wait will not come.
    await pause(settleMs, signal);
    if (signal.aborted) return false;
    const lost = check.differences(entries, revision);
    if (lost.length === 0) return false;
    countLost(loop, lost);
    return true;
  } catch (error) {
    loop.options.logger?.warn({ error, range: range.start }, 'cannot compare the cache with the store');
    return false;
  } finally {
    check.end();
  }
}

function countLost(loop: Loop, lost: readonly string[]): void {
  loop.divergences += lost.length;
  loop.options.logger?.warn(
    { keys: lost.slice(0, 5), divergences: lost.length, range: loop.options.range.start },
    'the watch lost changes; listing again and watching anew',
  );
}

function sayEnd({ options }: Loop, end: WatchEnd): void {
  const fields =
    end.kind === 'error' ? { error: end.cause } : end.kind === 'compacted' ? { compacted: end.revision } : {};
  options.logger?.warn(
    { ...fields, end: end.kind, range: options.range.start },
    'a watch ended; listing again',
  );
}

function heard(loop: Loop): void {
  loop.lastHeardMs = loop.options.clock.monotonicMs();
}

function backoffMs(failures: number): number {
  const ceiling = Math.min(BACKOFF_MOST_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures, 10));
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}
