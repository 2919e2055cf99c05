/**
 * TaskStore (the port in core) over any Kv: sends the transactions of task-writes.ts and says what their answers mean.
 * One transition is one transaction; a failed compare is explained from what the same transaction read.
 * `unknown` is passed on as it is: only the caller can read and decide, and the same guarded write may be sent again.
 * Loops are bounded: a creation that keeps meeting a changing guard ends as `conflict`.
 */
import { createHash } from 'node:crypto';
import { isTerminal, LpmosError, regionTag, tagOfTask, transition, withChange } from '@lpmos/core';
import type {
  Clock,
  Fence,
  NewTask,
  TaskChange,
  TaskId,
  TaskProgress,
  TaskRecord,
  TaskStore,
  WriteOutcome,
} from '@lpmos/core';
import { createIdempotencyLease } from './idempotency-lease';
import { taskKey, taskRange } from './keys';
import { readRange } from './kv';
import type { Kv, KvEntry, TxnOutcome } from './kv';
import { codecs } from './records';
import { tailOf } from './log-tail';
import { taskOfEntries } from './task-assembly';
import { CREATE_READS, commitTxn, createTxn, documentTxn, TASK_READS } from './task-writes';
import type { EndedGuard } from './task-writes';

export interface TaskStoreOptions {
  readonly kv: Kv;
  readonly clock: Clock;
}

/** A guard can change between look and write once or twice; more often is not a race but a fault. */
const CREATE_ATTEMPTS = 5;

export function createTaskStore({ kv, clock }: TaskStoreOptions): TaskStore {
  const lease = createIdempotencyLease({ kv, clock });
  return {
    create: async (task) => {
      const foreign = foreignTag(task);
      if (foreign !== undefined) return refused(foreign);
      try {
        return await create(kv, lease, task);
      } catch (error) {
        // Codecs, reads and lease grants throw, each before or after a transaction that certainly wrote nothing.
        return refused(LpmosError.from(error));
      }
    },
    commit: (task, change, fence) => {
      const offTable = notAnEdge(task, change);
      if (offTable !== undefined) return Promise.resolve(refused(offTable));
      return guarded(task, fence, () => commit(kv, task, change, fence));
    },
    putProgress: (task, progress: TaskProgress, fence) =>
      guarded(task, fence, async () => {
        const txn = documentTxn(task, 'progress', codecs.progress.encode(progress), fence);
        return writtenDocument(task, fence, await kv.txn(txn));
      }),
    putLogs: (task, logs, fence) =>
      guarded(task, fence, async () => {
        const txn = documentTxn(task, 'logs', tailOf(logs), fence);
        return writtenDocument(task, fence, await kv.txn(txn));
      }),
    read: async (id) => (await readTask(kv, id))?.task,
  };
}

/** A task whose id lies outside its region's key range would never be seen by that region. */
function foreignTag({ metadata: { id, region_id } }: NewTask): LpmosError | undefined {
  const tag = regionTag(region_id, (bytes) => createHash('sha256').update(bytes).digest());
  if (tagOfTask(id) === tag) return undefined;
  const message = `Task id ${id} does not begin with ${tag}, the tag of region ${region_id}`;
  return new LpmosError({ code: 'internal', message });
}

/** The last check before the disk: whatever a caller computed, only edges of the table are written. */
function notAnEdge({ metadata: { id }, status }: TaskRecord, change: TaskChange): LpmosError | undefined {
  const { event } = change.timeline;
  const outcome = event === 'task_created' ? undefined : transition(status, event);
  if (outcome?.kind === 'move' && outcome.to === change.status) return undefined;
  const message = `Task ${id} is ${status}; "${event}" does not lead from there to ${change.status}`;
  return new LpmosError({ code: 'not_allowed_in_state', message, details: { task_id: id, status } });
}

function refused(error: LpmosError): WriteOutcome<never> {
  return { kind: 'refused', error };
}

