/**
 * A copy of one key range: what is known, what changed, and who waits for it. No I/O and no time; range-watch.ts feeds it.
 * Events are applied per batch of whole revisions, so a reader between two calls never sees half a transaction.
 * Invariant: a list read at R is the truth up to R. After it was applied, events at or below R (the floor) are old news
 * and are dropped, else a late event could bring a deleted key back.
 */
import { LpmosError } from '@lpmos/core';
import type { KvEntry, KvEvent, Revision } from './kv';

export interface KeyChange {
  readonly key: string;
  /** Revision at which the change was seen: the event's own, or that of the list which showed it. */
  readonly revision: Revision;
  /** Absent when the key is gone. */
  readonly entry?: KvEntry;
}

export type ChangeListener = (changes: readonly KeyChange[]) => void;

/** What readers get. */
export interface RangeCache {
  /** False until the first list is in. */
  readonly ready: boolean;
  /** Everything up to this revision is applied. */
  readonly revision: Revision;
  readonly size: number;
  get(key: string): KvEntry | undefined;
  entries(): IterableIterator<KvEntry>;
  /** Called once per batch, in order. @returns unsubscribe */
  onChange(listener: ChangeListener): () => void;
  /** Resolves once `revision` is applied. @throws LpmosError `unavailable` when the signal aborts first. */
  waitFor(revision: Revision, signal: AbortSignal): Promise<void>;
}

/** What the watch loop does to it. */
export interface RangeCacheWriter extends RangeCache {
  applyEvents(events: readonly KvEvent[]): void;
  applyProgress(revision: Revision): void;
  /** Makes the cache equal to a list read at `revision` while no watch runs; tells what that changed. */
  replace(entries: readonly KvEntry[], revision: Revision): void;
  /** To be called before the list of a comparison is read, while a watch runs. */
  beginCheck(): RangeCheck;
}

/** One comparison. It remembers deletions from its beginning, so that a key deleted after the list is no difference. */
export interface RangeCheck {
  /** Keys that the cache has not as a list read at `revision` shows them; the list may be of keys only. */
  differences(entries: readonly KvEntry[], revision: Revision): string[];
  end(): void;
}

export interface RangeCacheOptions {
  /** False keeps revisions only; listeners still get the values. For owners that keep their own decoded copy. */
  readonly keepValues?: boolean;
  readonly onListenerFault: (fault: unknown) => void;
}

/** More waiting readers than this mean that the cache has stopped; the next is refused instead of queued. */
const MAX_WAITERS = 10_000;

interface Waiter {
  readonly revision: Revision;
  readonly resolve: () => void;
}

export function createRangeCache({
  keepValues = true,
  onListenerFault,
}: RangeCacheOptions): RangeCacheWriter {
  const map = new Map<string, KvEntry>();
  const listeners = new Set<ChangeListener>();
  const waiters = new Set<Waiter>();
  const checks = new Set<Map<string, Revision>>();
  let ready = false;
  let revision: Revision = 0;
  let floor: Revision = 0;

  const store = ({ key, entry, revision: at }: KeyChange): void => {
    if (entry === undefined) {
      map.delete(key);
      for (const deletions of checks) deletions.set(key, at);
    } else {
      map.set(key, keepValues ? entry : { ...entry, value: '' });
    }
  };
  const publish = (changes: readonly KeyChange[], upTo: Revision): void => {
    for (const change of changes) store(change);
    revision = upTo;
    if (changes.length > 0) for (const listener of listeners) callSafely(listener, changes, onListenerFault);
    for (const waiter of waiters) if (waiter.revision <= revision) waiter.resolve();
  };
  return {
    get ready() {
      return ready;
    },
    get revision() {
      return revision;
    },
    get size() {
      return map.size;
    },
    get: (key) => map.get(key),
    entries: () => map.values(),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    waitFor: (wanted, signal) => {
      if (ready && wanted <= revision) return Promise.resolve();
      if (waiters.size >= MAX_WAITERS) return Promise.reject(notReached(wanted));
      return waitOn(waiters, wanted, signal);
    },
    applyEvents: (events) => {
      const news = newsOf(events, map, floor);
      const last = events.at(-1)?.modRevision ?? revision;
      publish(news, Math.max(revision, last));
    },
    applyProgress: (upTo) => {
      if (upTo > revision) publish([], upTo);
    },
    replace: (entries, at) => {
      // A store restored from a backup counts from an older revision: equal numbers no longer mean equal values.
      const rewound = at < revision;
      ready = true;
      floor = at;
      publish(
        differencesOf(map, entries, at, (a, b) => !rewound && a.modRevision === b.modRevision),
        at,
      );
    },
    beginCheck: () => {
      const deletions = new Map<string, Revision>();
      checks.add(deletions);
      return {
        differences: (entries, at) => unexplained(map, deletions, entries, at),
        end: () => checks.delete(deletions),
      };
    },
  };
}

