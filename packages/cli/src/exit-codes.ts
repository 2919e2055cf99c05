/**
 * Exit codes: 0 done, 1 a crash, then the rows of core's error table, then how a watched task ended.
 * Scripts branch on them, so a number once given never changes its meaning.
 */
import { assertNever, ERROR_CODES, ERROR_TABLE } from '@lpmos/core';
import type { ErrorCode, TaskStatus } from '@lpmos/core';

export const EXIT_DONE = 0;
export const EXIT_CRASH = 1;
/** 128 + SIGINT, as shells report it. */
export const EXIT_INTERRUPTED = 130;

/** A question was not answered with yes. */
export const EXIT_DECLINED = 23;

/** Above every code of the error table, with room for it to grow. */
export const TASK_END_EXIT = { failed: 20, rejected: 21, cancelled: 22 } as const;

/** The worst finding of an examination. */
export const DOCTOR_EXIT = { warning: 24, bad: 25 } as const;

export function exitCodeOf(code: ErrorCode): number {
  return ERROR_TABLE[code].exit;
}

/** How a watch ends for a task in a terminal state. */
export function exitCodeOfEnd(status: 'completed' | keyof typeof TASK_END_EXIT): number {
  switch (status) {
    case 'completed':
      return EXIT_DONE;
    case 'failed':
    case 'rejected':
    case 'cancelled':
      return TASK_END_EXIT[status];
    default:
      return assertNever(status, 'end of a task');
  }
}

export function isEnd(status: TaskStatus): status is 'completed' | keyof typeof TASK_END_EXIT {
  return status === 'completed' || Object.hasOwn(TASK_END_EXIT, status);
}

export interface ExitCodeRow {
  readonly exit: number;
  readonly meaning: string;
}

/** Every code once, in order: for --help and docs. */
export function exitCodeTable(): ExitCodeRow[] {
  const byCode = new Map<number, string[]>();
  for (const code of ERROR_CODES) {
    const { exit } = ERROR_TABLE[code];
    byCode.set(exit, [...(byCode.get(exit) ?? []), code]);
  }
  const errors = [...byCode].map(([exit, codes]) => ({ exit, meaning: codes.join(', ') }));
  const ends = Object.entries(TASK_END_EXIT).map(([status, exit]) => ({
    exit,
    meaning: `task watch: the task ended ${status}`,
  }));
  return [
    { exit: EXIT_DONE, meaning: 'done; task watch: the task completed or reached --until' },
    { exit: EXIT_CRASH, meaning: 'a fault of the program itself' },
    ...errors,
    ...ends,
    {
      exit: EXIT_DECLINED,
      meaning: 'task approve: the question was not answered with yes; nothing was changed',
    },
    { exit: DOCTOR_EXIT.warning, meaning: 'doctor: something to look at, nothing broken' },
    { exit: DOCTOR_EXIT.bad, meaning: 'doctor: machines cannot boot here' },
    { exit: EXIT_INTERRUPTED, meaning: 'interrupted (Ctrl-C)' },
  ].sort((a, b) => a.exit - b.exit);
}
