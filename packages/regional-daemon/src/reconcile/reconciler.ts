/**
 * Carries out plans: reads the task from the cache, asks plan.ts, commits its event behind the fence, and asks again until
 * nothing is left but to acknowledge and to give the agent its order. Its only input is a key; it may run any number of times.
 */
import { applyEvent, LpmosError } from '@lpmos/core';
import type { Clock, Fence, TaskCache, TaskEvent, TaskId, TaskRecord, TaskStore } from '@lpmos/core';
import type { Logger } from '@lpmos/runtime';
import type { Agents } from '../agent-gateway/agents';
import type { Contacts } from '../boot/contacts';
import { plan } from './plan';
import type { TaskFacts } from './plan';

export interface ReconcilerOptions {
  readonly cache: TaskCache;
  readonly store: TaskStore;
  /** Undefined while this daemon does not lead: then nothing is written. */
  readonly fence: () => Fence | undefined;
  readonly agents: Agents;
  readonly contacts: Contacts;
  readonly preparation: (task: TaskRecord) => TaskFacts['preparation'];
  readonly writeBudget: number;
  readonly actor: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A life has about ten steps; more rounds than this mean that plan and table disagree. */
const MOST_ROUNDS = 12;
/** How long the cache may take to show our own write before the key is simply tried again. */
const OWN_WRITE_MS = 2_000;
/** How soon a key is looked at again while nobody or somebody else leads. */
const NOT_LEADING_MS = 1_000;

/** @returns milliseconds until time alone changes the plan, if it does. */
export type Reconcile = (id: TaskId) => Promise<number | undefined>;

export function createReconciler(options: ReconcilerOptions): Reconcile {
  return async (id) => {
    for (let round = 0; round < MOST_ROUNDS; round += 1) {
      const task = options.cache.get(id);
      if (task === undefined) return undefined;
      const next = plan(factsOf(options, task));
      if (next.event === undefined) {
        for (const seq of next.acks) options.agents.acknowledge(id, seq);
        if (next.order !== undefined) options.agents.order(task, next.order);
        options.agents.forgetIfSettled(task);
        return next.wakeAtMs === undefined ? undefined : Math.max(0, next.wakeAtMs - options.clock.nowMs());
      }
      const fence = options.fence();
      if (fence === undefined) return NOT_LEADING_MS;
      await commit(options, task, next.event, fence);
    }
    throw new LpmosError({ code: 'internal', message: `Task ${id} does not come to rest` });
  };
}

function factsOf(options: ReconcilerOptions, task: TaskRecord): TaskFacts {
  const agent = options.agents.facts(task.metadata.id);
  const contact = options.contacts.of(task.metadata.id);
  return {
    task,
    preparation: options.preparation(task),
    writeBudget: options.writeBudget,
    nowMs: options.clock.nowMs(),
    ...(agent === undefined ? {} : { agent }),
    ...(contact === undefined ? {} : { contact }),
  };
}

async function commit(
  options: ReconcilerOptions,
  task: TaskRecord,
  event: TaskEvent,
  fence: Fence,
): Promise<void> {
  const { cache, store, clock, logger, actor } = options;
  const applied = applyEvent(task, event, { nowMs: clock.nowMs(), actor });
  if (applied.kind !== 'change') {
    const why = applied.kind === 'refused' ? applied.error.message : 'the event is already true';
    throw new LpmosError({ code: 'internal', message: `Plan and table disagree on "${event.name}": ${why}` });
  }
  const outcome = await store.commit(task, applied.change, fence);
  if (outcome.kind === 'refused') throw outcome.error;
  if (outcome.kind === 'unknown') {
    throw new LpmosError({
      code: 'outcome_unknown',
      message: `Whether "${event.name}" of task ${task.metadata.id} landed is unknown`,
      cause: outcome.cause,
    });
  }
  logger.info(
    { task_id: task.metadata.id, event: event.name, from: task.status, to: applied.change.status },
    'task moved',
  );
  await cache.waitFor(outcome.revision, AbortSignal.timeout(OWN_WRITE_MS));
}
