/**
 * THE ONLY PLACE that spells an etcd key; builds and parses every kind. The tree is the seed's own (002 section 3), so
 * `etcdctl get --prefix /lpmos/` shows what it describes; `run`, `grant`, `progress`, `timeline/` and the guards stand beside it.
 * Task ids start with their region's tag, so tasksRange(tag) is one contiguous range that an etcd role can be granted on.
 */
import { createHash } from 'node:crypto';
import { isIPv4 } from 'node:net';
import { isTaskId, readMacAddress } from '@lpmos/core';
import type { MacAddress, RegionId, RegionTag, TaskId } from '@lpmos/core';
import { prefixRange } from './kv';
import type { KeyRange } from './kv';

const ROOT = '/lpmos/';
const TASKS = `${ROOT}tasks/`;
const REGIONS = `${ROOT}regions/`;
const REGION_TAGS = `${ROOT}region-tags/`;

/** The documents of a task that are one key each. */
export const TASK_PARTS = [
  'metadata',
  'status',
  'run',
  'hardware',
  'approval',
  'grant',
  'error',
  'progress',
  'logs',
] as const;
export type TaskPart = (typeof TASK_PARTS)[number];

export function taskKey(id: TaskId, part: TaskPart): string {
  return `${TASKS}${id}/${part}`;
}

/** Four digits keep the timeline in order under `etcdctl get --prefix`. */
export function timelineKey(id: TaskId, seq: number): string {
  return `${TASKS}${id}/timeline/${String(seq).padStart(4, '0')}`;
}

/** Every key of one task. */
export function taskRange(id: TaskId): KeyRange {
  return prefixRange(`${TASKS}${id}/`);
}

/** Every task, or every task of the region with this tag. */
export function tasksRange(tag?: RegionTag): KeyRange {
  return prefixRange(tag === undefined ? TASKS : `${TASKS}${tag}-`);
}

/** The whole tree: who watches it sees every revision that LPMOS makes. */
export function treeRange(): KeyRange {
  return prefixRange(ROOT);
}

/** A key that says nothing: writing it makes a revision that every watcher of all tasks or of the tree sees. In no region's range. */
export const MARK_KEY = `${TASKS}mark`;

export type TaskKey =
  | { readonly id: TaskId; readonly part: TaskPart }
  | { readonly id: TaskId; readonly part: 'timeline'; readonly seq: number };

/** What a key under tasks/ means, or undefined when it is none of ours. */
export function parseTaskKey(key: string): TaskKey | undefined {
  if (!key.startsWith(TASKS)) return undefined;
  const [id, part, seq, ...more] = key.slice(TASKS.length).split('/');
  if (id === undefined || part === undefined || more.length > 0 || !isTaskId(id)) return undefined;
  if (part === 'timeline' && seq !== undefined && /^\d{4,}$/.test(seq)) return { id, part, seq: Number(seq) };
  const known = TASK_PARTS.find((name) => name === part);
  return known === undefined || seq !== undefined ? undefined : { id, part: known };
}

export const REGION_PARTS = [
  'metadata',
  'client/heartbeat',
  'client/status',
  'client/capabilities',
  'leader',
] as const;
export type RegionPart = (typeof REGION_PARTS)[number];

export function regionKey(id: RegionId, part: RegionPart): string {
  return `${REGIONS}${id}/${part}`;
}

/** What a region remembers of the boots of one machine. */
export function bootsKey(region: RegionId, mac: MacAddress): string {
  return `${REGIONS}${region}/boots/${mac}`;
}

/** Every machine whose boots a region remembers. */
export function bootsRange(region: RegionId): KeyRange {
  return prefixRange(`${REGIONS}${region}/boots/`);
}

/** The machine of a key in bootsRange, or undefined when the key is none of ours. */
export function parseBootsKey(key: string): MacAddress | undefined {
  return readMacAddress(/\/boots\/([0-9a-f:]{17})$/.exec(key)?.[1] ?? '');
}

/** An address of a link; the name of the link is the operator's. */
export interface LeasedAddress {
  readonly link: string;
  /** Dotted IPv4. */
  readonly address: string;
}

/** The copy of the DHCP lease of one address. */
export function leaseKey(region: RegionId, link: string, address: string): string {
  return `${REGIONS}${region}/leases/${link}/${address}`;
}

/** Every lease that a region holds a copy of. */
export function leasesRange(region: RegionId): KeyRange {
  return prefixRange(`${REGIONS}${region}/leases/`);
}

/** Whose copy a key in leasesRange is, or undefined when the key is none of ours. */
export function parseLeaseKey(key: string): LeasedAddress | undefined {
  const [, link = '', address = ''] = LEASE_KEY.exec(key) ?? [];
  return isIPv4(address) ? { link, address } : undefined;
}

const LEASE_KEY = /^\/lpmos\/regions\/[^/]+\/leases\/([A-Za-z0-9][\w.-]{0,63})\/([\d.]+)$/;

/** The order to a region to install; empty value, durable. */
export function assignmentKey(region: RegionId, task: TaskId): string {
  return `${REGIONS}${region}/tasks/${task}`;
}

export function regionTagKey(tag: RegionTag): string {
  return `${REGION_TAGS}${tag}`;
}

export function regionTagsRange(): KeyRange {
  return prefixRange(REGION_TAGS);
}

export const AGENT_PARTS = ['info', 'last_seen', 'task_id'] as const;
export type AgentPart = (typeof AGENT_PARTS)[number];

export function agentKey(mac: MacAddress, part: AgentPart): string {
  return `${ROOT}agents/${mac}/${part}`;
}

/** At most one active task per machine: the key names it. */
export function machineGuardKey(mac: MacAddress): string {
  return `${ROOT}guards/machines/${mac}`;
}

/** Hashed, because scope and key are the caller's text; the zero byte keeps ("ab","c") and ("a","bc") apart. */
export function idempotencyKey(scope: string, key: string): string {
  const digest = createHash('sha256').update(`${scope}\0${key}`).digest('hex');
  return `${ROOT}idempotency/${digest}`;
}

/** Configuration that regions read: `global` or `templates`. */
export function configRange(part: 'global' | 'templates'): KeyRange {
  return prefixRange(`${ROOT}config/${part}/`);
}

export function configKey(part: 'global' | 'templates', name: string): string {
  return `${ROOT}config/${part}/${name}`;
}
