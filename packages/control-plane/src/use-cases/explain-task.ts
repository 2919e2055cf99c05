/**
 * Why a task stands where it stands, from the same tables and the same `decide` that move it: nothing here is a second opinion.
 * `explain` is pure; explainTask gathers what it looks at.
 */
import {
  allowedEvents,
  bootTaskOf,
  decide,
  DEFAULT_WRITE_BUDGET,
  eventRow,
  isTerminal,
  statusRow,
} from '@lpmos/core';
import type { BootDecision, BootTask, RegionView, TaskEventName, TaskId, TaskRecord } from '@lpmos/core';
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
    next_boot: nextBoot(decide({ known: 'machine', task: bootTask(facts.machineTask, nowMs) })),
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
  return bootTaskOf(task, { writeBudget: DEFAULT_WRITE_BUDGET, nowMs });
}

/** What the machine would boot now, for an answer. */
export function nextBoot(decision: BootDecision): Explanation['next_boot'] {
  return {
    decision: decision.kind,
    ...(decision.kind === 'agent' ? { purpose: decision.purpose } : {}),
    reason: decision.reason,
  };
}

function requestFor(event: TaskEventName, id: TaskId): string {
  const path = `/api/v1/tasks/${id}`;
  if (event === 'approved') return `PUT ${path}/approve`;
  return event === 'rejected' ? `PUT ${path}/reject` : `DELETE ${path}`;
}
