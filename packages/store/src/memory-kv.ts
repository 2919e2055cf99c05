/**
 * The Kv port in memory with etcd's semantics: revisions, guards, leases on an injected clock, watches over a history, compaction.
 * For tests and for `--memory` runs; it forgets everything with the process. memory-history.ts holds the versions,
 * this file holds transactions, leases and watchers. The contract suite proves that it is no toy.
 */
import { LpmosError } from '@lpmos/core';
import type { Clock } from '@lpmos/core';
import { inRange } from './kv';
import type {
  Compare,
  Kv,
  KvEvent,
  LeaseState,
  Revision,
  Txn,
  TxnOutcome,
  WatchEnd,
  WatchRequest,
} from './kv';
import { createHistory } from './memory-history';
import type { History } from './memory-history';
import { txnProblem } from './txn-limits';

export interface MemoryKvOptions {
  readonly clock: Clock;
}

export interface MemoryKv extends Kv {
  /** Forgets versions older than `revision`, as an operator's or etcd's own compaction does. */
  compact(revision: Revision): void;
  /** Ends every watch with an error, as a broken link does. */
  breakWatches(): void;
}

/** How often expired leases are looked for while there are leases; also every call looks first. */
const LEASE_SWEEP_MS = 50;

interface Lease {
  readonly id: string;
  readonly ttlSeconds: number;
  readonly keys: Set<string>;
  expiresAtMs: number;
}

interface Watcher {
  readonly request: WatchRequest;
  next: Revision;
  readonly end: (end: WatchEnd) => void;
}

interface State {
  readonly clock: Clock;
  readonly history: History;
  readonly leases: Map<string, Lease>;
  readonly watchers: Set<Watcher>;
  lastLeaseId: number;
  closed: boolean;
  sweeper: NodeJS.Timeout | undefined;
}

export function createMemoryKv({ clock }: MemoryKvOptions): MemoryKv {
  const state: State = {
    clock,
    history: createHistory(),
    leases: new Map(),
    watchers: new Set(),
    lastLeaseId: 0,
    closed: false,
    sweeper: undefined,
  };
  const ready = async (): Promise<void> => {
    await Promise.resolve();
    if (state.closed) throw new LpmosError({ code: 'unavailable', message: 'The store is closed' });
    sweep(state);
  };
  return {
    range: async (request) => {
      await ready();
      return state.history.range(request);
    },
    txn: async (txn) => {
      const problem = txnProblem(txn);
      if (problem !== undefined) return { kind: 'refused', error: problem, leaseGone: false };
      try {
        await ready();
      } catch (error) {
        return { kind: 'refused', error: LpmosError.from(error), leaseGone: false };
      }
      return applyTxn(state, txn);
    },
    watch: (request) => watch(state, request),
    grantLease: async (ttlSeconds) => {
      await ready();
      return grant(state, ttlSeconds);
    },
    keepLeaseAlive: async (leaseId) => {
      await ready();
      const lease = state.leases.get(leaseId);
      if (lease === undefined) return undefined;
      lease.expiresAtMs = clock.monotonicMs() + lease.ttlSeconds * 1000;
      return { id: lease.id, ttlSeconds: lease.ttlSeconds };
    },
    revokeLease: async (leaseId) => {
      await ready();
      dropLease(state, leaseId);
    },
    compact: (revision) => state.history.compact(revision),
    breakWatches: () => {
      for (const watcher of state.watchers) watcher.end({ kind: 'error', cause: new Error('link broken') });
    },
    close: () => {
      state.closed = true;
      clearInterval(state.sweeper);
      for (const watcher of state.watchers) watcher.end({ kind: 'closed' });
    },
  };
}

function holds(history: History, compare: Compare): boolean {
  const entry = history.get(compare.key);
  if (compare.field === 'value') return entry !== undefined && entry.value === compare.value;
  const actual = (compare.field === 'mod_revision' ? entry?.modRevision : entry?.createRevision) ?? 0;
  return compare.is === '=' ? actual === compare.revision : actual > compare.revision;
}

function applyTxn(state: State, txn: Txn): TxnOutcome {
  const { history } = state;
  if (!txn.compares.every((compare) => holds(history, compare))) {
    const reads = txn.otherwise.map((range) => history.range({ range, limit: Infinity }).entries);
    return { kind: 'done', succeeded: false, revision: history.revision(), reads };
  }
  for (const write of txn.then) {
    if (write.op === 'put' && write.leaseId !== undefined && !state.leases.has(write.leaseId)) {
      const error = new LpmosError({
        code: 'conflict',
        message: 'The session has ended; its key was not written',
      });
      return { kind: 'refused', error, leaseGone: true };
    }
  }
  for (const write of txn.then) {
    const before = history.get(write.key);
    if (before !== undefined) state.leases.get(before.leaseId)?.keys.delete(write.key);
    if (write.op === 'put' && write.leaseId !== undefined)
      state.leases.get(write.leaseId)?.keys.add(write.key);
  }
  history.write(txn.then);
  announce(state);
  return { kind: 'done', succeeded: true, revision: history.revision() };
}

function watch(state: State, request: WatchRequest): Promise<WatchEnd> {
  return new Promise((resolve) => {
    const abort = (): void => watcher.end({ kind: 'closed' });
    const watcher: Watcher = {
      request,
      next: request.startRevision,
      end: (end) => {
        state.watchers.delete(watcher);
        request.signal.removeEventListener('abort', abort);
        resolve(end);
      },
    };
    if (request.signal.aborted || state.closed) return resolve({ kind: 'closed' });
    request.signal.addEventListener('abort', abort);
    state.watchers.add(watcher);
    queueMicrotask(() => pump(state, watcher, true));
  });
}

/** Later, never from inside the writer's call: a listener that writes must not run in the middle of a transaction. */
function announce(state: State): void {
  for (const watcher of state.watchers) queueMicrotask(() => pump(state, watcher, false));
}

function pump(state: State, watcher: Watcher, first: boolean): void {
  if (!state.watchers.has(watcher)) return;
  const { request } = watcher;
  const compacted = state.history.compactedRevision();
  if (watcher.next < compacted) return watcher.end({ kind: 'compacted', revision: compacted });
  if (first) request.onAlive();
  const upTo = state.history.revision();
  if (upTo < watcher.next) return;
  const events: KvEvent[] = state.history
    .events(watcher.next, upTo)
    .filter((event) => inRange(request.range, event.key));
  watcher.next = upTo + 1;
  request.onAlive();
  if (events.length > 0) request.onEvents(events);
  request.onProgress(upTo);
}

function grant(state: State, ttlSeconds: number): LeaseState {
  const id = String(++state.lastLeaseId);
  const expiresAtMs = state.clock.monotonicMs() + ttlSeconds * 1000;
  state.leases.set(id, { id, ttlSeconds, keys: new Set(), expiresAtMs });
  state.sweeper ??= setInterval(() => sweep(state), LEASE_SWEEP_MS).unref();
  return { id, ttlSeconds };
}

function sweep(state: State): void {
  const now = state.clock.monotonicMs();
  for (const lease of [...state.leases.values()]) if (lease.expiresAtMs <= now) dropLease(state, lease.id);
}

function dropLease(state: State, leaseId: string): void {
  const lease = state.leases.get(leaseId);
  if (lease === undefined) return;
  state.leases.delete(leaseId);
  if (state.leases.size === 0) {
    clearInterval(state.sweeper);
    state.sweeper = undefined;
  }
  if (lease.keys.size === 0) return;
  state.history.write([...lease.keys].map((key) => ({ op: 'delete', key })));
  announce(state);
}