/** Differences between a running cache and a list read at `at`, less those that younger events explain. */
function unexplained(
  map: ReadonlyMap<string, KvEntry>,
  deletions: ReadonlyMap<string, Revision>,
  entries: readonly KvEntry[],
  at: Revision,
): string[] {
  const covered = (cached: KvEntry, listed: KvEntry): boolean => cached.modRevision >= listed.modRevision;
  const unexplainedOnes = differencesOf(map, entries, at, covered).filter(({ key, entry }) =>
    entry === undefined
      ? (map.get(key)?.modRevision ?? 0) <= at
      : (deletions.get(key) ?? 0) < entry.modRevision,
  );
  return unexplainedOnes.map((change) => change.key);
}

function differencesOf(
  map: ReadonlyMap<string, KvEntry>,
  entries: readonly KvEntry[],
  revision: Revision,
  same: (cached: KvEntry, listed: KvEntry) => boolean,
): KeyChange[] {
  const changes: KeyChange[] = [];
  const listedKeys = new Set<string>();
  for (const entry of entries) {
    listedKeys.add(entry.key);
    const cached = map.get(entry.key);
    if (cached === undefined || !same(cached, entry)) changes.push({ key: entry.key, revision, entry });
  }
  for (const key of map.keys()) if (!listedKeys.has(key)) changes.push({ key, revision });
  return changes;
}

/** An event older than what is known of its key (a stream that went back in time, etcd issue 15271) is no news. */
function newsOf(events: readonly KvEvent[], map: ReadonlyMap<string, KvEntry>, floor: Revision): KeyChange[] {
  const seen = new Map<string, Revision>();
  const news: KeyChange[] = [];
  for (const { key, modRevision: revision, entry } of events) {
    const known = Math.max(floor, seen.get(key) ?? map.get(key)?.modRevision ?? 0);
    if (revision <= known) continue;
    seen.set(key, revision);
    news.push(entry === undefined ? { key, revision } : { key, revision, entry });
  }
  return news;
}

function callSafely(
  listener: ChangeListener,
  changes: readonly KeyChange[],
  onFault: (fault: unknown) => void,
): void {
  try {
    listener(changes);
  } catch (fault) {
    onFault(fault);
  }
}

function waitOn(waiters: Set<Waiter>, revision: Revision, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = (): void => {
      waiters.delete(waiter);
      signal.removeEventListener('abort', abort);
    };
    const abort = (): void => {
      leave();
      reject(notReached(revision));
    };
    const waiter: Waiter = {
      revision,
      resolve: () => {
        leave();
        resolve();
      },
    };
    if (signal.aborted) return reject(notReached(revision));
    signal.addEventListener('abort', abort);
    waiters.add(waiter);
  });
}

function notReached(revision: Revision): LpmosError {
  const message = `This copy of the store has not reached revision ${revision} yet; ask again in a moment`;
  return new LpmosError({ code: 'unavailable', message });
}
