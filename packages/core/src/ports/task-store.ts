/**
 * The task store as its users see it. `store` implements it over etcd and over memory; one contract suite proves both.
 * A write has three outcomes: done, refused, unknown. After `unknown` the caller reads and decides; the same guarded write
 * may be repeated, because at most one of the two can land.
 */
import type { LpmosError } from '../errors';
import type { RegionId, TaskId } from '../ids';
import type { MacAddress } from '../machine/mac-address';
import type { TaskChange } from '../task/apply-event';
import type { TaskMetadata, TaskProgress, TaskRecord, TaskRun, TimelineEvent } from '../task/task';
import type { TaskStatus } from '../task/status';

/** Fencing token of a region's leader: writes carry it and are refused once another daemon leads. */
export interface Fence {
  readonly regionId: RegionId;
  /** Decimal create_revision of the leader key. */
  readonly token: string;
}

export type WriteOutcome<T> =
  /** Durable. `revision` is the store's revision of the write, for reading one's own write elsewhere. */
  | { readonly kind: 'done'; readonly revision: string; readonly value: T }
  /** Certainly not written. */
  | { readonly kind: 'refused'; readonly error: LpmosError }
  /** May have landed or may still land. */
  | { readonly kind: 'unknown'; readonly cause: unknown };

export interface NewTask {
  readonly metadata: TaskMetadata;
  readonly run: TaskRun;
  readonly created: TimelineEvent;
  /** Scope (the caller's subject), key and digest of the request; the same triple answers with the first task. */
  readonly idempotency?: {
    readonly scope: string;
    readonly key: string;
    readonly requestDigest: string;
  };
}

export interface TaskStore {
  /**
   * Creates the task, its assignment to the region and the guard "one active task per machine" in one transaction.
   * Refused: `not_found` (region not registered), `already_exists` (details.task_id names the active task),
   * `idempotency_mismatch`. A repeated idempotent request is `done` with the first task.
   */
  create(task: NewTask): Promise<WriteOutcome<TaskRecord>>;
  /** Writes one transition if the task still has `version` (and the fence, if given, still holds). Refused: `conflict`. */
  commit(task: TaskRecord, change: TaskChange, fence?: Fence): Promise<WriteOutcome<TaskRecord>>;
  /** Overwrites the progress of a running attempt; no transition, no timeline. Refused when the task has moved on. */
  putProgress(task: TaskRecord, progress: TaskProgress, fence: Fence): Promise<WriteOutcome<undefined>>;
  /** Replaces the bounded tail of the install log (at most 64 KiB; longer is cut at the front). */
  putLogs(task: TaskRecord, logs: string, fence: Fence): Promise<WriteOutcome<undefined>>;
  /** Linearizable. Throws LpmosError `unavailable`/`deadline_exceeded`/`corrupt`. */
  read(id: TaskId): Promise<TaskRecord | undefined>;
}

export interface TaskQuery {
  readonly regionId?: RegionId;
  readonly statuses?: readonly TaskStatus[];
  readonly mac?: MacAddress;
  readonly tags?: Readonly<Record<string, string>>;
  readonly limit: number;
  readonly offset: number;
  /** Id of the last task of the previous page; takes precedence over offset. */
  readonly after?: TaskId;
}

export interface TaskPage {
  readonly tasks: readonly TaskRecord[];
  readonly total: number;
}

/** What changed in a cache: a key to look at again, never a fact to keep. */
export interface TaskHint {
  readonly id: TaskId;
  readonly revision: string;
}

/**
 * A watched copy of a range of tasks. Newest first. A record that does not decode is left out, counted and logged.
 */
export interface TaskCache {
  /** False until the first list is in; `decide` answers "cannot know" meanwhile. */
  readonly ready: boolean;
  /** Highest store revision that the cache has applied, decimal. */
  readonly revision: string;
  /** Milliseconds (monotonic) since the store was last heard from; Infinity before the first time. */
  readonly silentForMs: number;
  get(id: TaskId): TaskRecord | undefined;
  /** The active task of a machine, else its newest ended one. */
  ofMachine(mac: MacAddress): TaskRecord | undefined;
  query(query: TaskQuery): TaskPage;
  ids(): TaskId[];
  /** @returns unsubscribe */
  onChange(listener: (hint: TaskHint) => void): () => void;
  /** Resolves once `revision` is applied; throws `unavailable` when the signal aborts first. */
  waitFor(revision: string, signal: AbortSignal): Promise<void>;
}
