/**
 * Approves what was seen: this hardware, this one disk, this image. Yields the grant, in the same transaction.
 * The task is guarded by the version that was read here, so whatever changed since (a new report, a cancellation) wins and the
 * approval is refused. Who approves the same again (a retry after a lost answer) gets the first answer.
 */
import {
  DEFAULT_WRITE_BUDGET,
  findImage,
  GRANT_AUDIENCE,
  GRANT_ISSUER,
  identityOf,
  isoTime,
  isSameDisk,
  LpmosError,
  parseDiskSelector,
  resolveDisk,
  statesThatAllow,
  statusRow,
  transition,
} from '@lpmos/core';
import type {
  ApprovalFacts,
  DiskIdentity,
  OfferedImage,
  StoredHardware,
  TaskId,
  TaskRecord,
} from '@lpmos/core';
import { commitEvent } from './settle-write';
import { readVisibleTask, requireVersion } from './use-case';
import type { Caller, UseCaseDeps, Written } from './use-case';

export interface ApprovalRequest {
  readonly id: TaskId;
  readonly notes?: string | undefined;
  /** Overrides the order's disk_layout. */
  readonly targetDisk?: string | undefined;
  readonly ifMatch?: string | undefined;
}

export async function approveTask(
  deps: UseCaseDeps,
  caller: Caller,
  request: ApprovalRequest,
): Promise<Written<TaskRecord>> {
  const task = await readVisibleTask(deps, caller, request.id);
  if (isRepeated(task, caller, request)) return { value: task };
  requireVersion(task, request.ifMatch);
  const hardware = requireDecidable(task);
  const image = await requireImage(deps, task);
  const disk = requireDisk(task, hardware, {
    image,
    selector: request.targetDisk ?? task.metadata.disk_layout,
  });
  const nowSeconds = Math.floor(deps.clock.nowMs() / 1000);
  const exp = nowSeconds + deps.grantSeconds;
  const grant = deps.signGrant({
    iss: GRANT_ISSUER,
    aud: GRANT_AUDIENCE,
    sub: task.metadata.id,
    hardware_digest: hardware.digest,
    disk,
    image_digest: image.digest,
    write_budget: DEFAULT_WRITE_BUDGET,
    iat: nowSeconds,
    exp,
  });
  const approval: ApprovalFacts = {
    approved_by: caller.principal.subject,
    hardware_digest: hardware.digest,
    disk,
    image_digest: image.digest,
    grant_expires_at: isoTime(exp * 1000),
    ...(request.notes === undefined ? {} : { notes: request.notes }),
  };
  return commitEvent(deps, caller, task, { name: 'approved', approval, grant });
}

/** The approval that stands is this caller's, says the same and covers the disk asked for. */
function isRepeated(task: TaskRecord, caller: Caller, request: ApprovalRequest): boolean {
  const { approval, status, hardware } = task;
  if (status !== 'approved' && status !== 'installing') return false;
  if (approval?.approved_by !== caller.principal.subject || approval.notes !== request.notes) return false;
  if (request.targetDisk === undefined) return true;
  const selector = parseDiskSelector(request.targetDisk);
  if ('problem' in selector || hardware === undefined || approval.disk === undefined) return false;
  const resolved = resolveDisk(selector, hardware.report.disks, 0);
  return 'disk' in resolved && isSameDisk(approval.disk, resolved.disk);
}

function requireDecidable(task: TaskRecord): StoredHardware {
  const { status, hardware } = task;
  if (transition(status, 'approved').kind === 'move' && hardware !== undefined) return hardware;
  throw notNow(
    task,
    `it is ${status} (${statusRow(status).sentence}); approving is possible in: ${statesThatAllow('approved').join(', ')}`,
  );
}

async function requireImage(deps: UseCaseDeps, task: TaskRecord): Promise<OfferedImage> {
  const { region_id, os_type, os_version } = task.metadata;
  const region = await deps.regions.readRegion(region_id);
  const offered = region?.capabilities?.images ?? [];
  const image = findImage(offered, { os_type, os_version });
  if (image !== undefined) return image;
  const names = offered.map((each) => `${each.os_type} ${each.os_version}`).join(', ') || 'no image';
  throw notNow(
    task,
    `region ${region_id} offers no image of ${os_type} ${os_version} (it offers ${names}); add it there`,
  );
}

function requireDisk(
  task: TaskRecord,
  hardware: StoredHardware,
  wanted: { readonly image: OfferedImage; readonly selector: string },
): DiskIdentity {
  const { disks } = hardware.report;
  const selector = parseDiskSelector(wanted.selector);
  if ('problem' in selector) throw notNow(task, `its disk_layout ${selector.problem}; name a target_disk`);
  const resolved = resolveDisk(selector, disks, wanted.image.raw_size_bytes);
  if ('problem' in resolved) throw notNow(task, `for "${wanted.selector}" ${resolved.problem}`);
  const identity = identityOf(resolved.disk);
  if (disks.filter((disk) => isSameDisk(identity, disk)).length === 1) return identity;
  throw notNow(
    task,
    `two disks report serial ${identity.serial || '(none)'}; the agent could not tell them apart`,
  );
}

function notNow(task: TaskRecord, why: string): LpmosError {
  return new LpmosError({
    code: 'not_allowed_in_state',
    message: `Task ${task.metadata.id} cannot be approved now: ${why}`,
    details: { task_id: task.metadata.id, status: task.status },
  });
}
