/** What a boot decision looks at of a task: the one reading of a record, for the region that answers and for the hub that explains. Pure. */
import { isGrantLive } from '../install/grant';
import type { TaskRecord } from '../task/task';
import type { BootTask } from './decide';

/** A grant is live at a time, and for as many attempts as the disk may be written. */
export function bootTaskOf(
  { metadata, status, run, approval, grant }: TaskRecord,
  { writeBudget, nowMs }: { readonly writeBudget: number; readonly nowMs: number },
): BootTask {
  const exitMethod = metadata.boot?.exit_method;
  const base = {
    ...{ id: metadata.id, status, attempt: run.attempt },
    ...(exitMethod === undefined ? {} : { exitMethod }),
  };
  if (grant === undefined || approval?.grant_expires_at === undefined) return base;
  const expiresAtMs = Date.parse(approval.grant_expires_at);
  const live = isGrantLive({ expiresAtMs, attempt: run.attempt, writeBudget }, nowMs);
  return { ...base, grant: { live } };
}