interface ReadTask {
  readonly task: TaskRecord;
  /** Highest mod_revision among its keys: a cache that applied it shows this task. */
  readonly revision: string;
}

async function readTask(kv: Kv, id: TaskId): Promise<ReadTask | undefined> {
  const { entries } = await readRange(kv, taskRange(id));
  const task = taskOfEntries(entries);
  if (task === undefined) return undefined;
  return { task, revision: String(Math.max(...entries.map((entry) => entry.modRevision))) };
}

async function create(
  kv: Kv,
  lease: ReturnType<typeof createIdempotencyLease>,
  task: NewTask,
): Promise<WriteOutcome<TaskRecord>> {
  let replaces: EndedGuard | undefined;
  for (let attempt = 0; attempt < CREATE_ATTEMPTS; attempt++) {
    const idempotencyLease = task.idempotency === undefined ? undefined : await lease.current();
    const txn = createTxn({ task, idempotencyLease, ...(replaces === undefined ? {} : { replaces }) });
    const outcome = await kv.txn(txn);
    if (outcome.kind === 'unknown') return outcome;
    if (outcome.kind === 'refused') {
      if (!outcome.leaseGone || idempotencyLease === undefined) return refused(outcome.error);
      lease.forget(idempotencyLease);
      continue;
    }
    if (outcome.succeeded) return created(task, outcome.revision);
    const next = await whyNotCreated(kv, task, outcome.reads);
    if (next.kind !== 'again') return next;
    replaces = next.replaces;
  }
  return refused(
    new LpmosError({
      code: 'conflict',
      message: `Other requests for machine ${task.metadata.target_mac} keep getting in first; look at its tasks and try again`,
    }),
  );
}

function created({ metadata, run, created: event }: NewTask, revision: number): WriteOutcome<TaskRecord> {
  const version = String(revision);
  const value: TaskRecord = { metadata, status: 'pending', version, run, timeline: [event] };
  return { kind: 'done', revision: version, value };
}

type NextCreate =
  WriteOutcome<TaskRecord> | { readonly kind: 'again'; readonly replaces: EndedGuard | undefined };

/** A repeated request is answered with its first task before anything else is found fault with. */
async function whyNotCreated(
  kv: Kv,
  task: NewTask,
  reads: readonly (readonly KvEntry[])[],
): Promise<NextCreate> {
  const { metadata } = task;
  const once = reads[CREATE_READS.idempotency]?.[0];
  if (once !== undefined) return repeated(kv, task, once);
  if (reads[CREATE_READS.region]?.[0] === undefined) {
    const message = `Region ${metadata.region_id} is not registered; register it or name another`;
    return refused(
      new LpmosError({ code: 'not_found', message, details: { region_id: metadata.region_id } }),
    );
  }
  const guard = reads[CREATE_READS.guard]?.[0];
  if (guard === undefined) return { kind: 'again', replaces: undefined };
  const owner = codecs.guard.decode(guard.key, guard.value).task_id;
  if (owner === metadata.id) {
    const mine = await readTask(kv, owner);
    if (mine !== undefined) return { kind: 'done', revision: mine.revision, value: mine.task };
  }
  const statusKey = taskKey(owner, 'status');
  const [status] = (await kv.range({ range: { start: statusKey }, limit: 1 })).entries;
  if (status === undefined || isTerminal(codecs.status.decode(statusKey, status.value))) {
    return { kind: 'again', replaces: { guard, status, statusKey } };
  }
  return refused(
    new LpmosError({
      code: 'already_exists',
      message: `Machine ${metadata.target_mac} has the active task ${owner} (${status.value}); cancel it first or wait for its end`,
      details: { task_id: owner, status: status.value },
    }),
  );
}

