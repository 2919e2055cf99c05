/**
 * What an event writes: (task, event, stamp) → the documents of the next transaction, or a no-op, or a refusal in words.
 * Pure. The table in transitions.ts decides whether; this file decides what changes with it. The store writes all of it or nothing.
 */
import { canonicalJson } from '../canonical-json';
import { LpmosError } from '../errors';
import { hardwareDifferences } from '../machine/hardware';
import { isoTime } from '../ports/clock';
import { statusRow, TASK_STATUSES } from './status';
import type { TaskStatus } from './status';
import type { Approval, StoredHardware, TaskError, TaskRecord, TaskRun, TimelineEvent } from './task';
import { statesThatAllow, transition } from './transitions';

export type ApprovalFacts = Required<
  Pick<Approval, 'approved_by' | 'hardware_digest' | 'disk' | 'image_digest' | 'grant_expires_at'>
> &
  Pick<Approval, 'notes'>;

export type TaskEvent =
  | { readonly name: 'prepared' }
  | { readonly name: 'preparation_blocked'; readonly reason: string }
  | { readonly name: 'boot_contacted'; readonly via: string }
  | { readonly name: 'hardware_reported'; readonly hardware: StoredHardware; readonly sessionId: string }
  | {
      readonly name: 'hardware_changed';
      readonly hardware: StoredHardware;
      readonly sessionId: string;
      readonly detail: string;
    }
  | { readonly name: 'approved'; readonly approval: ApprovalFacts; readonly grant: string }
  | { readonly name: 'rejected'; readonly by: string; readonly reason: string }
  | { readonly name: 'cancelled'; readonly by: string }
  | { readonly name: 'cancel_requested'; readonly by: string }
  | { readonly name: 'cancel_obeyed'; readonly detail: string }
  | { readonly name: 'install_started'; readonly sessionId: string }
  | { readonly name: 'attempt_failed'; readonly error: Omit<TaskError, 'schema_version' | 'at' | 'attempt'> }
  | { readonly name: 'install_succeeded'; readonly detail: string }
  | { readonly name: 'failed'; readonly error: Omit<TaskError, 'schema_version' | 'at' | 'attempt'> }
  | { readonly name: 'host_up'; readonly detail: string };

/** Who says so and when. */
export interface Stamp {
  readonly nowMs: number;
  readonly actor: string;
  readonly requestId?: string;
}

/** Everything one transition writes. `null` deletes the document. */
export interface TaskChange {
  readonly status: TaskStatus;
  readonly run: TaskRun;
  readonly timeline: TimelineEvent;
  readonly hardware?: StoredHardware;
  readonly approval?: Approval;
  readonly grant?: string | null;
  readonly error?: TaskError;
}

export type Applied =
  | { readonly kind: 'change'; readonly change: TaskChange }
  | { readonly kind: 'noop' }
  | { readonly kind: 'refused'; readonly error: LpmosError };

export function applyEvent(task: TaskRecord, event: TaskEvent, stamp: Stamp): Applied {
  const outcome = transition(task.status, event.name);
  if (outcome.kind === 'noop' || (outcome.kind === 'move' && saysNothingNew(task, event))) {
    return { kind: 'noop' };
  }
  if (outcome.kind === 'refused') return { kind: 'refused', error: notAllowed(task, event.name) };
  if (event.name === 'approved' && event.approval.hardware_digest !== task.hardware?.digest) {
    return { kind: 'refused', error: hardwareMoved(task) };
  }
  const at = isoTime(stamp.nowMs);
  const documents = documentsOf(task, event, at);
  return {
    kind: 'change',
    change: {
      status: outcome.to,
      run: nextRun(task, outcome.to, event, stamp),
      timeline: timelineEvent(task, event, outcome.to, stamp),
      ...documents,
    },
  };
}

/** The record as it will read after the change landed; `version` must come from the store. */
export function withChange(task: TaskRecord, change: TaskChange, version: string): TaskRecord {
  const { grant, ...rest } = task;
  const nextGrant = change.grant === undefined ? grant : (change.grant ?? undefined);
  return {
    ...rest,
    status: change.status,
    version,
    run: change.run,
    timeline: [...task.timeline, change.timeline],
    ...(change.hardware === undefined ? {} : { hardware: change.hardware }),
    ...(change.approval === undefined ? {} : { approval: change.approval }),
    ...(change.error === undefined ? {} : { error: change.error }),
    ...(nextGrant === undefined ? {} : { grant: nextGrant }),
  };
}

/** The run document of a task that enters its first state. */
export function firstRun(nowMs: number): TaskRun {
  return { schema_version: 1, attempt: 0, ...stateTimes('pending', nowMs) };
}

/** The timeline is read by people; a server with a hundred disks must not fill it. */
const LONGEST_DETAIL = 1000;

type Documents = Pick<TaskChange, 'hardware' | 'approval' | 'grant' | 'error'>;

