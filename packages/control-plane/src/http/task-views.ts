/**
 * From the core's records to the bodies of the contract, field by field: what is not named here is never shown.
 * The grant is a capability and appears nowhere.
 */
import { LpmosError } from '@lpmos/core';
import type { OfferedBoot, OfferedLink, RegionView, TaskRecord, TaskRun, TimelineEvent } from '@lpmos/core';
import type { ResponseBody } from '@lpmos/api';

const API = '/api/v1';

export function taskPath(id: string): string {
  return `${API}/tasks/${id}`;
}

/** The first answer, whenever it is given: what a repeated request gets is the same, whatever became of the task. */
export function createdTaskView({ metadata }: TaskRecord): ResponseBody<'createTask'> {
  const self = taskPath(metadata.id);
  return {
    task_id: metadata.id,
    status: 'pending',
    created_at: metadata.created_at,
    links: { self, approve: `${self}/approve` },
  };
}

export function taskView(task: TaskRecord): ResponseBody<'getTask'> {
  const { schema_version: _m, ...metadata } = task.metadata;
  return {
    task_id: task.metadata.id,
    status: task.status,
    metadata: {
      ...metadata,
      tags: { ...metadata.tags },
      ssh_authorized_keys: [...metadata.ssh_authorized_keys],
    },
    ...(task.hardware === undefined
      ? {}
      : { hardware: hardwareView(task.hardware), hardware_digest: task.hardware.digest }),
    ...(task.approval === undefined ? {} : { approval: withoutVersion(task.approval) }),
    timeline: task.timeline.map(timelineEventView),
    run: runView(task.run),
    ...(task.progress === undefined ? {} : { progress: task.progress }),
    ...(task.error === undefined ? {} : { error: withoutVersion(task.error) }),
    version: task.version,
  };
}

function runView(run: TaskRun): ResponseBody<'getTask'>['run'] {
  return {
    attempt: run.attempt,
    state_since: run.state_since,
    ...(run.deadline === undefined ? {} : { deadline: run.deadline }),
    ...(run.waiting_for === undefined ? {} : { waiting_for: run.waiting_for }),
    ...(run.cancellation === undefined ? {} : { cancellation: run.cancellation }),
  };
}

type HardwareBody = NonNullable<ResponseBody<'getTask'>['hardware']>;

/** Frozen by type in core, plain in the contract; the same document. */
function hardwareView({ report }: NonNullable<TaskRecord['hardware']>): HardwareBody {
  return report as unknown as HardwareBody;
}

function withoutVersion<T extends { readonly schema_version: 1 }>(document: T): Omit<T, 'schema_version'> {
  const { schema_version: _version, ...rest } = document;
  return rest;
}

export function timelineEventView(event: TimelineEvent): ResponseBody<'getTaskTimeline'>['timeline'][number] {
  return {
    timestamp: event.timestamp,
    event: event.event,
    seq: event.seq,
    ...(event.from === undefined ? {} : { from: event.from }),
    to: event.to,
    actor: event.actor,
    ...(event.request_id === undefined ? {} : { request_id: event.request_id }),
    ...(event.detail === undefined ? {} : { detail: event.detail }),
  };
}

type ListedTask = ResponseBody<'listTasks'>['tasks'][number];

/** `basic` is the contract's four fields; `full` is what a table on a screen wants. */
export function listedTaskView(task: TaskRecord, view: 'basic' | 'full'): ListedTask {
  const { metadata, status, run } = task;
  const basic = {
    task_id: metadata.id,
    status,
    region_id: metadata.region_id,
    created_at: metadata.created_at,
  };
  if (view === 'basic') return basic;
  return {
    ...basic,
    target_mac: metadata.target_mac,
    os_type: metadata.os_type,
    os_version: metadata.os_version,
    tags: { ...metadata.tags },
    state_since: run.state_since,
    version: task.version,
    ...(metadata.hostname === undefined ? {} : { hostname: metadata.hostname }),
    ...(run.deadline === undefined ? {} : { deadline: run.deadline }),
    ...(run.waiting_for === undefined ? {} : { waiting_for: run.waiting_for }),
    ...(task.progress === undefined ? {} : { progress: task.progress }),
  };
}

/** Exactly the contract's fields, and under `details` what the approval is bound to. */
export function approvedTaskView(task: TaskRecord): ResponseBody<'approveTask'> {
  const { approval } = task;
  if (approval?.status !== 'approved') throw broken(task, 'approval');
  const { approved_by, approved_at, disk, image_digest, hardware_digest, grant_expires_at } = approval;
  if (disk === undefined || image_digest === undefined || hardware_digest === undefined)
    throw broken(task, 'approval');
  if (approved_by === undefined || approved_at === undefined || grant_expires_at === undefined) {
    throw broken(task, 'approval');
  }
  return {
    task_id: task.metadata.id,
    approval: { status: 'approved', approved_by, approved_at },
    next_status: 'installing',
    details: { disk, image_digest, hardware_digest, grant_expires_at, version: task.version },
  };
}

export function rejectedTaskView(task: TaskRecord): ResponseBody<'rejectTask'> {
  const { status, rejected_by, rejected_at, reason } = task.approval ?? {};
  if (
    status !== 'rejected' ||
    rejected_by === undefined ||
    rejected_at === undefined ||
    reason === undefined
  ) {
    throw broken(task, 'approval');
  }
  return { task_id: task.metadata.id, approval: { status, rejected_by, rejected_at, reason } };
}

type RegionBody = ResponseBody<'getRegion'>;
type ListedRegion = ResponseBody<'listRegions'>['regions'][number];

/** The short form, which stays small however many links a region has. */
export function listedRegionBody({
  metadata,
  online,
  last_heartbeat,
  capabilities,
}: RegionView): ListedRegion {
  return {
    region_id: metadata.id,
    display_name: metadata.display_name,
    tag: metadata.tag,
    created_at: metadata.created_at,
    created_by: metadata.created_by,
    online,
    ...(last_heartbeat === undefined ? {} : { last_heartbeat }),
    images: (capabilities?.images ?? []).map((image) => ({ ...image })),
    services: [...(capabilities?.services ?? [])],
    ...(capabilities === undefined ? {} : { daemon_version: capabilities.daemon_version }),
  };
}

export function regionBody(region: RegionView): RegionBody {
  const { links, boot } = region.capabilities ?? {};
  return {
    ...listedRegionBody(region),
    ...(links === undefined ? {} : { links: links.map(linkBody) }),
    ...(boot === undefined ? {} : { boot: bootBody(boot) }),
  };
}

function linkBody({ ntp_servers, ...link }: OfferedLink): NonNullable<RegionBody['links']>[number] {
  return {
    ...link,
    dns_servers: [...link.dns_servers],
    ...(ntp_servers === undefined ? {} : { ntp_servers: [...ntp_servers] }),
    boot: bootBody(link.boot),
  };
}

function bootBody({ grub, ...boot }: OfferedBoot): NonNullable<RegionBody['boot']> {
  return {
    ...boot,
    initrd_urls: [...boot.initrd_urls],
    ...(grub === undefined ? {} : { grub: { kernel: grub.kernel, initrds: [...grub.initrds] } }),
  };
}

function broken(task: TaskRecord, document: string): LpmosError {
  return new LpmosError({
    code: 'corrupt',
    message: `The ${document} of task ${task.metadata.id} is not what its status ${task.status} needs`,
    details: { task_id: task.metadata.id },
  });
}
