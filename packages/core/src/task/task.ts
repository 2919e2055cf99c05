/**
 * What a task is: the documents that hang under its id, each with its owner (docs/architecture.md). These are values; store assembles and writes them.
 * `version` changes with every transition and with nothing else: it is the guard of every write and the ETag of the API.
 */
import type { MachineBoot } from '../boot/exit-method';
import type { DiskIdentity } from '../machine/disk-selector';
import type { HardwareDigest, HardwareReport } from '../machine/hardware';
import type { MacAddress } from '../machine/mac-address';
import type { RegionId, TaskId } from '../ids';
import type { TaskStatus } from './status';
import type { TaskEventName } from './transitions';

/** Written once at creation (key `metadata`). */
export interface TaskMetadata {
  readonly schema_version: 1;
  readonly id: TaskId;
  readonly region_id: RegionId;
  readonly target_mac: MacAddress;
  readonly os_type: string;
  readonly os_version: string;
  /** A disk selector, see machine/disk-selector.ts; `auto` is the only suitable disk. */
  readonly disk_layout: string;
  readonly network_config: 'dhcp';
  readonly created_at: string;
  readonly created_by: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly project: string;
  readonly hostname?: string;
  readonly boot?: MachineBoot;
  readonly ssh_authorized_keys: readonly string[];
}

/** Key `hardware`. */
export interface StoredHardware {
  readonly schema_version: 1;
  readonly report: HardwareReport;
  readonly digest: HardwareDigest;
}

/** Key `approval`. The grant itself is a key of its own and never part of an API answer. */
export interface Approval {
  readonly schema_version: 1;
  readonly status: 'approved' | 'rejected' | 'pending';
  readonly approved_by?: string;
  readonly approved_at?: string;
  readonly rejected_by?: string;
  readonly rejected_at?: string;
  readonly notes?: string;
  readonly reason?: string;
  /** What was seen and approved. */
  readonly hardware_digest?: HardwareDigest;
  readonly disk?: DiskIdentity;
  readonly image_digest?: string;
  readonly grant_expires_at?: string;
}

/** Key `error`. */
export interface TaskError {
  readonly schema_version: 1;
  readonly class: FailureClass;
  readonly message: string;
  readonly at: string;
  readonly attempt: number;
}

/** Why a task failed, for people, dead letters and retries. */
export const FAILURE_CLASSES = [
  'deadline',
  'agent_silent',
  'agent_lost',
  'grant_refused',
  'disk_refused',
  'hardware_changed',
  'image_digest',
  'image_download',
  'disk_write',
  'personalisation',
  'agent_fault',
] as const;
export type FailureClass = (typeof FAILURE_CLASSES)[number];

/** Key `run`: where the work stands. */
export interface TaskRun {
  readonly schema_version: 1;
  /** How many attempts of the grant were claimed; 0 before the first. */
  readonly attempt: number;
  readonly state_since: string;
  /** When the present state expires; absent in terminal states. */
  readonly deadline?: string;
  /** Why the region cannot go on, in words, while it cannot. */
  readonly waiting_for?: string;
  readonly cancellation?: { readonly by: string; readonly at: string };
  /** The agent session that reported last or was ordered to install; another session means a rebooted machine. */
  readonly session_id?: string;
}

/** Key `progress`: overwritten often, never a transition. */
export interface TaskProgress {
  readonly attempt: number;
  readonly phase: string;
  readonly percent: number;
  readonly message: string;
  readonly bytes_done?: number;
  readonly bytes_total?: number;
  readonly at: string;
}

/** Keys `timeline/NNNN`: one per transition, written in its transaction. It is the audit trail of the task as well. */
export interface TimelineEvent {
  readonly seq: number;
  readonly timestamp: string;
  readonly event: 'task_created' | TaskEventName;
  readonly from?: TaskStatus;
  readonly to: TaskStatus;
  /** Who: a user's subject, or `region:dc1`. */
  readonly actor: string;
  readonly request_id?: string;
  readonly detail?: string;
}

/** A task as a reader sees it at one revision. */
export interface TaskRecord {
  readonly metadata: TaskMetadata;
  readonly status: TaskStatus;
  /** Decimal mod_revision of the status key. */
  readonly version: string;
  readonly run: TaskRun;
  readonly hardware?: StoredHardware;
  readonly approval?: Approval;
  /** Compact JWS; a capability, so never shown. */
  readonly grant?: string;
  readonly error?: TaskError;
  readonly progress?: TaskProgress;
  readonly logs?: string;
  readonly timeline: readonly TimelineEvent[];
}
