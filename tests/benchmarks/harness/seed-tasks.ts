/**
 * Many tasks in etcd, written by the product's own store: every document and guard is what the control plane and a region would have
 * written. Half wait for a decision with a hardware report, half wait for their machine. They belong to a region without a daemon, so
 * that nobody works on them.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  applyEvent,
  createTaskId,
  hardwareDigest,
  isoTime,
  parseMacAddress,
  parseRegionId,
  regionTag,
  firstRun,
} from '@lpmos/core';
import type { MacAddress, Sha256, TaskEvent, TaskRecord, TaskStore, WriteOutcome } from '@lpmos/core';
import { generateHardware } from '@lpmos/simulator';

export const SHELF_REGION = parseRegionId('shelf');

const sha256: Sha256 = (bytes) => new Uint8Array(createHash('sha256').update(bytes).digest());
/** Enough to keep etcd busy and few enough that none waits for its deadline. */
const IN_FLIGHT = 32;

export async function seedTasks(store: TaskStore, count: number, first = 0): Promise<TaskRecord[]> {
  const tasks: TaskRecord[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) tasks.push(await seedTask(store, first + index));
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return tasks;
}

async function seedTask(store: TaskStore, index: number): Promise<TaskRecord> {
  const mac = parseMacAddress(`02ee${index.toString(16).padStart(8, '0')}`);
  let task = await newTask(store, mac);
  const events: TaskEvent[] = [{ name: 'prepared' }];
  if (index % 2 === 0) events.push({ name: 'boot_contacted', via: 'dhcp' }, reported(mac));
  for (const event of events) task = await move(store, task, event);
  return task;
}

async function newTask(store: TaskStore, mac: MacAddress): Promise<TaskRecord> {
  const nowMs = Date.now();
  const id = createTaskId(regionTag(SHELF_REGION, sha256), new Uint8Array(randomBytes(12)));
  const created_at = isoTime(nowMs);
  return done(
    await store.create({
      metadata: {
        schema_version: 1,
        id,
        region_id: SHELF_REGION,
        target_mac: mac,
        os_type: 'debian',
        os_version: '12',
        disk_layout: 'auto',
        network_config: 'dhcp',
        created_at,
        created_by: 'benchmark',
        tags: { rack: `r${Math.floor(Number.parseInt(mac.slice(-2), 16) / 16)}` },
        project: 'default',
        ssh_authorized_keys: [],
      },
      run: firstRun(nowMs),
      created: { seq: 0, timestamp: created_at, event: 'task_created', to: 'pending', actor: 'benchmark' },
    }),
  );
}

function reported(mac: MacAddress): TaskEvent {
  const report = {
    ...generateHardware({ mac, seed: 1, firmware: 'bios' }),
    collected_at: isoTime(Date.now()),
  };
  const digest = hardwareDigest(report, sha256);
  return {
    name: 'hardware_reported',
    hardware: { schema_version: 1, report, digest },
    sessionId: 'benchmark',
  };
}

export async function move(store: TaskStore, task: TaskRecord, event: TaskEvent): Promise<TaskRecord> {
  const applied = applyEvent(task, event, { nowMs: Date.now(), actor: 'benchmark' });
  if (applied.kind !== 'change') throw new Error(`${event.name} changes nothing in ${task.status}`);
  return done(await store.commit(task, applied.change));
}

function done<T>(outcome: WriteOutcome<T>): T {
  if (outcome.kind === 'done') return outcome.value;
  const cause: unknown = outcome.kind === 'refused' ? outcome.error : outcome.cause;
  throw new Error(`a task could not be seeded: ${outcome.kind}, ${String(cause)}`, { cause });
}
