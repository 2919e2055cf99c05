/**
 * What feeds the reconciler: every change of the cache, every agent and boot contact, the clock, and a full round now and then that finds
 * what every hint missed. Hints carry a key and nothing else.
 */
import type { TaskCache, TaskId } from '@lpmos/core';
import type { Logger } from '@lpmos/runtime';
import type { Reconcile } from './reconciler';
import { createWorkQueue } from './work-queue';

export interface ReconcileLoop {
  start(): void;
  stop(): Promise<void>;
  add(id: TaskId): void;
  addAll(): void;
  readonly depth: number;
}

/** Tasks in work at once: each waits for etcd most of the time. */
const CONCURRENCY = 16;
const FULL_ROUND_MS = 30_000;

export function createReconcileLoop(options: {
  readonly cache: TaskCache;
  readonly reconcile: Reconcile;
  readonly logger: Logger;
}): ReconcileLoop {
  const { cache, reconcile, logger } = options;
  const queue = createWorkQueue<TaskId>({
    concurrency: CONCURRENCY,
    random: Math.random,
    work: async (id) => {
      const again = await reconcile(id);
      if (again !== undefined) queue.addAfter(id, again);
    },
    onError: (id, thrown, attempt) => {
      const level = attempt < 3 ? 'debug' : 'warn';
      logger[level]({ task_id: id, attempt, err: thrown }, 'task not reconciled; trying again');
    },
  });
  const addAll = (): void => cache.ids().forEach((id) => queue.add(id));
  let timer: NodeJS.Timeout | undefined;
  let unsubscribe: (() => void) | undefined;
  return {
    start() {
      unsubscribe = cache.onChange(({ id }) => queue.add(id));
      timer = setInterval(addAll, FULL_ROUND_MS);
      addAll();
    },
    async stop() {
      unsubscribe?.();
      clearInterval(timer);
      await queue.stop();
    },
    add: (id) => queue.add(id),
    addAll,
    get depth() {
      return queue.depth;
    },
  };
}
