/**
 * The transactions of a task's life as values: what is compared, what is written, what is read when a compare fails. Pure.
 * task-store.ts sends them and reads the answers. Invariant: every write of an existing task compares the status key's
 * mod_revision (the task's version), and every write of a region compares its leader key's create_revision (the fence).
 * Every transition rewrites the status key even when the status stays, so that the version changes with every one.
 */
import { isTerminal } from '@lpmos/core';
import type { Fence, NewTask, TaskChange, TaskMetadata, TaskRecord } from '@lpmos/core';
import { assignmentKey, idempotencyKey, machineGuardKey, regionKey, taskKey, timelineKey } from './keys';
import { absent, present, unchangedSince } from './kv';
import type { Compare, KeyRange, KvEntry, Revision, Txn, TxnWrite } from './kv';
import { codecs } from './records';

const at = (key: string): KeyRange => ({ start: key });
const put = (key: string, value: string): TxnWrite => ({ op: 'put', key, value });

/** A guard whose task has ended: it may be replaced as long as neither has changed since. */
export interface EndedGuard {
  readonly guard: KvEntry;
  /** Absent when the task itself is gone from the store. */
  readonly status: KvEntry | undefined;
  readonly statusKey: string;
}

export interface CreateOptions {
  readonly task: NewTask;
  /** Lease that lets the idempotency key end; required when the task carries one. */
  readonly idempotencyLease: string | undefined;
  readonly replaces?: EndedGuard;
}

/** Order of the reads of a refused creation. */
export const CREATE_READS = { region: 0, guard: 1, idempotency: 2 } as const;

export function createTxn({ task, idempotencyLease, replaces }: CreateOptions): Txn {
  const { metadata, run, created, idempotency } = task;
  const { id } = metadata;
  const guard = machineGuardKey(metadata.target_mac);
  const region = regionKey(metadata.region_id, 'metadata');
  const once = idempotency && idempotencyKey(idempotency.scope, idempotency.key);
  const then: TxnWrite[] = [
    put(taskKey(id, 'metadata'), codecs.metadata.encode(metadata)),
    put(taskKey(id, 'status'), codecs.status.encode('pending')),
    put(taskKey(id, 'run'), codecs.run.encode(run)),
    put(timelineKey(id, created.seq), codecs.timeline.encode(created)),
    put(assignmentKey(metadata.region_id, id), ''),
    put(guard, guardValue(metadata)),
  ];
  const compares: Compare[] = [
    present(region),
    absent(taskKey(id, 'metadata')),
    ...(replaces === undefined ? [absent(guard)] : endedStill(replaces)),
  ];
  if (once !== undefined && idempotency !== undefined && idempotencyLease !== undefined) {
    compares.push(absent(once));
    const value = codecs.idempotency.encode({
      schema_version: 1,
      task_id: id,
      request_digest: idempotency.requestDigest,
    });
    then.push({ op: 'put', key: once, value, leaseId: idempotencyLease });
  }
  return { compares, then, otherwise: [at(region), at(guard), ...(once === undefined ? [] : [at(once)])] };
}

function endedStill({ guard, status, statusKey }: EndedGuard): Compare[] {
  return [
    unchangedSince(guard.key, guard.modRevision),
    status === undefined ? absent(statusKey) : unchangedSince(statusKey, status.modRevision),
  ];
}

/** The same bytes for the same task, so that "is the guard ours" can be a compare of values. */
function guardValue({ id }: Pick<TaskMetadata, 'id'>): string {
  return codecs.guard.encode({ schema_version: 1, task_id: id });
}

/** Order of the reads of a refused write of an existing task. */
export const TASK_READS = { status: 0, leader: 1, guard: 2 } as const;

export interface CommitOptions {
  readonly task: TaskRecord;
  readonly change: TaskChange;
  readonly fence?: Fence | undefined;
  /** Also release the machine in this transaction; the hub may, a region has no right to write guards. */
  readonly releaseGuard: boolean;
}

export function commitTxn({ task, change, fence, releaseGuard }: CommitOptions): Txn {
  const { id, region_id, target_mac } = task.metadata;
  const event = timelineKey(id, change.timeline.seq);
  const guard = machineGuardKey(target_mac);
  const then: TxnWrite[] = [
    put(taskKey(id, 'status'), codecs.status.encode(change.status)),
    put(taskKey(id, 'run'), codecs.run.encode(change.run)),
    put(event, codecs.timeline.encode(change.timeline)),
  ];
  if (change.hardware) then.push(put(taskKey(id, 'hardware'), codecs.hardware.encode(change.hardware)));
  if (change.approval) then.push(put(taskKey(id, 'approval'), codecs.approval.encode(change.approval)));
  if (change.error) then.push(put(taskKey(id, 'error'), codecs.error.encode(change.error)));
  if (change.grant === null) then.push({ op: 'delete', key: taskKey(id, 'grant') });
  else if (change.grant !== undefined)
    then.push(put(taskKey(id, 'grant'), codecs.grant.encode(change.grant)));
  const compares = [...stillMine(task, fence), absent(event)];
  if (isTerminal(change.status)) {
    then.push({ op: 'delete', key: assignmentKey(region_id, id) });
    if (releaseGuard) {
      then.push({ op: 'delete', key: guard });
      compares.push({ key: guard, field: 'value', is: '=', value: guardValue(task.metadata) });
    }
  }
  // A region may not even read guards, so they are in its transactions neither way.
  return { compares, then, otherwise: [...taskReads(task), ...(releaseGuard ? [at(guard)] : [])] };
}

/** Overwrites one document beside the status: no transition, and only while the task stands where the writer saw it. */
export function documentTxn(task: TaskRecord, part: 'progress' | 'logs', value: string, fence: Fence): Txn {
  return {
    compares: stillMine(task, fence),
    then: [put(taskKey(task.metadata.id, part), value)],
    otherwise: taskReads(task),
  };
}

function stillMine(task: TaskRecord, fence: Fence | undefined): Compare[] {
  const version = unchangedSince(taskKey(task.metadata.id, 'status'), Number(task.version));
  return fence === undefined ? [version] : [version, holdsFence(fence)];
}

export function holdsFence(fence: Fence): Compare {
  const revision: Revision = Number(fence.token);
  return { key: regionKey(fence.regionId, 'leader'), field: 'create_revision', is: '=', revision };
}

function taskReads(task: TaskRecord): KeyRange[] {
  return [at(taskKey(task.metadata.id, 'status')), at(regionKey(task.metadata.region_id, 'leader'))];
}
