/** What the use cases work with. They know no HTTP: a caller, an input, an outcome or an LpmosError. */
import type { Clock, Sha256, TaskCache, TaskId, TaskRecord, TaskStore } from '@lpmos/core';
import { LpmosError } from '@lpmos/core';
import { seesRegion } from '../auth/principal';
import type { Principal } from '../auth/principal';
import type { Freshness } from '../freshness';
import type { SignGrant } from '../grants/sign-grant';
import type { BootHistories, RegionDirectory } from '../ports';

export interface UseCaseDeps {
  readonly tasks: TaskStore;
  readonly cache: TaskCache;
  readonly regions: RegionDirectory;
  readonly boots: BootHistories;
  readonly freshness: Freshness;
  readonly signGrant: SignGrant;
  readonly grantSeconds: number;
  readonly clock: Clock;
  readonly sha256: Sha256;
  readonly randomBytes: (count: number) => Uint8Array;
}

/** Who asks, under which request id. */
export interface Caller {
  readonly principal: Principal;
  readonly requestId: string;
}

/** A result together with the store revision from which it is visible. */
export interface Written<T> {
  readonly value: T;
  /** Absent when nothing had to be written. */
  readonly revision?: string;
}

/** The task as the store has it now, or `not_found`, also for a task of a region that the caller may not see. */
export async function readVisibleTask(deps: UseCaseDeps, caller: Caller, id: TaskId): Promise<TaskRecord> {
  const task = await deps.tasks.read(id);
  if (task !== undefined && seesRegion(caller.principal, task.metadata.region_id)) return task;
  throw new LpmosError({
    code: 'not_found',
    message: `There is no task ${id}`,
    details: { task_id: id },
  });
}

/**
 * If-Match against the version that a decision would change (RFC 9110 section 13.1.1). Weak tags never match.
 * @throws LpmosError `stale`.
 */
export function requireVersion(task: TaskRecord, ifMatch: string | undefined): void {
  if (ifMatch === undefined || ifMatch === '*') return;
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  if (tags.includes(`"${task.version}"`)) return;
  throw new LpmosError({
    code: 'stale',
    message: `Task ${task.metadata.id} is now at version "${task.version}" (${task.status}): look at it again, then decide`,
    details: { task_id: task.metadata.id, status: task.status, version: task.version },
  });
}
