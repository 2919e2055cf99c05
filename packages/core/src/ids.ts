/**
 * Region and task ids. A task id is a UUIDv8 (RFC 9562 section 5.8) whose first 32 bits are its region's tag,
 * so that all tasks of one region are one contiguous key range that a store can watch and fence by permission.
 * Pure: hashing and random bytes are passed in.
 */
import { invalidField, LpmosError } from './errors';

declare const brand: unique symbol;

export type RegionId = string & { readonly [brand]: 'RegionId' };
export type TaskId = string & { readonly [brand]: 'TaskId' };
/** Eight lower-case hex digits: the first four bytes of SHA-256 of the region id. */
export type RegionTag = string & { readonly [brand]: 'RegionTag' };

export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** A region id is a DNS label: it appears in host names, keys and certificates. */
const REGION_ID = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const TASK_ID = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

export const REGION_ID_RULE = '1 to 32 lower-case letters, digits and inner hyphens, such as "dc1"';
export const TASK_ID_RULE = 'a task id such as 5891b5b5-22d5-8df0-86d0-ff0b110fbd9d';

export function isRegionId(text: string): text is RegionId {
  return REGION_ID.test(text);
}

/** Task ids are written in lower case; an id that differs in case names no task. */
export function isTaskId(text: string): text is TaskId {
  return TASK_ID.test(text);
}

/** @throws LpmosError `invalid_argument` naming `field`. */
export function parseRegionId(text: string, field = 'region_id'): RegionId {
  if (isRegionId(text)) return text;
  throw invalid(field, REGION_ID_RULE);
}

/** @throws LpmosError `invalid_argument` naming `field`. */
export function parseTaskId(text: string, field = 'task_id'): TaskId {
  if (isTaskId(text)) return text;
  throw invalid(field, TASK_ID_RULE);
}

export function regionTag(regionId: RegionId, sha256: Sha256): RegionTag {
  return hex(sha256(new TextEncoder().encode(regionId)).subarray(0, 4)) as RegionTag;
}

export function tagOfTask(taskId: TaskId): RegionTag {
  return taskId.slice(0, 8) as RegionTag;
}

/** @param random 12 random bytes; the version and variant bits of RFC 9562 are set over them. */
export function createTaskId(tag: RegionTag, random: Uint8Array): TaskId {
  if (random.length !== 12)
    throw new LpmosError({ code: 'internal', message: 'A task id needs 12 random bytes' });
  const bytes = Uint8Array.from(random);
  bytes[2] = ((bytes[2] ?? 0) & 0x0f) | 0x80;
  bytes[4] = ((bytes[4] ?? 0) & 0x3f) | 0x80;
  const text = hex(bytes);
  return `${tag}-${text.slice(0, 4)}-${text.slice(4, 8)}-${text.slice(8, 12)}-${text.slice(12)}` as TaskId;
}

export function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function invalid(path: string, rule: string): LpmosError {
  return invalidField(path, `must be ${rule}`);
}
