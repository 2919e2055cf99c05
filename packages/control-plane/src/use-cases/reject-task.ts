/** Rejects a task that waits for a decision. The same rejection again answers with the first. */
import type { TaskId, TaskRecord } from '@lpmos/core';
import { commitEvent } from './settle-write';
import { readVisibleTask, requireVersion } from './use-case';
import type { Caller, UseCaseDeps, Written } from './use-case';

export interface Rejection {
  readonly id: TaskId;
  readonly reason: string;
  readonly ifMatch?: string | undefined;
}

export async function rejectTask(
  deps: UseCaseDeps,
  caller: Caller,
  rejection: Rejection,
): Promise<Written<TaskRecord>> {
  const task = await readVisibleTask(deps, caller, rejection.id);
  const { subject } = caller.principal;
  const repeated = task.approval?.rejected_by === subject && task.approval.reason === rejection.reason;
  // RFC 9110 section 13.1.1: a change that this very request has made already is not stale.
  if (!(task.status === 'rejected' && repeated)) requireVersion(task, rejection.ifMatch);
  return commitEvent(deps, caller, task, { name: 'rejected', by: subject, reason: rejection.reason });
}
