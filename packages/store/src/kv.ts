/**
 * The port to a revisioned key-value store: what LPMOS needs of etcd and nothing more. etcd-kv.ts and memory-kv.ts implement it,
 * one contract suite proves both. Every call has a deadline inside; nothing here waits for ever.
 * A transaction has three outcomes, and `unknown` is not "no": bytes that a dead link swallowed may still arrive
 * much later (measured: 12 s after the heal), so only guarded transactions are ever safe.
 */
import type { LpmosError } from '@lpmos/core';

/** 2^53 revisions are 28 000 years at 10 000 writes a second, so a double holds every one of them. */
export type Revision = number;

/** All keys k with start <= k < end; without end exactly `start`. Keys are ASCII, so string order is byte order. */
export interface KeyRange {
  readonly start: string;
  readonly end?: string;
}

export interface KvEntry {
  readonly key: string;
  readonly value: string;
  readonly createRevision: Revision;
  readonly modRevision: Revision;
  /** Decimal id of the session lease the key hangs on, or '0'. */
  readonly leaseId: string;
}

export interface RangeRequest {
  readonly range: KeyRange;
  /** Read as of this revision; the newest when absent. */
  readonly revision?: Revision;
  /** Leave the values out (they come as ''): a comparison of revisions needs no more and costs a fraction. */
  readonly keysOnly?: boolean;
  /** At most so many keys; `more` says that there are others. */
  readonly limit: number;
}

export interface RangePage {
  readonly entries: readonly KvEntry[];
  readonly more: boolean;
  /** The store's revision when it answered (not the revision asked for). */
  readonly revision: Revision;
}

/** `create_revision` 0 means "absent"; `is: '>'` with 0 means "present". */
export type Compare =
  | {
      readonly key: string;
      readonly field: 'mod_revision' | 'create_revision';
      readonly is: '=' | '>';
      readonly revision: Revision;
    }
  | { readonly key: string; readonly field: 'value'; readonly is: '='; readonly value: string };

export type TxnWrite =
  | { readonly op: 'put'; readonly key: string; readonly value: string; readonly leaseId?: string }
  | { readonly op: 'delete'; readonly key: string };

export interface Txn {
  readonly compares: readonly Compare[];
  /** Done together when every compare holds. */
  readonly then: readonly TxnWrite[];
  /** Read at the same revision when one does not, so that the refusal can be explained. */
  readonly otherwise: readonly KeyRange[];
}

export type TxnOutcome =
  | { readonly kind: 'done'; readonly succeeded: true; readonly revision: Revision }
  | {
      readonly kind: 'done';
      readonly succeeded: false;
      readonly revision: Revision;
      readonly reads: readonly (readonly KvEntry[])[];
    }
  /** Certainly not written: never sent, or answered with a refusal. */
  | { readonly kind: 'refused'; readonly error: LpmosError; readonly leaseGone: boolean }
  | { readonly kind: 'unknown'; readonly cause: unknown };

export interface KvEvent {
  readonly key: string;
  readonly modRevision: Revision;
  /** Absent when the key was deleted. */
  readonly entry?: KvEntry;
}

export interface WatchRequest {
  readonly range: KeyRange;
  readonly startRevision: Revision;
  /** Events of whole revisions, in order; called synchronously, so a slow reader slows the stream and no queue grows. */
  readonly onEvents: (events: readonly KvEvent[]) => void;
  /** Everything up to `revision` has been delivered. */
  readonly onProgress: (revision: Revision) => void;
  /** Any sign of life, an answered probe included. */
  readonly onAlive: () => void;
  readonly signal: AbortSignal;
}

export type WatchEnd =
  | { readonly kind: 'closed' }
  | { readonly kind: 'compacted'; readonly revision: Revision }
  | { readonly kind: 'error'; readonly cause: unknown };

export interface LeaseState {
  readonly id: string;
  /** Seconds that the server granted; may be more than was asked for. */
  readonly ttlSeconds: number;
}

export interface Kv {
  /** Linearizable. @throws LpmosError `unavailable` | `deadline_exceeded`, or KvCompacted. */
  range(request: RangeRequest): Promise<RangePage>;
  txn(txn: Txn): Promise<TxnOutcome>;
  /** Resolves when the watch is over and says why; never rejects. */
  watch(request: WatchRequest): Promise<WatchEnd>;
  /** @throws LpmosError `unavailable` | `deadline_exceeded`. */
  grantLease(ttlSeconds: number): Promise<LeaseState>;
  /** Undefined when the lease is gone. @throws LpmosError `unavailable` | `deadline_exceeded`. */
  keepLeaseAlive(leaseId: string): Promise<LeaseState | undefined>;
  /** Deletes the lease and every key on it; no error when it is gone already. @throws LpmosError as above. */
  revokeLease(leaseId: string): Promise<void>;
  /** Ends watches and connections. */
  close(): void;
}

/** The revision asked for was compacted away: read again at the newest. */
export class KvCompacted extends Error {
  constructor() {
    super('The revision asked for has been compacted; list again at the newest revision.');
    this.name = 'KvCompacted';
  }
}

/** etcd's defaults refuse more; both stores refuse alike. */
export const MAX_TXN_OPERATIONS = 128;
/** Below etcd's 1.5 MiB request limit with room for the other keys of the transaction. */
export const MAX_VALUE_BYTES = 1024 * 1024;
/** Keys in a page of a long read: about 1.5 MB at 3 kB each, small enough to not hold up heartbeats on one link. */
export const PAGE_KEYS = 500;

export function prefixRange(prefix: string): KeyRange {
  const last = prefix.length - 1;
  return { start: prefix, end: prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) + 1) };
}

export function inRange(range: KeyRange, key: string): boolean {
  if (range.end === undefined) return key === range.start;
  return key >= range.start && key < range.end;
}

export const absent = (key: string): Compare => ({ key, field: 'create_revision', is: '=', revision: 0 });
export const present = (key: string): Compare => ({ key, field: 'create_revision', is: '>', revision: 0 });
export const unchangedSince = (key: string, revision: Revision): Compare => ({
  key,
  field: 'mod_revision',
  is: '=',
  revision,
});

export interface ReadRangeOptions {
  readonly pageKeys?: number;
  readonly keysOnly?: boolean;
}

/** Reads a whole range in pages at one revision. @throws as Kv.range; KvCompacted when history moved on meanwhile. */
export async function readRange(
  kv: Kv,
  range: KeyRange,
  { pageKeys = PAGE_KEYS, keysOnly = false }: ReadRangeOptions = {},
): Promise<{ readonly entries: readonly KvEntry[]; readonly revision: Revision }> {
  const first = await kv.range({ range, limit: pageKeys, keysOnly });
  const entries = [...first.entries];
  let page = first;
  while (page.more) {
    const last = page.entries.at(-1);
    if (last === undefined || range.end === undefined) break;
    const rest = { start: `${last.key}\0`, end: range.end };
    page = await kv.range({ range: rest, limit: pageKeys, revision: first.revision, keysOnly });
    for (const entry of page.entries) entries.push(entry);
  }
  return { entries, revision: first.revision };
}