async function repeated(kv: Kv, task: NewTask, once: KvEntry): Promise<NextCreate> {
  const first = codecs.idempotency.decode(once.key, once.value);
  if (first.request_digest !== task.idempotency?.requestDigest) {
    const message =
      'This Idempotency-Key was used before with another request; use a new key for a new request';
    return refused(
      new LpmosError({ code: 'idempotency_mismatch', message, details: { task_id: first.task_id } }),
    );
  }
  const found = await readTask(kv, first.task_id);
  if (found !== undefined) return { kind: 'done', revision: found.revision, value: found.task };
  const message = `The task ${first.task_id} of this Idempotency-Key is no longer stored; use a new key`;
  return refused(new LpmosError({ code: 'not_found', message, details: { task_id: first.task_id } }));
}

async function commit(
  kv: Kv,
  task: TaskRecord,
  change: TaskChange,
  fence: Fence | undefined,
): Promise<WriteOutcome<TaskRecord>> {
  let releaseGuard = fence === undefined && isTerminal(change.status) && !isTerminal(task.status);
  for (;;) {
    const outcome = await kv.txn(commitTxn({ task, change, fence, releaseGuard }));
    if (outcome.kind === 'unknown') return outcome;
    if (outcome.kind === 'refused') return refused(outcome.error);
    if (outcome.succeeded) {
      const version = String(outcome.revision);
      return { kind: 'done', revision: version, value: withChange(task, change, version) };
    }
    const guard = outcome.reads[TASK_READS.guard]?.[0];
    const guardIsOurs =
      guard !== undefined && codecs.guard.decode(guard.key, guard.value).task_id === task.metadata.id;
    if (!releaseGuard || guardIsOurs) return refused(whyRefused(task, fence, outcome.reads));
    // Somebody removed our guard by hand, and perhaps the machine has another task by now: end ours, leave theirs.
    releaseGuard = false;
  }
}

function writtenDocument(task: TaskRecord, fence: Fence, outcome: TxnOutcome): WriteOutcome<undefined> {
  if (outcome.kind === 'unknown') return outcome;
  if (outcome.kind === 'refused') return refused(outcome.error);
  if (!outcome.succeeded) return refused(whyRefused(task, fence, outcome.reads));
  return { kind: 'done', revision: String(outcome.revision), value: undefined };
}

function whyRefused(
  task: TaskRecord,
  fence: Fence | undefined,
  reads: readonly (readonly KvEntry[])[],
): LpmosError {
  const { id } = task.metadata;
  const status = reads[TASK_READS.status]?.[0];
  const leader = reads[TASK_READS.leader]?.[0];
  const details = { task_id: id, ...(status === undefined ? {} : { status: status.value }) };
  if (fence !== undefined && String(leader?.createRevision ?? 0) !== fence.token) {
    const message = `This daemon no longer leads region ${fence.regionId}${leader === undefined ? '' : ` (${leader.value} does)`}; nothing was written`;
    return new LpmosError({ code: 'conflict', message, details: { ...details, fenced: true } });
  }
  if (status === undefined)
    return new LpmosError({ code: 'not_found', message: `There is no task ${id}`, details });
  const message = `Task ${id} changed meanwhile (now ${status.value}); read it again and decide`;
  return new LpmosError({ code: 'conflict', message, details });
}

/** A fence of another region protects nothing here: that is a fault of the caller, refused before anything is sent. */
async function guarded<T>(
  task: TaskRecord,
  fence: Fence | undefined,
  write: () => Promise<WriteOutcome<T>>,
): Promise<WriteOutcome<T>> {
  if (fence !== undefined && fence.regionId !== task.metadata.region_id) {
    const message = `A daemon of region ${fence.regionId} may not write task ${task.metadata.id} of region ${task.metadata.region_id}`;
    return refused(new LpmosError({ code: 'forbidden', message }));
  }
  try {
    return await write();
  } catch (error) {
    // Codecs throw before anything is sent; a Kv's transaction tells its outcome and never throws.
    return refused(LpmosError.from(error));
  }
}
