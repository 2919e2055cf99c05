/**
 * Why a task stands where it stands, from the same tables and the same `decide` that move it: nothing here is a second opinion.
 * `explain` is pure; explainTask gathers what it looks at.
 */
import {
  allowedEvents,
  decide,
  DEFAULT_WRITE_BUDGET,
  eventRow,
  isGrantLive,
  isTerminal,
  statusRow,
} from '@lpmos/core';
import type { BootTask, RegionView, TaskEventName, TaskId, TaskRecord } from '@lpmos/core';
import type { ResponseBody } from '@lpmos/api';
import { readVisibleTask } from './use-case';
import type { Caller, UseCaseDeps } from './use-case';

export type Explanation = ResponseBody<'explainTask'>;

export async function explainTask(
  deps: UseCaseDeps,
  caller: Caller,
  request: { readonly id: TaskId; readonly minRevision?: string | undefined },
): Promise<Explanation> {
  const task = await readVisibleTask(deps, caller, request.id);
  const [region] = await Promise.all([
    deps.regions.readRegion(task.metadata.region_id),
    deps.freshness.beforeRead(request.minRevision),
  ]);
  const latest = deps.cache.ofMachine(task.metadata.target_mac);
  const machineTask = latest === undefined || latest.metadata.id === task.metadata.id ? task : latest;
  return explain({ task, machineTask, region, nowMs: deps.clock.nowMs() });
}

interface Facts {
  readonly task: TaskRecord;
  /** The task that decides what the machine boots: a newer one, if there is. */
  readonly machineTask: TaskRecord;
  readonly region: RegionView | undefined;
  readonly nowMs: number;
}

export function explain(facts: Facts): Explanation {
  const { task, region, nowMs } = facts;
  const row = statusRow(task.status);
  const stall = stallReason(facts);
  const boot = decide({ known: 'machine', task: bootTask(facts.machineTask, nowMs) });
  return {
    task_id: task.metadata.id,
    status: task.status,
    sentence: row.sentence,
    whose_move: row.mover,
    since: task.run.state_since,
    ...(task.run.deadline === undefined ? {} : { deadline: task.run.deadline }),
    ...(row.deadline === undefined ? {} : { on_deadline: row.deadline.onExpiry }),
    ...(task.run.waiting_for === undefined ? {} : { waiting_for: task.run.waiting_for }),
    stalled: stall !== undefined,
    ...(stall === undefined ? {} : { stalled_because: stall }),
    region: {
      region_id: task.metadata.region_id,
      online: region?.online ?? false,
      ...(region?.last_heartbeat === undefined ? {} : { last_heartbeat: region.last_heartbeat }),
    },
    next_boot: {
      decision: boot.kind,
      ...(boot.kind === 'agent' ? { purpose: boot.purpose } : {}),
      reason: boot.reason,
    },
    allowed_now: allowedEvents(task.status, 'hub').map((event) => ({
      event,
      sentence: eventRow(event).sentence,
      request: requestFor(event, task.metadata.id),
    })),
  };
}

function stallReason({ task, region, nowMs }: Facts): string | undefined {
  if (isTerminal(task.status)) return undefined;
  const { region_id } = task.metadata;
  if (region?.online !== true) {
    return `region ${region_id} has no live daemon (no heartbeat for 30 s); the task goes on when it is back`;
  }
  const { deadline } = task.run;
  if (deadline === undefined || nowMs <= Date.parse(deadline)) return undefined;
  return `its ${task.status} deadline passed at ${deadline} and region ${region_id} has not moved it`;
}

/** What a region's view has of a task. */
export function bootTask(task: TaskRecord, nowMs: number): BootTask {
  const { run, status, approval } = task;
  const exitMethod = task.metadata.boot?.exit_method;
  const base = {
    ...{ id: task.metadata.id, status, attempt: run.attempt },
    ...(exitMethod === undefined ? {} : { exitMethod }),
  };
  if (task.grant === undefined || approval?.grant_expires_at === undefined) return base;
  const expiresAtMs = Date.parse(approval.grant_expires_at);
  const live = isGrantLive({ expiresAtMs, attempt: run.attempt, writeBudget: DEFAULT_WRITE_BUDGET }, nowMs);
  return { ...base, grant: { live } };
}

function requestFor(event: TaskEventName, id: TaskId): string {
  const path = `/api/v1/tasks/${id}`;
  if (event === 'approved') return `PUT ${path}/approve`;
  return event === 'rejected' ? `PUT ${path}/reject` : `DELETE ${path}`;
}
