/**
 * Cancels: at once before anything is written, by request while the agent writes. Cancelled already is success.
 * A move of the region that got in first (a boot, a report) does not matter to who cancels, so the decision is taken again;
 * a decision of a person (approved, rejected) does, and is answered with `conflict` naming it.
 */
import { LpmosError } from '@lpmos/core';
import type { TaskId, TaskRecord } from '@lpmos/core';
import { commitEvent } from './settle-write';
import { readVisibleTask, requireVersion } from './use-case';
import type { Caller, UseCaseDeps, Written } from './use-case';

/** The region moves a task a handful of times in its whole life. */
const TRIES = 4;
const DECISIONS: readonly string[] = ['approved', 'rejected', 'cancelled'];

export interface Cancellation {
  readonly id: TaskId;
  readonly ifMatch?: string | undefined;
}

export async function cancelTask(
  deps: UseCaseDeps,
  caller: Caller,
  { id, ifMatch }: Cancellation,
): Promise<Written<TaskRecord>> {
  let task = await readVisibleTask(deps, caller, id);
  for (let attempt = 1; ; attempt += 1) {
    if (task.status !== 'cancelled') requireVersion(task, ifMatch);
    try {
      return await cancelNow(deps, caller, task);
    } catch (thrown) {
      if (!(thrown instanceof LpmosError) || thrown.code !== 'conflict' || attempt >= TRIES) throw thrown;
      const now = await readVisibleTask(deps, caller, id);
      refuseIfDecided(task, now);
      task = now;
    }
  }
}

function cancelNow(deps: UseCaseDeps, caller: Caller, task: TaskRecord): Promise<Written<TaskRecord>> {
  const name = task.status === 'installing' ? 'cancel_requested' : 'cancelled';
  return commitEvent(deps, caller, task, { name, by: caller.principal.subject });
}

function refuseIfDecided(before: TaskRecord, now: TaskRecord): void {
  const decision = now.timeline.slice(before.timeline.length).find(({ event }) => DECISIONS.includes(event));
  if (decision === undefined || decision.event === 'cancelled') return;
  throw new LpmosError({
    code: 'conflict',
    message: `Task ${now.metadata.id} was ${decision.event} by ${decision.actor} first and is now ${now.status}; cancel again if that is still wanted`,
    details: { task_id: now.metadata.id, status: now.status, decision: decision.event, by: decision.actor },
  });
}
