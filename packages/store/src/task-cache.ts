/**
 * TaskCache (the port in core): a watched copy of all tasks or of one region's tasks, with indexes.
 * range-watch.ts keeps the keys true, task-assembly.ts makes records of them, task-index.ts finds them; this file joins the three.
 * A task appears when metadata, status and run are there. One with a value that does not decode is left out, counted and logged:
 * it must neither be guessed nor hide the others.
 */
import { invalidField } from '@lpmos/core';
import type { Clock, RegionTag, TaskCache, TaskHint, TaskId } from '@lpmos/core';
import { parseTaskKey, tasksRange, treeRange } from './keys';
import type { Kv } from './kv';
import type { KeyChange } from './range-cache';
import { createRangeWatch } from './range-watch';
import type { RangeWatchOptions, StoreLogger } from './range-watch';
import { assembleTask, decodeTaskEntry } from './task-assembly';
import type { TaskDocument } from './task-assembly';
import { createTaskIndex } from './task-index';
import type { TaskIndex } from './task-index';

export interface WatchTasksOptions {
  readonly kv: Kv;
  readonly clock: Clock;
  /** Only the tasks of the region with this tag; all tasks when absent. */
  readonly regionTag?: RegionTag;
  /**
   * Watches the whole tree instead of the tasks alone, so that `revision` follows heartbeats and the like too and a reader who
   * waits for the store's newest revision waits for nothing that never comes.
   */
  readonly wholeTree?: true;
  readonly logger?: StoreLogger;
  /** Mean milliseconds between two comparisons with a fresh list; 60 000 when absent. */
  readonly relistMs?: number;
  readonly settleMs?: number;
}

export interface WatchedTasks extends TaskCache {
  /** Begins; resolves once the first list is in or the signal aborts. Never rejects: it keeps trying. */
  start(signal: AbortSignal): Promise<void>;
  /** Resolves when the watch has stopped. */
  readonly done: Promise<void>;
  /** Changes that the watch lost and a list showed (metric `cache_divergence_total`). */
  readonly divergences: number;
  /** How often the watch had to begin again. */
  readonly restarts: number;
  /** Tasks that are left out now because a value of theirs does not decode. */
  readonly corruptTasks: number;
}

type Documents = Map<string, TaskDocument | 'corrupt'>;

interface Assembly {
  readonly documents: Map<TaskId, Documents>;
  readonly corrupt: Set<TaskId>;
  readonly index: TaskIndex;
  readonly logger: StoreLogger | undefined;
}

export function watchTasks(options: WatchTasksOptions): WatchedTasks {
  const { regionTag, logger } = options;
  const range = options.wholeTree === true ? treeRange() : tasksRange(regionTag);
  const watchOptions: RangeWatchOptions = { ...options, range, keepValues: false };
  const watch = createRangeWatch(watchOptions);
  const assembly: Assembly = { documents: new Map(), corrupt: new Set(), index: createTaskIndex(), logger };
  const listeners = new Set<(hint: TaskHint) => void>();
  watch.cache.onChange((changes) => {
    for (const hint of applyChanges(assembly, changes)) {
      for (const listener of listeners) hintSafely(listener, hint, logger);
    }
  });
  const { index } = assembly;
  return {
    get ready() {
      return watch.cache.ready;
    },
    get revision() {
      return String(watch.cache.revision);
    },
    get silentForMs() {
      return watch.silentForMs;
    },
    get divergences() {
      return watch.divergences;
    },
    get restarts() {
      return watch.restarts;
    },
    get corruptTasks() {
      return assembly.corrupt.size;
    },
    get: (id) => index.get(id),
    ofMachine: (mac) => index.ofMachine(mac),
    query: (query) => index.query(query),
    ids: () => index.ids(),
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    waitFor: (revision, signal) => watch.cache.waitFor(revisionOf(revision), signal),
    start: (signal) => watch.start(signal),
    done: watch.done,
  };
}

/** Applies a batch and gives one hint per task, in the order of their last change. */
function applyChanges(assembly: Assembly, changes: readonly KeyChange[]): TaskHint[] {
  const touched = new Map<TaskId, string>();
  for (const change of changes) {
    const id = applyChange(assembly, change);
    if (id === undefined) continue;
    touched.delete(id);
    touched.set(id, String(change.revision));
  }
  return Array.from(touched, ([id, revision]) => {
    refresh(assembly, id);
    return { id, revision };
  });
}

function applyChange({ documents, logger }: Assembly, { key, entry }: KeyChange): TaskId | undefined {
  const parsed = parseTaskKey(key);
  if (parsed === undefined) return undefined;
  const own: Documents = documents.get(parsed.id) ?? new Map();
  documents.set(parsed.id, own);
  if (entry === undefined) {
    own.delete(key);
    if (own.size === 0) documents.delete(parsed.id);
    return parsed.id;
  }
  try {
    own.set(key, decodeTaskEntry(parsed, entry));
  } catch (error) {
    own.set(key, 'corrupt');
    logger?.warn({ key, error, task_id: parsed.id }, 'a stored value does not decode; its task is left out');
  }
  return parsed.id;
}

function refresh({ documents, corrupt, index }: Assembly, id: TaskId): void {
  const sound: TaskDocument[] = [];
  let spoilt = false;
  for (const document of documents.get(id)?.values() ?? []) {
    if (document === 'corrupt') spoilt = true;
    else sound.push(document);
  }
  if (spoilt) corrupt.add(id);
  else corrupt.delete(id);
  const task = spoilt ? undefined : assembleTask(sound);
  if (task === undefined) index.remove(id);
  else index.put(task);
}

/** A listener that throws must not keep the others from being told. */
function hintSafely(
  listener: (hint: TaskHint) => void,
  hint: TaskHint,
  logger: StoreLogger | undefined,
): void {
  try {
    listener(hint);
  } catch (error) {
    logger?.warn({ error, task_id: hint.id }, 'a listener of the task cache failed');
  }
}

function revisionOf(revision: string): number {
  const number = /^\d{1,15}$/.test(revision) ? Number(revision) : NaN;
  if (Number.isSafeInteger(number)) return number;
  throw invalidField('revision', 'must be a revision in decimal digits');
}
