/**
 * Lives in which people and machines misbehave, against real processes: pauses, two replicas, reboots without end, cancellation in the middle of
 * a write, rejection, hardware that is not what was approved. After each the judge reads etcd and the disks.
 */
import type { TaskId } from '@lpmos/core';
import { combineFaults, fleetMac, lostMemoryAt, powerCutAt, swappedDiskAt, when } from '@lpmos/simulator';
import type { Machine, MachineOptions } from '@lpmos/simulator';
import { judge } from './checker';
import { approve, insist, liveUntilUp, newMachine, orderInstall, untilStatus } from './harness/life';
import { startSite, until } from './harness/site';
import type { Site } from './harness/site';

jest.setTimeout(120_000);

let site: Site;
const machines: Machine[] = [];
const acknowledged: TaskId[] = [];
beforeAll(async () => {
  site = await startSite();
});
afterEach(async () => {
  expect(
    judge({ entries: await site.everything(), disks: machines.flatMap((one) => one.disks()), acknowledged }),
  ).toEqual([]);
});
afterAll(async () => {
  for (const machine of machines) await machine.close();
  await site.stop();
});

/** A machine with an order to install it. */
async function ordered(options: Partial<MachineOptions> = {}): Promise<{ machine: Machine; id: TaskId }> {
  const machine = newMachine(site, fleetMac(200, machines.length), options);
  machines.push(machine);
  const id = await orderInstall(site.stack.api, machine.mac);
  acknowledged.push(id);
  return { machine, id };
}

const eventsOf = (id: TaskId): string[] => site.tasks.get(id)?.timeline.map(({ event }) => event) ?? [];
const GOOD_LIFE = [
  'task_created',
  'prepared',
  'boot_contacted',
  'hardware_reported',
  'approved',
  'install_started',
  'install_succeeded',
  'host_up',
];

describe('a regional daemon that stands still for three seconds', () => {
  it.each(['hardware-sent', 'write-half'] as const)('at %s goes on where it stood', async (point) => {
    const pid = site.stack.daemon.pid;
    const { machine, id } = await ordered({
      hooks: when({ point }, () => {
        process.kill(pid, 'SIGSTOP');
        setTimeout(() => process.kill(pid, 'SIGCONT'), 3_000);
      }),
    });
    const [outcome] = await Promise.all([liveUntilUp(machine), approve(site, site.stack.api, id)]);
    expect(outcome.kind).toBe('host-up');
    await until('the whole life', () => eventsOf(id).includes('host_up'));
    expect(eventsOf(id)).toEqual(GOOD_LIFE);
    expect(site.stack.daemon.pid).toBe(pid);
    expect(machine.disk.history()).toHaveLength(1);
  });
});

describe('two control planes behind one client', () => {
  it('are one to whoever asks, also while one of them is killed', async () => {
    const replica = await site.stack.startReplica();
    const first = Number(new URL(site.stack.apiUrl).port);
    const api = site.clientOver([first, replica.port]);
    const machine = newMachine(site, fleetMac(200, machines.length));
    machines.push(machine);
    const id = await orderInstall(api, machine.mac);
    acknowledged.push(id);
    for (let turn = 0; turn < 6; turn += 1) {
      expect((await api.getTask(id)).task_id).toBe(id);
      const listed = await api.listTasks({ targetMac: machine.mac });
      expect(listed.tasks.map((task) => task.task_id)).toEqual([id]);
    }
    const life = liveUntilUp(machine);
    await untilStatus(site, id, 'pending_approval');
    await site.kill('control plane');
    await approve(site, api, id);
    await site.restart('control plane');
    expect((await life).kind).toBe('host-up');
    for (let turn = 0; turn < 4; turn += 1) {
      expect((await insist(() => api.getTask(id))).status).toBe('completed');
    }
    await replica.child.stop();
  });
});

describe('a finished task', () => {
  it('does not write again, however often the machine boots over the network', async () => {
    const { machine, id } = await ordered({ bootLoop: 10, timeScale: 0.1 });
    const [outcome] = await Promise.all([liveUntilUp(machine), approve(site, site.stack.api, id)]);
    expect(outcome).toMatchObject({ kind: 'host-up', boots: 12 });
    expect(
      machine.events.filter(({ detail }) => detail.startsWith('the script says local disk')),
    ).toHaveLength(11);
    expect(machine.disk.history()).toHaveLength(1);
    expect(eventsOf(id)).toEqual(GOOD_LIFE);
  });
});