function documentsOf(task: TaskRecord, event: TaskEvent, at: string): Documents {
  switch (event.name) {
    case 'hardware_reported':
      return { hardware: event.hardware, approval: PENDING_APPROVAL };
    case 'hardware_changed':
      return { hardware: event.hardware, approval: PENDING_APPROVAL, grant: null };
    case 'approved':
      return {
        approval: { schema_version: 1, status: 'approved', approved_at: at, ...event.approval },
        grant: event.grant,
      };
    case 'rejected':
      return {
        approval: {
          schema_version: 1,
          status: 'rejected',
          rejected_by: event.by,
          rejected_at: at,
          reason: event.reason,
        },
      };
    case 'attempt_failed':
      return { error: { schema_version: 1, at, attempt: task.run.attempt, ...event.error } };
    case 'failed':
      return { error: { schema_version: 1, at, attempt: task.run.attempt, ...event.error }, grant: null };
    case 'cancelled':
    case 'cancel_obeyed':
    case 'install_succeeded':
      return { grant: null };
    default:
      return {};
  }
}

const PENDING_APPROVAL: Approval = { schema_version: 1, status: 'pending' };

function nextRun(task: TaskRecord, to: TaskStatus, event: TaskEvent, stamp: Stamp): TaskRun {
  const { run } = task;
  const moved = to !== task.status;
  const { waiting_for: _gone, deadline: _old, ...kept } = run;
  const times = moved
    ? stateTimes(to, stamp.nowMs)
    : { state_since: run.state_since, ...(run.deadline === undefined ? {} : { deadline: run.deadline }) };
  return {
    ...kept,
    ...times,
    ...(event.name === 'install_started' ? { attempt: run.attempt + 1 } : {}),
    ...('sessionId' in event ? { session_id: event.sessionId } : {}),
    ...(event.name === 'preparation_blocked' ? { waiting_for: event.reason } : {}),
    ...(event.name === 'cancel_requested'
      ? { cancellation: { by: event.by, at: isoTime(stamp.nowMs) } }
      : {}),
  };
}

function stateTimes(status: TaskStatus, nowMs: number): Pick<TaskRun, 'state_since' | 'deadline'> {
  const { deadline } = statusRow(status);
  const state_since = isoTime(nowMs);
  if (deadline === undefined) return { state_since };
  return { state_since, deadline: isoTime(nowMs + deadline.seconds * 1000) };
}

function timelineEvent(task: TaskRecord, event: TaskEvent, to: TaskStatus, stamp: Stamp): TimelineEvent {
  const detail = detailOf(task, event);
  return {
    seq: task.timeline.length,
    timestamp: isoTime(stamp.nowMs),
    event: event.name,
    from: task.status,
    to,
    actor: stamp.actor,
    ...(stamp.requestId === undefined ? {} : { request_id: stamp.requestId }),
    ...(detail === undefined ? {} : { detail }),
  };
}

function detailOf(task: TaskRecord, event: TaskEvent): string | undefined {
  switch (event.name) {
    case 'preparation_blocked':
    case 'rejected':
      return event.reason;
    case 'boot_contacted':
      return event.via;
    case 'hardware_changed':
    case 'cancel_obeyed':
    case 'install_succeeded':
    case 'host_up':
      return event.detail;
    case 'hardware_reported':
      return reportDetail(task.hardware, event.hardware);
    case 'approved':
      return `disk ${event.approval.disk.serial || event.approval.disk.wwn}, image ${event.approval.image_digest}`;
    case 'attempt_failed':
    case 'failed':
      return `${event.error.class}: ${event.error.message}`;
    default:
      return undefined;
  }
}

/** Whoever looked at the earlier report must be told what is different now. */
function reportDetail(before: StoredHardware | undefined, after: StoredHardware): string {
  if (before === undefined || before.digest === after.digest) return after.digest;
  const differences = hardwareDifferences(before.report, after.report).join('; ');
  return `${after.digest}; ${differences}`.slice(0, LONGEST_DETAIL);
}

/** A repeated report or an unchanged obstacle must not fill the timeline. */
function saysNothingNew(task: TaskRecord, event: TaskEvent): boolean {
  if (event.name === 'preparation_blocked') return task.run.waiting_for === event.reason;
  if (event.name === 'cancel_requested') return task.run.cancellation !== undefined;
  if (event.name === 'hardware_reported' && task.status === 'pending_approval') {
    return task.run.session_id === event.sessionId && sameReport(task.hardware, event.hardware);
  }
  if (event.name === 'host_up') return task.timeline.some((past) => past.event === 'host_up');
  return false;
}

function sameReport(before: StoredHardware | undefined, after: StoredHardware): boolean {
  if (before === undefined) return false;
  const withoutTime = ({ report }: StoredHardware): string => canonicalJson({ ...report, collected_at: '' });
  return withoutTime(before) === withoutTime(after);
}

function notAllowed(task: TaskRecord, event: TaskEvent['name']): LpmosError {
  const allowed = statesThatAllow(event).join(', ');
  return new LpmosError({
    code: 'not_allowed_in_state',
    message: `Task ${task.metadata.id} is ${task.status} (${TASK_STATUSES[task.status].sentence}); "${event}" is possible in: ${allowed}`,
    details: { task_id: task.metadata.id, status: task.status },
  });
}

function hardwareMoved(task: TaskRecord): LpmosError {
  return new LpmosError({
    code: 'conflict',
    message: `Task ${task.metadata.id} has a newer hardware report than the one approved; look at it and approve again`,
    details: { task_id: task.metadata.id, status: task.status },
  });
}
