/**
 * The values under the keys: one codec for every kind of document, as a table. JSON values carry `schema_version`;
 * the plain strings of the seed (status, heartbeat, logs, last_seen, task_id) and the grant stay plain.
 * decode either gives a value of exactly its type or throws LpmosError `corrupt` that names the key: a state that this
 * program does not know is a loud error and never a guess.
 */
import {
  BOOT_ORDERS,
  EXIT_METHODS,
  FAILURE_CLASSES,
  isRegionId,
  isTaskId,
  isTaskStatus,
  LpmosError,
  TASK_EVENT_NAMES,
  TASK_STATUS_NAMES,
} from '@lpmos/core';
import type {
  Approval,
  DiskIdentity,
  LeaseCopy,
  MachineBoot,
  MachineBoots,
  RegionCapabilities,
  RegionId,
  RegionMetadata,
} from '@lpmos/core';
import type {
  StoredHardware,
  TaskError,
  TaskId,
  TaskMetadata,
  TaskProgress,
  TaskRun,
  TaskStatus,
  TimelineEvent,
} from '@lpmos/core';
import { hardwareReport, macAddress } from './hardware-shape';
import { bootsShape, capabilitiesShape, leaseShape } from './region-shapes';
import {
  amount,
  count,
  digest,
  isoInstant,
  listOf,
  matching,
  object,
  oneOf,
  optional,
  text,
  textByName,
  version1,
} from './shape';
import type { Check } from './shape';

export interface Codec<T> {
  encode(value: T): string;
  /** @throws LpmosError `corrupt` naming `key` and the field. */
  decode(key: string, stored: string): T;
}

/** Values of the core types that carry no version of their own get it here. */
type Versioned<T> = T & { readonly schema_version: 1 };

export function corrupt(key: string, problem: string): LpmosError {
  return new LpmosError({
    code: 'corrupt',
    message: `The stored value of ${key} does not decode: ${problem}`,
    details: { key },
  });
}

function jsonCodec<T>(check: Check): Codec<T> {
  return {
    encode: (value) => JSON.stringify(readable(value, check(value, ''))),
    decode: (key, stored) => parse<T>(key, stored, check),
  };
}

/** Adds `schema_version` on the way in and takes it off on the way out. */
function versionedCodec<T extends object>(check: Check): Codec<T> {
  return {
    encode: (value) => {
      const versioned = { schema_version: 1, ...value };
      return JSON.stringify(readable(versioned, check(versioned, '')));
    },
    decode: (key, stored) => {
      const { schema_version: _, ...value } = parse<Versioned<T>>(key, stored, check);
      return value as unknown as T;
    },
  };
}

/** What could not be read back is never written: one such document would hide its whole task from every reader. */
function readable<T>(value: T, problem: string | undefined): T {
  if (problem === undefined) return value;
  throw new LpmosError({
    code: 'internal',
    message: `A document that nobody could read was not written: ${problem}`,
  });
}

function parse<T>(key: string, stored: string, check: Check): T {
  let value: unknown;
  try {
    value = JSON.parse(stored);
  } catch {
    throw corrupt(key, 'it is not JSON');
  }
  const problem = check(value, '');
  if (problem !== undefined) throw corrupt(key, problem);
  return value as T;
}

function plainCodec<T extends string>(rule: string, accepts: (stored: string) => boolean): Codec<T> {
  return {
    encode: (value) => readable(value, accepts(value) ? undefined : `is not ${rule}`),
    decode: (key, stored) => {
      if (accepts(stored)) return stored as T;
      throw corrupt(key, `"${stored.slice(0, 40)}" is not ${rule}`);
    },
  };
}

const taskId = matching('a task id', isTaskId);
const regionId = matching('a region id', isRegionId);
const status = oneOf(...TASK_STATUS_NAMES);

const metadataShape = object<TaskMetadata>({
  schema_version: version1,
  id: taskId,
  region_id: regionId,
  target_mac: macAddress,
  os_type: text,
  os_version: text,
  disk_layout: text,
  network_config: oneOf('dhcp'),
  created_at: isoInstant,
  created_by: text,
  tags: textByName,
  project: text,
  hostname: optional(text),
  boot: optional(
    object<MachineBoot>({
      exit_method: optional(oneOf(...EXIT_METHODS)),
      order: optional(oneOf(...BOOT_ORDERS)),
    }),
  ),
  ssh_authorized_keys: listOf(text),
});