describe('an operator who says no', () => {
  it('while the disk is written: the agent stops at the next safe point and never goes on', async () => {
    const { machine, id } = await ordered({
      hooks: when({ point: 'write-half' }, async ({ machine: one }) => {
        await insist(() => site.stack.api.cancelTask(id));
        await until('the order to cancel', () =>
          one.events.some(({ detail }) => detail.startsWith('ordered to cancel')),
        );
      }),
    });
    const [outcome] = await Promise.all([machine.powerOn(), approve(site, site.stack.api, id)]);
    expect(outcome.kind).toBe('no-bootable-device');
    await untilStatus(site, id, 'cancelled');
    expect(eventsOf(id).slice(-2)).toEqual(['cancel_requested', 'cancel_obeyed']);
    const [record, ...more] = machine.disk.history();
    expect(record).toMatchObject({ taskId: id, attempt: 1, ended: 'abandoned' });
    expect(more).toEqual([]);
    expect((await machine.powerOn()).kind).toBe('no-bootable-device');
    expect(machine.disk.history()).toHaveLength(1);
  });

  it('to the hardware: not one byte of the disk changes', async () => {
    const { machine, id } = await ordered();
    const before = await machine.disk.sha256();
    const life = machine.powerOn();
    await untilStatus(site, id, 'pending_approval');
    await insist(() => site.stack.api.rejectTask(id, { reason: 'wrong rack' }));
    expect((await life).kind).toBe('no-bootable-device');
    await untilStatus(site, id, 'rejected');
    expect(machine.events.some(({ detail }) => detail.includes('ordered to reboot'))).toBe(true);
    expect(await machine.disk.sha256()).toBe(before);
    expect(machine.disk.history()).toEqual([]);
  });
});

describe('hardware that is not what was seen', () => {
  it('before the approval: the report is renewed, and what was seen can no longer be approved', async () => {
    const at = { point: 'hardware-acknowledged' } as const;
    let seen: string | undefined;
    const { machine, id } = await ordered({
      hooks: combineFaults(
        when(at, async () => {
          seen = (await untilStatus(site, id, 'pending_approval')).version;
        }),
        lostMemoryAt(at),
        powerCutAt(at, 'reset'),
      ),
    });
    const life = liveUntilUp(machine);
    await until(
      'the second report',
      () => eventsOf(id).filter((name) => name === 'hardware_reported').length === 2,
    );
    const stale = site.stack.api.approveTask(id, { approved: true }, { ifVersion: seen ?? '' });
    await expect(stale).rejects.toMatchObject({
      code: 'stale',
    });
    expect(machine.disk.history()).toEqual([]);
    await approve(site, site.stack.api, id);
    expect((await life).kind).toBe('host-up');
    expect(site.tasks.get(id)?.hardware?.report.memory).toEqual(machine.hardware().memory);
  });

  it('after the approval: nothing is written, and the task waits for a new approval', async () => {
    const { machine, id } = await ordered({ hooks: powerCutAt({ point: 'hardware-acknowledged' }, 'off') });
    expect((await machine.powerOn()).kind).toBe('powered-off');
    await approve(site, site.stack.api, id);
    machine.changeHardware((hardware) => ({
      ...hardware,
      memory: { ...hardware.memory, total_gb: hardware.memory.total_gb / 2 },
    }));
    const life = liveUntilUp(machine);
    await until('the void approval', () => eventsOf(id).includes('hardware_changed'));
    const task = await untilStatus(site, id, 'pending_approval');
    expect(task.approval?.status).toBe('pending');
    expect(task.grant).toBeUndefined();
    expect(machine.disk.history()).toEqual([]);
    await approve(site, site.stack.api, id);
    expect((await life).kind).toBe('host-up');
    expect(machine.disk.history()).toHaveLength(1);
  });

  it('under the running agent: it refuses the order before the first byte', async () => {
    const { machine, id } = await ordered({ hooks: swappedDiskAt({ point: 'order-received' }, 77) });
    const [outcome] = await Promise.all([machine.powerOn(), approve(site, site.stack.api, id)]);
    expect(outcome.kind).toBe('no-bootable-device');
    await until('the end', () => eventsOf(id).includes('failed'));
    expect(site.tasks.get(id)?.error?.class).toMatch(/hardware_changed|disk_refused/);
    expect(machine.disks().flatMap((disk) => disk.history())).toEqual([]);
  });
});
