/**
 * What a watch says: (what was said, task now) → what is new to say. Pure, so that the same events give the same words whether
 * they come one by one or, after a broken connection, all at once.
 */
import { isTerminal, TASK_STATUSES, TASK_STATUS_NAMES } from '@lpmos/core';
import type { TaskStatus } from '@lpmos/core';
import type { TaskDocument } from './control-plane';
import { exitCodeOf, exitCodeOfEnd, EXIT_DONE, isEnd } from './exit-codes';
import { describeBytes } from './output/sizes';
import { printable } from './terminal';

/** A status, or `host_up`: the installed system checked in from its disk. */
export type WatchGoal = TaskStatus | 'host_up';

export const WATCH_GOALS: readonly WatchGoal[] = [...TASK_STATUS_NAMES, 'host_up'];

/** How much of the timeline was said, and the last progress. */
export interface Said {
  readonly events: number;
  readonly progress: string;
}

export const NOTHING_SAID: Said = { events: 0, progress: '' };

export interface NewWords {
  readonly said: Said;
  /** Finished lines: each is said once. */
  readonly lines: readonly string[];
}

/** @param steps how coarse plain progress lines are, in percent; a log must not fill with them. */
export function newWords(said: Said, task: TaskDocument, steps: number): NewWords {
  const fresh = task.timeline.slice(said.events);
  const lines = fresh.map((event) =>
    printable(
      `${event.timestamp}  ${event.event.replaceAll('_', ' ')} -> ${event.to}${event.detail ? `  (${event.detail})` : ''}`,
    ),
  );
  const progress = coarseProgress(task, steps);
  const progressLine = progress !== '' && progress !== said.progress ? [progressText(task)] : [];
  return { said: { events: task.timeline.length, progress }, lines: [...lines, ...progressLine] };
}

function coarseProgress(task: TaskDocument, steps: number): string {
  const { progress } = task;
  if (!progress || task.status !== 'installing') return '';
  return `${progress.attempt}/${progress.phase}/${Math.floor(progress.percent / steps)}`;
}

export function progressText({ progress }: TaskDocument): string {
  if (!progress) return '';
  const { bytes_done: done, bytes_total: total } = progress;
  const bytes =
    done === undefined || total === undefined ? '' : `  ${describeBytes(done)} of ${describeBytes(total)}`;
  return printable(
    `${progress.at}  ${progress.phase}  ${Math.floor(progress.percent)} %${bytes}  ${progress.message}`,
  );
}

const BAR_WIDTH = 30;

/** The one line that a terminal redraws: where the task is and how far. Never wider than the terminal. */
export function liveLine(task: TaskDocument, columns: number): string {
  const { progress, run } = task;
  const words =
    progress && task.status === 'installing'
      ? `${bar(progress.percent)} ${String(Math.floor(progress.percent)).padStart(3)} %  ${progress.phase}  ${progress.message}`
      : `${task.status}: ${run.waiting_for ?? TASK_STATUSES[task.status].sentence}`;
  return [...printable(words)].slice(0, Math.max(1, columns - 1)).join('');
}

function bar(percent: number): string {
  const full = Math.round((Math.min(100, Math.max(0, percent)) / 100) * BAR_WIDTH);
  return `[${'#'.repeat(full)}${'-'.repeat(BAR_WIDTH - full)}]`;
}

/** The exit code once the watch is over, else undefined. In or past the goal is reached; another end is not. */
export function watchEnd(task: TaskDocument, goal: WatchGoal): number | undefined {
  if (goal === 'host_up') {
    if (task.timeline.some((event) => event.event === 'host_up')) return EXIT_DONE;
    return task.status !== 'completed' && isEnd(task.status) ? exitCodeOfEnd(task.status) : undefined;
  }
  if (task.status === goal) return EXIT_DONE;
  if (isEnd(task.status)) {
    return task.status === 'completed' && !isTerminal(goal) ? EXIT_DONE : endOtherThan(task.status);
  }
  const passed = TASK_STATUS_NAMES.indexOf(task.status) > TASK_STATUS_NAMES.indexOf(goal);
  return passed && !isTerminal(goal) ? EXIT_DONE : undefined;
}

/** Code 7 for "completed although another end was waited for": the state will never allow it. */
function endOtherThan(status: 'completed' | 'failed' | 'rejected' | 'cancelled'): number {
  return status === 'completed' ? exitCodeOf('not_allowed_in_state') : exitCodeOfEnd(status);
}
