/**
 * The states of a task as a table. API, timeouts, metrics, docs and tests read it; nobody keeps a second list.
 * How a task moves between them is transitions.ts.
 */

export type Mover = 'region' | 'machine' | 'operator';

interface StatusRow {
  readonly sentence: string;
  /** `working`: we must move it. `waiting`: somebody outside must. `terminal`: it never changes again. */
  readonly kind: 'working' | 'waiting' | 'terminal';
  /** Whose move it is. */
  readonly mover: Mover | 'nobody';
  /** How long a task may stay, and what its expiry means. A stalled task is shown as such and goes on. */
  readonly deadline?: { readonly seconds: number; readonly onExpiry: 'failed' | 'stalled' };
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const TASK_STATUSES = {
  pending: {
    sentence: 'Created; the region has not prepared it yet.',
    kind: 'working',
    mover: 'region',
    deadline: { seconds: 5 * MINUTE, onExpiry: 'stalled' },
  },
  ready: {
    sentence: 'The region serves it; power the machine on.',
    kind: 'waiting',
    mover: 'machine',
    deadline: { seconds: 24 * HOUR, onExpiry: 'failed' },
  },
  booting: {
    sentence: 'The machine asked for its boot files; its hardware report is awaited.',
    kind: 'waiting',
    mover: 'machine',
    deadline: { seconds: 30 * MINUTE, onExpiry: 'failed' },
  },
  pending_approval: {
    sentence: 'The hardware is known; somebody must approve or reject.',
    kind: 'waiting',
    mover: 'operator',
    deadline: { seconds: 7 * DAY, onExpiry: 'failed' },
  },
  approved: {
    sentence: 'Approved; the region starts the installation as soon as the agent is there.',
    kind: 'working',
    mover: 'region',
    deadline: { seconds: 30 * MINUTE, onExpiry: 'failed' },
  },
  installing: {
    sentence: 'The agent writes the disk.',
    kind: 'waiting',
    mover: 'machine',
    deadline: { seconds: 2 * HOUR, onExpiry: 'failed' },
  },
  completed: { sentence: 'Installed and verified.', kind: 'terminal', mover: 'nobody' },
  failed: { sentence: 'Ended without success; the error says why.', kind: 'terminal', mover: 'nobody' },
  rejected: {
    sentence: 'Rejected by a person; the disk was not touched.',
    kind: 'terminal',
    mover: 'nobody',
  },
  cancelled: { sentence: 'Cancelled by a person.', kind: 'terminal', mover: 'nobody' },
} as const satisfies Record<string, StatusRow>;

export type TaskStatus = keyof typeof TASK_STATUSES;

export const TASK_STATUS_NAMES = Object.keys(TASK_STATUSES) as TaskStatus[];

/** Silence of an installing agent after which the attempt counts as failed. */
export const INSTALL_SILENCE_SECONDS = 10 * MINUTE;

export function isTaskStatus(text: string): text is TaskStatus {
  return Object.hasOwn(TASK_STATUSES, text);
}

export function isTerminal(status: TaskStatus): boolean {
  return TASK_STATUSES[status].kind === 'terminal';
}

/** The row with its optional parts visible to the type system. */
export function statusRow(status: TaskStatus): StatusRow {
  return TASK_STATUSES[status];
}
