/**
 * Why two replicas behind one client cannot be told apart: before a list is answered from the watch cache, the store is asked
 * for its newest revision (linearizable) and the cache is waited for until it has applied it. What anybody was told is
 * written, every replica shows. Requests that arrive while a question is on its way share the next one, never the present
 * one, whose answer may be older than they are.
 * The cache follows the whole tree, so that revision comes by itself. Only where etcd is shared with strangers may it belong to a key that
 * no watch of ours shows, and progress asked for can overtake events before 3.4.25 (etcd issue 15220): then a mark is written and awaited.
 * Every wait has a deadline: a cache that does not keep up answers `unavailable`, not something old.
 */
import { LpmosError } from '@lpmos/core';
import type { TaskCache } from '@lpmos/core';
import type { StoreHead } from './ports';

export interface Freshness {
  /**
   * Resolves once the cache shows everything acknowledged before the call. `minRevision`, what the client has seen, is part of
   * that as long as it is this store's. @throws LpmosError `unavailable`, `deadline_exceeded`.
   */
  beforeRead(minRevision?: string): Promise<void>;
  /** After an own write: resolves once the cache shows it, or quietly after the deadline: the write is durable anyhow. */
  afterWrite(revision: string): Promise<void>;
}

/** Longer than any healthy watch lags, shorter than clients wait. */
const CATCH_UP_MS = 2_000;
/** A change arrives within a few milliseconds; what did not is another's, outside of our tree. */
const GRACE_MS = 50;

export interface FreshnessOptions {
  readonly cache: Pick<TaskCache, 'ready' | 'revision' | 'waitFor'>;
  readonly head: StoreHead;
  readonly catchUpMs?: number;
}

export function createFreshness({ cache, head, catchUpMs = CATCH_UP_MS }: FreshnessOptions): Freshness {
  const newest = shareNext(() => head.currentRevision());
  const mark = shareNext(() => head.putMark());
  const reached = (revision: string, withinMs: number): Promise<boolean> =>
    cache.waitFor(revision, AbortSignal.timeout(withinMs)).then(
      () => true,
      (thrown: unknown) => {
        if (LpmosError.from(thrown).code === 'unavailable') return false;
        throw thrown;
      },
    );
  return {
    async beforeRead(minRevision = '0') {
      if (!cache.ready) throw notReady();
      const revision = await newest();
      // A client may carry a revision of a store that was restored from an older snapshot; there is nothing to wait for then.
      const wanted = BigInt(minRevision) > BigInt(revision) ? revision : larger(minRevision, revision);
      if (BigInt(cache.revision) >= BigInt(wanted)) return;
      if (await reached(wanted, Math.min(GRACE_MS, catchUpMs))) return;
      if (await reached(await mark(), catchUpMs)) return;
      throw lagging(catchUpMs);
    },
    async afterWrite(revision) {
      await reached(revision, catchUpMs);
    },
  };
}

/** At most one call runs; all who ask meanwhile share the one that starts after it. */
export function shareNext<T>(call: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const start = (): Promise<T> => {
    next = undefined;
    const mine = call().finally(() => {
      if (running === mine) running = undefined;
    });
    running = mine;
    return mine;
  };
  return () => {
    if (running === undefined) return start();
    next ??= running.then(start, start);
    return next;
  };
}

function larger(a: string, b: string): string {
  return BigInt(a) > BigInt(b) ? a : b;
}

function notReady(): LpmosError {
  return new LpmosError({
    code: 'unavailable',
    message: 'This replica has not read the tasks yet; try again in a moment',
  });
}

function lagging(catchUpMs: number): LpmosError {
  return new LpmosError({
    code: 'unavailable',
    message: `This replica's copy of the tasks is more than ${catchUpMs} ms behind the store; try again in a moment`,
  });
}
