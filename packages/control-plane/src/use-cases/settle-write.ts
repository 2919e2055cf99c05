/**
 * A write with three outcomes, brought to two: it is known to have landed, or known not to have. After `unknown` the task is
 * read: our own event in its timeline means done, another version means never, the same version means that the same guarded write
 * may be sent again, because at most one of the two can land. What stays unknown is said so, with the id to look at.
 */
import { applyEvent, LpmosError } from '@lpmos/core';
import type { NewTask, TaskChange, TaskEvent, TaskRecord, TimelineEvent, WriteOutcome } from '@lpmos/core';
import type { Caller, UseCaseDeps, Written } from './use-case';

/** Three tries with the store's own deadlines stay below the 15 s that clients wait. */
const TRIES = 3;
const BUDGET_MS = 8_000;

export async function commitEvent(
  deps: UseCaseDeps,
  caller: Caller,
  task: TaskRecord,
  event: TaskEvent,
): Promise<Written<TaskRecord>> {
  const stamp = { nowMs: deps.clock.nowMs(), actor: caller.principal.subject, requestId: caller.requestId };
  const applied = applyEvent(task, event, stamp);
  if (applied.kind === 'refused') throw applied.error;
  if (applied.kind === 'noop') return { value: task };
  return commitChange(deps, task, applied.change);
}

function commitChange(deps: UseCaseDeps, task: TaskRecord, change: TaskChange): Promise<Written<TaskRecord>> {
  const { id } = task.metadata;
  return settle(deps, {
    id,
    write: () => deps.tasks.commit(task, change),
    judge(now) {
      if (now === undefined) return 'never';
      if (sameEvent(now.timeline[change.timeline.seq], change.timeline)) return 'landed';
      return now.version === task.version ? 'open' : 'never';
    },
  });
}

export function createTask(deps: UseCaseDeps, task: NewTask): Promise<Written<TaskRecord>> {
  return settle(deps, {
    id: task.metadata.id,
    write: () => deps.tasks.create(task),
    judge: (now) => (now === undefined ? 'open' : 'landed'),
  });
}

interface Write {
  readonly id: TaskRecord['metadata']['id'];
  readonly write: () => Promise<WriteOutcome<TaskRecord>>;
  /** What the task as it reads now says of the write. */
  readonly judge: (now: TaskRecord | undefined) => 'landed' | 'never' | 'open';
}

async function settle(deps: UseCaseDeps, { id, write, judge }: Write): Promise<Written<TaskRecord>> {
  const startMs = deps.clock.monotonicMs();
  let cause: unknown;
  let doubt = false;
  for (let attempt = 0; attempt < TRIES; attempt += 1) {
    const outcome = await write();
    if (outcome.kind === 'done') return done(deps, outcome.value, outcome.revision);
    if (outcome.kind === 'refused' && !doubt) throw outcome.error;
    // A refusal after a doubt may be our own first try in the way.
    if (outcome.kind === 'unknown') cause = outcome.cause;
    doubt = true;
    const now = await readQuietly(deps, id);
    if (now.kind === 'read') {
      const verdict = judge(now.task);
      if (verdict === 'landed' && now.task !== undefined) return done(deps, now.task, now.task.version);
      if (outcome.kind === 'refused') throw outcome.error;
      if (verdict === 'never') throw overtaken(id, now.task);
    }
    if (deps.clock.monotonicMs() - startMs > BUDGET_MS) break;
  }
  throw new LpmosError({
    code: 'outcome_unknown',
    message: `It is not known whether the write of task ${id} landed; read the task before trying again`,
    details: { task_id: id },
    cause,
  });
}

async function done(deps: UseCaseDeps, value: TaskRecord, revision: string): Promise<Written<TaskRecord>> {
  await deps.freshness.afterWrite(revision);
  return { value, revision };
}

async function readQuietly(
  deps: UseCaseDeps,
  id: Write['id'],
): Promise<{ readonly kind: 'read'; readonly task: TaskRecord | undefined } | { readonly kind: 'failed' }> {
  try {
    return { kind: 'read', task: await deps.tasks.read(id) };
  } catch {
    return { kind: 'failed' };
  }
}

function sameEvent(stored: TimelineEvent | undefined, ours: TimelineEvent): boolean {
  return (
    stored !== undefined &&
    stored.event === ours.event &&
    stored.timestamp === ours.timestamp &&
    stored.actor === ours.actor &&
    stored.request_id === ours.request_id
  );
}

function overtaken(id: Write['id'], now: TaskRecord | undefined): LpmosError {
  return new LpmosError({
    code: 'conflict',
    message: `Task ${id} changed meanwhile (now ${now?.status ?? 'gone'}); read it again and decide`,
    details: { task_id: id, ...(now === undefined ? {} : { status: now.status }) },
  });
}
