/**
 * How a task moves, as a table: event → the edges it takes, and the states in which it was already true (a no-op).
 * Every other pair of state and event is refused. The table says who may cause an event; apply-event.ts says what it writes.
 * Invariant: no edge leaves a terminal state; `host_up` on `completed` stays there and adds to the timeline only.
 */
import { TASK_STATUS_NAMES } from './status';
import type { TaskStatus } from './status';

/** `hub`: control plane on behalf of a person or rule. `region`: the leading daemon of the task's region. */
export type Actor = 'hub' | 'region';

interface EventRow {
  readonly sentence: string;
  readonly actor: Actor;
  readonly edges: Partial<Record<TaskStatus, TaskStatus>>;
  /** Reached already: the same event again changes nothing and is no error. */
  readonly alreadyTrueIn: readonly TaskStatus[];
}

const NON_TERMINAL_TO = (to: TaskStatus): Partial<Record<TaskStatus, TaskStatus>> => ({
  pending: to,
  ready: to,
  booting: to,
  pending_approval: to,
  approved: to,
  installing: to,
});

export const TASK_EVENTS = {
  prepared: {
    sentence: 'The region can serve the task: image and ramdisk are there.',
    actor: 'region',
    edges: { pending: 'ready' },
    alreadyTrueIn: ['ready', 'booting', 'pending_approval', 'approved', 'installing'],
  },
  preparation_blocked: {
    sentence: 'The region cannot serve the task yet and says why.',
    actor: 'region',
    edges: { pending: 'pending' },
    alreadyTrueIn: [],
  },
  boot_contacted: {
    sentence: 'The machine asked for its boot files.',
    actor: 'region',
    edges: { ready: 'booting' },
    alreadyTrueIn: ['booting', 'pending_approval', 'approved', 'installing'],
  },
  hardware_reported: {
    sentence: 'The boot agent reported the hardware (again, after a reboot of the machine).',
    actor: 'region',
    edges: { booting: 'pending_approval', pending_approval: 'pending_approval' },
    alreadyTrueIn: ['approved', 'installing'],
  },
  hardware_changed: {
    sentence: 'The hardware is not what was approved: the approval is void.',
    actor: 'region',
    edges: { approved: 'pending_approval' },
    alreadyTrueIn: ['pending_approval'],
  },
  approved: {
    sentence: 'Approved, bound to hardware, disk and image; a grant was issued.',
    actor: 'hub',
    edges: { pending_approval: 'approved' },
    alreadyTrueIn: [],
  },
  rejected: {
    sentence: 'Rejected.',
    actor: 'hub',
    edges: { pending_approval: 'rejected' },
    alreadyTrueIn: ['rejected'],
  },
  cancelled: {
    sentence: 'Cancelled before anything was written.',
    actor: 'hub',
    edges: {
      pending: 'cancelled',
      ready: 'cancelled',
      booting: 'cancelled',
      pending_approval: 'cancelled',
      approved: 'cancelled',
    },
    alreadyTrueIn: ['cancelled'],
  },
  cancel_requested: {
    sentence: 'Cancellation asked for while the disk is written; obeyed at the next safe point.',
    actor: 'hub',
    edges: { installing: 'installing' },
    alreadyTrueIn: [],
  },
  cancel_obeyed: {
    sentence: 'The agent stopped at a safe point; the disk may be partly written.',
    actor: 'region',
    edges: { installing: 'cancelled' },
    alreadyTrueIn: ['cancelled'],
  },
  install_started: {
    sentence: 'The region claimed one attempt of the grant and ordered the installation.',
    actor: 'region',
    edges: { approved: 'installing' },
    alreadyTrueIn: ['installing'],
  },
  attempt_failed: {
    sentence: 'One attempt failed; the grant allows another.',
    actor: 'region',
    edges: { installing: 'approved' },
    alreadyTrueIn: [],
  },
  install_succeeded: {
    sentence: 'Image written, read back, compared and personalised.',
    actor: 'region',
    edges: { installing: 'completed' },
    alreadyTrueIn: ['completed'],
  },
  failed: {
    sentence: 'Given up: out of attempts or time, or a refusal that no retry can mend.',
    actor: 'region',
    edges: NON_TERMINAL_TO('failed'),
    alreadyTrueIn: ['failed'],
  },
  host_up: {
    sentence: 'The installed system checked in from its disk.',
    actor: 'region',
    edges: { completed: 'completed' },
    alreadyTrueIn: [],
  },
} as const satisfies Record<string, EventRow>;

export type TaskEventName = keyof typeof TASK_EVENTS;

export const TASK_EVENT_NAMES = Object.keys(TASK_EVENTS) as TaskEventName[];

export type TransitionOutcome =
  | { readonly kind: 'move'; readonly to: TaskStatus }
  | { readonly kind: 'noop' }
  | { readonly kind: 'refused' };

export function eventRow(event: TaskEventName): EventRow {
  return TASK_EVENTS[event];
}

/** Total: every (status, event) pair has exactly one outcome. */
export function transition(status: TaskStatus, event: TaskEventName): TransitionOutcome {
  const row = eventRow(event);
  const to = row.edges[status];
  if (to !== undefined) return { kind: 'move', to };
  return row.alreadyTrueIn.includes(status) ? { kind: 'noop' } : { kind: 'refused' };
}

/** The events that an actor may cause now, for explanations and buttons. */
export function allowedEvents(status: TaskStatus, actor: Actor): TaskEventName[] {
  return TASK_EVENT_NAMES.filter(
    (event) => eventRow(event).actor === actor && transition(status, event).kind === 'move',
  );
}

/** The states from which an event moves a task, for error messages. */
export function statesThatAllow(event: TaskEventName): TaskStatus[] {
  return TASK_STATUS_NAMES.filter((status) => transition(status, event).kind === 'move');
}
