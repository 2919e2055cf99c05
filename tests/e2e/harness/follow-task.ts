/** Waiting for a task as an operator does: look, and look again, until it is so or a deadline has passed; then say what it was instead. */
import { setTimeout as pause } from 'node:timers/promises';
import type { ApiClient } from '@lpmos/api';

export type TaskAnswer = Awaited<ReturnType<ApiClient['getTask']>>;

const LOOK_EVERY_MS = 250;

/** @throws Error with the status and timeline when the deadline passes, or when the task fails while something else is awaited. */
export async function untilTask(
  api: ApiClient,
  taskId: string,
  wait: {
    readonly what: string;
    readonly deadlineMs: number;
    readonly is: (task: TaskAnswer) => boolean;
  },
): Promise<TaskAnswer> {
  const end = performance.now() + wait.deadlineMs;
  for (;;) {
    const task = await api.getTask(taskId);
    if (wait.is(task)) return task;
    const late = performance.now() > end;
    if (late || task.status === 'failed') {
      const why = late ? `not so within ${wait.deadlineMs / 1000} s` : 'the task failed';
      throw new Error(`waiting for "${wait.what}": ${why}; the task is ${task.status}\n${story(task)}`);
    }
    await pause(LOOK_EVERY_MS);
  }
}

/** Waits for anything that can be asked. */
export async function until<T>(
  what: string,
  deadlineMs: number,
  look: () => Promise<T>,
  is: (value: T) => boolean,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await look();
    if (is(value)) return value;
    if (performance.now() > end) {
      throw new Error(
        `waiting for "${what}": not so within ${deadlineMs / 1000} s, but ${JSON.stringify(value)}`,
      );
    }
    await pause(LOOK_EVERY_MS);
  }
}

function story({ timeline, error }: TaskAnswer): string {
  const lines = timeline.map(({ event, to, detail }) => `  ${event} -> ${to} ${detail ?? ''}`.trimEnd());
  return [...lines, ...(error === undefined ? [] : [`  ${error.class}: ${error.message}`])].join('\n');
}
