/**
 * Progress and logs on their way to the store: the latest of each task, written at most every few seconds, so that a hundred
 * installing machines cost a handful of writes. Losing one is harmless: the next one says more. Never a transition.
 */
import type { Clock, Fence, TaskCache, TaskId, TaskProgress, TaskStore } from '@lpmos/core';
import { isoTime } from '@lpmos/core';
import type { Logger } from '@lpmos/runtime';
import { LOG_TAIL_BYTES } from '@lpmos/store';

export interface ProgressWriter {
  progress(id: TaskId, progress: Omit<TaskProgress, 'at'>): void;
  log(id: TaskId, lines: readonly string[]): void;
  /** Writes what waits; called on a timer and at the end. */
  flush(): Promise<void>;
}

export interface ProgressWriterOptions {
  readonly cache: TaskCache;
  readonly store: TaskStore;
  readonly fence: () => Fence | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function createProgressWriter(options: ProgressWriterOptions): ProgressWriter {
  const progressOf = new Map<TaskId, TaskProgress>();
  const logsOf = new Map<TaskId, string>();

  const writeOne = async (id: TaskId): Promise<void> => {
    const task = options.cache.get(id);
    const fence = options.fence();
    const progress = progressOf.get(id);
    const logs = logsOf.get(id);
    progressOf.delete(id);
    logsOf.delete(id);
    if (task === undefined || fence === undefined) return;
    if (progress !== undefined && progress.attempt === task.run.attempt && task.status === 'installing') {
      await options.store.putProgress(task, progress, fence);
    }
    if (logs !== undefined) {
      await options.store.putLogs(task, `${task.logs ?? ''}${logs}`.slice(-LOG_TAIL_BYTES), fence);
    }
  };

  return {
    progress(id, progress) {
      progressOf.set(id, { ...progress, at: isoTime(options.clock.nowMs()) });
    },
    log(id, lines) {
      const more = `${logsOf.get(id) ?? ''}${lines.map((line) => `${line}\n`).join('')}`;
      logsOf.set(id, more.slice(-LOG_TAIL_BYTES));
    },
    async flush() {
      const ids = new Set([...progressOf.keys(), ...logsOf.keys()]);
      for (const id of ids) {
        try {
          await writeOne(id);
        } catch (thrown) {
          options.logger.debug({ task_id: id, err: thrown }, 'progress not written');
        }
      }
    },
  };
}
