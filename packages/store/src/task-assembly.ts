/**
 * From the keys of one task to the TaskRecord that readers see. Pure; used by reads (task-store.ts) and the cache (task-cache.ts),
 * so that both say the same. A task exists once metadata, status and run are there: creation writes them in one transaction,
 * so fewer means that the reader does not see the whole task (yet), never that a field may be guessed.
 */
import type { TaskId, TaskRecord, TimelineEvent } from '@lpmos/core';
import { parseTaskKey } from './keys';
import type { TaskKey, TaskPart } from './keys';
import type { KvEntry, Revision } from './kv';
import { codecs, corrupt } from './records';

export interface TaskDocument {
  readonly key: TaskKey;
  readonly modRevision: Revision;
  readonly value: unknown;
}

/** @throws LpmosError `corrupt` naming the key. */
export function decodeTaskEntry(key: TaskKey, entry: KvEntry): TaskDocument {
  const value: unknown = codecs[key.part].decode(entry.key, entry.value);
  if (key.part === 'metadata' && (value as { readonly id: TaskId }).id !== key.id) {
    throw corrupt(entry.key, `its id is ${(value as { readonly id: TaskId }).id}`);
  }
  return { key, modRevision: entry.modRevision, value };
}

/** Undefined while metadata, status or run is missing. */
export function assembleTask(documents: Iterable<TaskDocument>): TaskRecord | undefined {
  const parts: Partial<Record<TaskPart, unknown>> = {};
  const timeline: TimelineEvent[] = [];
  let version: Revision | undefined;
  for (const { key, value, modRevision } of documents) {
    if (key.part === 'timeline') timeline.push(value as TimelineEvent);
    else parts[key.part] = value;
    if (key.part === 'status') version = modRevision;
  }
  const { metadata, status, run, ...rest } = parts;
  if (metadata === undefined || status === undefined || run === undefined || version === undefined)
    return undefined;
  timeline.sort((a, b) => a.seq - b.seq);
  // Every value came out of its own codec, whose type is the field's: the table in records.ts is what makes this cast true.
  return { metadata, status, run, ...rest, version: String(version), timeline } as unknown as TaskRecord;
}

/** @throws LpmosError `corrupt`. */
export function taskOfEntries(entries: readonly KvEntry[]): TaskRecord | undefined {
  const documents: TaskDocument[] = [];
  for (const entry of entries) {
    const key = parseTaskKey(entry.key);
    if (key !== undefined) documents.push(decodeTaskEntry(key, entry));
  }
  return assembleTask(documents);
}
