/**
 * Versions of keys in memory, as etcd's MVCC keeps them: the newest state in key order, every older version since the last
 * compaction, and the events of each revision. Knows no leases and no watchers (memory-kv.ts).
 * One write of many keys is one revision; deleting what is absent makes none.
 */
import { inRange, KvCompacted } from './kv';
import type { KeyRange, KvEntry, KvEvent, RangePage, RangeRequest, Revision, TxnWrite } from './kv';

export interface History {
  revision(): Revision;
  compactedRevision(): Revision;
  get(key: string): KvEntry | undefined;
  /** @throws KvCompacted for a revision older than the compaction. */
  range(request: RangeRequest): RangePage;
  write(writes: readonly TxnWrite[]): void;
  /** Events of the revisions from..to, both included. */
  events(from: Revision, to: Revision): KvEvent[];
  compact(revision: Revision): void;
}

/** etcd's revision before the first write. */
const FIRST_REVISION = 1;

export function createHistory(): History {
  const versions = new Map<string, KvEvent[]>();
  const newest = new Map<string, KvEntry>();
  const keys: string[] = [];
  let log: KvEvent[] = [];
  let revision = FIRST_REVISION;
  let compacted = 0;

  const record = (event: KvEvent): void => {
    log.push(event);
    const known = versions.get(event.key);
    if (known === undefined) {
      versions.set(event.key, [event]);
      keys.splice(lowerBound(keys, event.key), 0, event.key);
    } else {
      known.push(event);
    }
    if (event.entry === undefined) newest.delete(event.key);
    else newest.set(event.key, event.entry);
  };

  const at = (key: string, asOf: Revision): KvEntry | undefined => {
    if (asOf >= revision) return newest.get(key);
    return versions.get(key)?.findLast((event) => event.modRevision <= asOf)?.entry;
  };

  return {
    revision: () => revision,
    compactedRevision: () => compacted,
    get: (key) => newest.get(key),
    range: ({ range, limit, keysOnly = false, revision: asOf = revision }) => {
      if (asOf < compacted) throw new KvCompacted();
      const entries: KvEntry[] = [];
      for (const key of keysIn(keys, range)) {
        const entry = at(key, asOf);
        if (entry === undefined) continue;
        if (entries.length === limit) return { entries, more: true, revision };
        entries.push(keysOnly ? { ...entry, value: '' } : entry);
      }
      return { entries, more: false, revision };
    },
    write: (writes) => {
      const effective = writes.filter((write) => write.op === 'put' || newest.has(write.key));
      if (effective.length === 0) return;
      revision += 1;
      for (const write of effective) record(eventOf(write, revision, newest.get(write.key)));
    },
    events: (from, to) => {
      return log.slice(firstAt(log, from), firstAt(log, to + 1));
    },
    compact: (to) => {
      compacted = Math.min(to, revision);
      log = log.filter((event) => event.modRevision >= compacted);
      for (const [key, events] of versions) {
        const keep = events.findLastIndex((event) => event.modRevision <= compacted);
        if (keep > 0) versions.set(key, events.slice(keep));
      }
    },
  };
}

function eventOf(write: TxnWrite, revision: Revision, before: KvEntry | undefined): KvEvent {
  if (write.op === 'delete') return { key: write.key, modRevision: revision };
  const entry: KvEntry = {
    key: write.key,
    value: write.value,
    createRevision: before?.createRevision ?? revision,
    modRevision: revision,
    leaseId: write.leaseId ?? '0',
  };
  return { key: write.key, modRevision: revision, entry };
}

function* keysIn(keys: readonly string[], range: KeyRange): Generator<string> {
  for (let index = lowerBound(keys, range.start); index < keys.length; index++) {
    const key = keys[index];
    if (key === undefined || !inRange(range, key)) return;
    yield key;
  }
}

function firstAt(log: readonly KvEvent[], revision: Revision): number {
  let low = 0;
  let high = log.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((log[middle]?.modRevision ?? 0) < revision) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lowerBound(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? '') < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
