/** Orders the installation of one machine: one transaction or nothing, once per Idempotency-Key. */
import {
  canonicalJson,
  createTaskId,
  firstRun,
  hex,
  invalidField,
  isoTime,
  LpmosError,
  regionTag,
} from '@lpmos/core';
import type { MachineBoot, NewTask, TaskId, TaskMetadata, TaskRecord } from '@lpmos/core';
import type { RouteInput } from '@lpmos/api';
import { requireRegion } from '../auth/principal';
import { createTask } from './settle-write';
import type { Caller, UseCaseDeps, Written } from './use-case';

export type TaskOrder = RouteInput<'createTask'>['body'];

/** Until there are projects, all tasks are of this one (the record carries it from the start). */
const DEFAULT_PROJECT = 'default';

export async function orderTask(
  deps: UseCaseDeps,
  caller: Caller,
  request: { readonly order: TaskOrder; readonly idempotencyKey?: string | undefined },
): Promise<Written<TaskRecord>> {
  requireRegion(caller.principal, request.order.region_id);
  const id = createTaskId(regionTag(request.order.region_id, deps.sha256), deps.randomBytes(12));
  const task = newTask(deps, caller, { ...request, id });
  try {
    return await createTask(deps, task);
  } catch (thrown) {
    throw explain(thrown, request.order);
  }
}

function newTask(
  deps: UseCaseDeps,
  caller: Caller,
  request: { readonly order: TaskOrder; readonly idempotencyKey?: string | undefined; readonly id: TaskId },
): NewTask {
  const { order, id, idempotencyKey } = request;
  const { subject } = caller.principal;
  const nowMs = deps.clock.nowMs();
  const metadata: TaskMetadata = {
    schema_version: 1,
    id,
    region_id: order.region_id,
    target_mac: order.target_mac,
    os_type: order.os_type,
    os_version: order.os_version,
    disk_layout: order.disk_layout,
    network_config: order.network_config,
    created_at: isoTime(nowMs),
    created_by: subject,
    tags: order.tags,
    project: DEFAULT_PROJECT,
    ssh_authorized_keys: order.ssh_authorized_keys,
    ...(order.hostname === undefined ? {} : { hostname: order.hostname }),
    ...(order.boot === undefined ? {} : { boot: machineBoot(order.boot) }),
  };
  return {
    metadata,
    run: firstRun(nowMs),
    created: {
      seq: 0,
      timestamp: metadata.created_at,
      event: 'task_created',
      to: 'pending',
      actor: subject,
      request_id: caller.requestId,
    },
    ...(idempotencyKey === undefined
      ? {}
      : { idempotency: { scope: subject, key: idempotencyKey, requestDigest: digestOf(deps, order) } }),
  };
}

function machineBoot(boot: NonNullable<TaskOrder['boot']>): MachineBoot {
  return {
    ...(boot.exit_method === undefined ? {} : { exit_method: boot.exit_method }),
    ...(boot.order === undefined ? {} : { order: boot.order }),
  };
}

/** Over the normalised order: another notation of the same MAC address is the same request. */
function digestOf(deps: UseCaseDeps, order: TaskOrder): string {
  return `sha256:${hex(deps.sha256(new TextEncoder().encode(canonicalJson(order))))}`;
}

/** To the store a missing region is `not_found`; to the caller a field of the body is wrong. */
function explain(thrown: unknown, order: TaskOrder): unknown {
  if (
    !(thrown instanceof LpmosError) ||
    thrown.code !== 'not_found' ||
    thrown.details['region_id'] === undefined
  ) {
    return thrown;
  }
  const problem = `names a region that is not registered (${order.region_id}); register it first or correct the name`;
  return invalidField('region_id', problem);
}
