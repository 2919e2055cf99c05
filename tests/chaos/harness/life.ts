/**
 * One life of a simulated machine as people live it: an operator orders, a technician powers on (again, when the machine stands still), the
 * operator approves what was reported. Everything is said until it is heard, as people do when a server is away for a moment.
 */
import { randomUUID } from 'node:crypto';
import type { ApiClient } from '@lpmos/api';
import { isTerminal, LpmosError, parseTaskId } from '@lpmos/core';
import type { TaskId, TaskRecord, TaskStatus } from '@lpmos/core';
import { sleep } from '@lpmos/runtime';
import { createMachine } from '@lpmos/simulator';
import type { Machine, MachineOptions, Outcome } from '@lpmos/simulator';
import { REGION, until } from './site';
import type { Site } from './site';

const DISK_BYTES = 16 * 1024 * 1024;
/** Firmware and agents wait this share of what real ones do; below it an agent's five tries end before a killed daemon is back. */
export const TIME_SCALE = 0.5;
const LIFE_MS = 60_000;
const SAY_AGAIN_MS = 100;

export function newMachine(site: Site, mac: string, options: Partial<MachineOptions> = {}): Machine {
  const { network, relay } = site;
  return createMachine({
    ...{ mac, network, relay, seed: 11, diskBytes: DISK_BYTES, timeScale: TIME_SCALE, lifeMs: LIFE_MS },
    ...options,
  });
}

/** Says it until it is heard. What the server understood and refused is thrown at once. */
export async function insist<T>(say: () => Promise<T>, deadlineMs = 30_000): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await say();
    } catch (thrown) {
      const { code } = LpmosError.from(thrown);
      const passing = ['unavailable', 'deadline_exceeded', 'outcome_unknown', 'internal'].includes(code);
      if (!passing || performance.now() > deadline) throw thrown;
      await sleep(SAY_AGAIN_MS);
    }
  }
}

/** The same key each time: however often it is said, it is one task. */
export async function orderInstall(api: ApiClient, mac: string): Promise<TaskId> {
  const idempotencyKey = randomUUID();
  const body = { region_id: REGION, target_mac: mac, os_type: 'debian', os_version: '12' };
  const task = await insist(() =>
    api.createTask({ ...body, disk_layout: 'auto', network_config: 'dhcp' }, { idempotencyKey }),
  );
  return parseTaskId(task.task_id);
}

export async function untilStatus(site: Site, id: TaskId, status: TaskStatus): Promise<TaskRecord> {
  await until(`status ${status} of ${id}`, () => {
    const task = site.tasks.get(id);
    if (task !== undefined && task.status !== status && isTerminal(task.status)) {
      throw new Error(`${id} is ${task.status}, not ${status}: ${task.error?.message ?? ''}`);
    }
    return task?.status === status;
  });
  const task = site.tasks.get(id);
  if (task === undefined) throw new Error(`${id} is gone`);
  return task;
}

/** Approves the report that is there; a refusal because an earlier try landed is success. */
export async function approve(site: Site, api: ApiClient, id: TaskId): Promise<void> {
  await untilStatus(site, id, 'pending_approval');
  await insist(async () => {
    try {
      await api.approveTask(id, { approved: true, notes: 'chaos' });
    } catch (thrown) {
      const landed = site.tasks.get(id)?.timeline.some(({ event }) => event === 'approved') === true;
      if (!landed) throw thrown;
    }
  });
}

/** Powers on until the machine runs from its disk: a technician presses the button of one that found nothing to boot. */
export async function liveUntilUp(machine: Machine): Promise<Outcome> {
  const deadline = performance.now() + LIFE_MS;
  for (;;) {
    const outcome = await machine.powerOn();
    if (outcome.kind === 'host-up' || performance.now() > deadline) return outcome;
    await sleep(SAY_AGAIN_MS);
  }
}