const approvalShape = object<Approval>({
  schema_version: version1,
  status: oneOf('approved', 'rejected', 'pending'),
  approved_by: optional(text),
  approved_at: optional(isoInstant),
  rejected_by: optional(text),
  rejected_at: optional(isoInstant),
  notes: optional(text),
  reason: optional(text),
  hardware_digest: optional(digest),
  disk: optional(object<DiskIdentity>({ serial: text, wwn: text, model: text, size_bytes: count })),
  image_digest: optional(digest),
  grant_expires_at: optional(isoInstant),
});

const runShape = object<TaskRun>({
  schema_version: version1,
  attempt: count,
  state_since: isoInstant,
  deadline: optional(isoInstant),
  waiting_for: optional(text),
  cancellation: optional(object<NonNullable<TaskRun['cancellation']>>({ by: text, at: isoInstant })),
  session_id: optional(text),
});

const progressShape = object<Versioned<TaskProgress>>({
  schema_version: version1,
  attempt: count,
  phase: text,
  percent: amount,
  message: text,
  bytes_done: optional(count),
  bytes_total: optional(count),
  at: isoInstant,
});

const timelineShape = object<Versioned<TimelineEvent>>({
  schema_version: version1,
  seq: count,
  timestamp: isoInstant,
  event: oneOf('task_created', ...TASK_EVENT_NAMES),
  from: optional(status),
  to: status,
  actor: text,
  request_id: optional(text),
  detail: optional(text),
});

/** Which task a machine's guard or an idempotency key stands for. */
export interface TaskPointer {
  readonly schema_version: 1;
  readonly task_id: TaskId;
}

export interface IdempotencyRecord extends TaskPointer {
  readonly request_digest: string;
}

export interface RegionPointer {
  readonly schema_version: 1;
  readonly region_id: RegionId;
}

const anyText = (): boolean => true;
const isInstant = (stored: string): boolean => !Number.isNaN(Date.parse(stored));

/** One row for every kind of value in the tree. */
export const codecs = {
  metadata: jsonCodec<TaskMetadata>(metadataShape),
  status: plainCodec<TaskStatus>(`a status (${TASK_STATUS_NAMES.join(', ')})`, isTaskStatus),
  run: jsonCodec<TaskRun>(runShape),
  hardware: jsonCodec<StoredHardware>(
    object<StoredHardware>({ schema_version: version1, report: hardwareReport, digest }),
  ),
  approval: jsonCodec<Approval>(approvalShape),
  grant: plainCodec<string>('a compact JWS', (stored) => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(stored)),
  error: jsonCodec<TaskError>(
    object<TaskError>({
      schema_version: version1,
      class: oneOf(...FAILURE_CLASSES),
      message: text,
      at: isoInstant,
      attempt: count,
    }),
  ),
  progress: versionedCodec<TaskProgress>(progressShape),
  logs: plainCodec<string>('text', anyText),
  timeline: versionedCodec<TimelineEvent>(timelineShape),
  guard: jsonCodec<TaskPointer>(object<TaskPointer>({ schema_version: version1, task_id: taskId })),
  idempotency: jsonCodec<IdempotencyRecord>(
    object<IdempotencyRecord>({ schema_version: version1, task_id: taskId, request_digest: text }),
  ),
  regionMetadata: jsonCodec<RegionMetadata>(
    object<RegionMetadata>({
      schema_version: version1,
      id: regionId,
      tag: matching('eight hex digits', (value) => /^[0-9a-f]{8}$/.test(value)),
      display_name: text,
      created_at: isoInstant,
      created_by: text,
    }),
  ),
  regionTag: jsonCodec<RegionPointer>(
    object<RegionPointer>({ schema_version: version1, region_id: regionId }),
  ),
  capabilities: jsonCodec<RegionCapabilities>(capabilitiesShape),
  boots: jsonCodec<MachineBoots>(bootsShape),
  lease: jsonCodec<LeaseCopy>(leaseShape),
  heartbeat: plainCodec<string>('an ISO 8601 instant', isInstant),
} as const;
