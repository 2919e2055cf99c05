/**
 * A machine (QEMU, BIOS) through the real product: network boot, hardware report, approval, installation, its own reboot, its own disk.
 * And what must not happen to it: a reinstall, a disk touched without approval, an installation on hardware that nobody approved.
 * One lab for all; the tests of one machine follow each other as its life does. Disks are judged by their bytes while the machine is off.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sha256OfFile } from '../../scripts/file-digest';
import { LAB_LINK } from '../../scripts/quickstart/lab-site';
import { describeWhen } from '../integration/harness/it-when';
import { isAgentScript, unservedPromises } from './harness/boot-log';
import { until, untilTask } from './harness/follow-task';
import type { TaskAnswer } from './harness/follow-task';
import { BUILD_MS, startLab } from './harness/lab';
import type { Lab } from './harness/lab';
import type { MachineSpec } from './harness/lab-protocol';
import { missingForLab } from './harness/prerequisites';
import { headOfDisk, makeOldDisk, OLD_DISK_WORDS, openInstalledRoot } from './harness/raw-disk';

const MINUTE = 60_000;
/** Firmware, loader, kernel and agent take 15 s on an idle machine. */
const REPORT_MS = 3 * MINUTE;
const INSTALL_MS = 8 * MINUTE;
const BOOT_MS = 3 * MINUTE;
/** The region asks a silent agent every 20 s and gives it 10 s to answer. */
const AGENT_GONE_MS = MINUTE;
const FURTHER_BOOTS = 10;
/** What the boot loader of the installed image says once it has read its menu from the disk. */
const DISK_BOOTS = 'Booting .Debian 12';
/** Made by the first boot from the disk: another installation would have another. */
const HOST_KEY = '/etc/ssh/ssh_host_ed25519_key.pub';
const SSH_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE2nX0mGSXRDOHKkvgNkoG9uGpsHTkNwt9xyJY3Wl0aE operator@lab';

let lab: Lab;
/** Tests that began and did not pass; a test that ran out of time never comes back to say so. */
let open = 0;

/** A test whose failure keeps the logs and says where they are. */
function check(name: string, run: () => Promise<void>, timeoutMs: number): void {
  it(
    name,
    async () => {
      open += 1;
      try {
        await run();
        open -= 1;
      } catch (thrown) {
        (thrown as Error).message += `\n\nLogs, consoles and disks are kept in ${lab.dir}`;
        throw thrown;
      }
    },
    timeoutMs,
  );
}

const waitConsole = (machine: MachineSpec, pattern: string, deadlineMs: number) =>
  lab.ask('waitConsole', { name: machine.name, pattern, deadlineMs });

const ACTIVE = ['pending', 'ready', 'booting', 'pending_approval', 'approved'];

/** Begins with a machine that is off and has no task, whatever a test that failed left behind. */
async function orderTask(machine: MachineSpec, hostname: string): Promise<string> {
  await lab.ask('powerOff', { name: machine.name });
  const left = await lab.api.listTasks({ targetMac: machine.mac, statuses: ACTIVE });
  for (const task of left.tasks) await lab.api.cancelTask(task.task_id);
  const { task_id: taskId } = await lab.api.createTask({
    ...{ region_id: 'lab', target_mac: machine.mac, os_type: 'debian', os_version: '12', hostname },
    ssh_authorized_keys: [SSH_KEY],
  });
  await untilTask(lab.api, taskId, {
    what: 'ready',
    deadlineMs: MINUTE,
    is: ({ status }) => status === 'ready',
  });
  return taskId;
}

const untilStatus = (taskId: string, status: string, deadlineMs: number): Promise<TaskAnswer> =>
  untilTask(lab.api, taskId, { what: status, deadlineMs, is: (task) => task.status === status });

const eventsOf = (task: TaskAnswer): string[] => task.timeline.map(({ event }) => event);

describeWhen(missingForLab())('the first machine', () => {
  beforeAll(
    async () => {
      lab = await startLab({ link: 'server' });
      process.stderr.write(`lab in ${lab.dir}, machines run with ${lab.accelerator}\n`);
    },
    BUILD_MS + 5 * MINUTE,
  );
  afterAll(async () => {
    await lab?.stop({ keep: open > 0 });
  }, MINUTE);

  describe('an approved machine with a blank disk and 512 MB of memory', () => {
    const machine = (): MachineSpec => ({
      ...{ name: 'first', mac: '52:54:00:4c:50:01', uuid: '5fca52d2-38a1-4b4f-9d6b-4c504d4f5301' },
      ...{ serial: 'LAB-0001', memoryMiB: 512 },
      disk: { path: join(lab.dir, 'first.raw'), sizeGiB: 2, serial: 'LABDISK0001', bus: 'virtio' },
    });
    let taskId = '';
    let finished: TaskAnswer | undefined;
    let hostKey: string | undefined;

    check(
      'is booted over the network, installed, reboots by itself and checks in from its disk',
      async () => {
        taskId = await orderTask(machine(), 'first');
        await lab.ask('powerOn', machine());
        const reported = await untilStatus(taskId, 'pending_approval', REPORT_MS);
        expect(reported.hardware?.disks).toMatchObject([
          {
            serial: 'LABDISK0001',
            size_bytes: 2 * 1024 ** 3,
            contents: { partition_table: 'none', file_system: '' },
          },
        ]);
        await lab.api.approveTask(taskId, { approved: true }, { ifVersion: reported.version });
        await untilStatus(taskId, 'completed', INSTALL_MS);
        const up = (task: TaskAnswer): boolean => eventsOf(task).includes('host_up');
        finished = await untilTask(lab.api, taskId, { what: 'host up', deadlineMs: BOOT_MS, is: up });
        await waitConsole(machine(), 'lpmos: checked in as first', BOOT_MS);
        expect(eventsOf(finished)).toEqual([
          ...['task_created', 'prepared', 'boot_contacted', 'hardware_reported', 'approved'],
          ...['install_started', 'install_succeeded', 'host_up'],
        ]);
        expect(finished).toMatchObject({ status: 'completed', run: { attempt: 1 } });
      },
      REPORT_MS + INSTALL_MS + 2 * BOOT_MS,
    );

    check(
      'has its own name, keys and network on its disk, and no check-in token any more',
      async () => {
        expect(finished?.status).toBe('completed');
        await lab.ask('powerOff', { name: 'first' });
        const root = await openInstalledRoot(machine().disk.path);
        try {
          hostKey = await root.read(HOST_KEY);
          expect(hostKey).toMatch(/^ssh-ed25519 /);
          expect(await root.read('/etc/hostname')).toBe('first\n');
          expect(await root.read('/etc/hosts')).toContain('127.0.1.1\tfirst\n');
          expect(await root.read('/root/.ssh/authorized_keys')).toBe(`${SSH_KEY}\n`);
          expect(await root.stat('/root/.ssh/authorized_keys')).toMatch(/Mode:\s+0600.*User:\s+0\s/s);
          expect(await root.read('/etc/systemd/network/10-lpmos.network')).toContain(machine().mac);
          expect(await root.read('/etc/lpmos/ca.pem')).toContain('BEGIN CERTIFICATE');
          expect(await root.read('/etc/lpmos/check-in.json')).toBeUndefined();
        } finally {
          root.close();
        }
      },
      2 * MINUTE,
    );

    check(
      `boots its disk at ${FURTHER_BOOTS} further network-first power-ons and is not installed again`,
      async () => {
        expect(finished?.status).toBe('completed');
        const { path } = machine().disk;
        const head = headOfDisk(path);
        const log = lab.bootLog().length;
        for (let boot = 1; boot <= FURTHER_BOOTS; boot += 1) {
          await lab.ask('powerOn', machine());
          await waitConsole(machine(), 'boots: the local disk', BOOT_MS);
          await waitConsole(machine(), DISK_BOOTS, BOOT_MS);
          await lab.ask('powerOff', { name: 'first' });
        }
        const requests = lab.bootLog().slice(log);
        const scripts = requests.filter(({ request }) => request.includes('/boot/menu.ipxe'));
        expect(scripts.map(({ decision }) => decision)).toEqual(Array(FURTHER_BOOTS).fill('local-disk'));
        expect(requests.filter(({ request }) => /vmlinuz|initramfs|\/images\//.test(request))).toEqual([]);
        expect(headOfDisk(path)).toBe(head);
        const root = await openInstalledRoot(path);
        expect(await root.read(HOST_KEY)).toBe(hostKey);
        root.close();
        expect((await lab.api.getTask(taskId)).timeline).toEqual(finished?.timeline);
      },
      FURTHER_BOOTS * 2 * BOOT_MS,
    );
  });

  describe("a machine with somebody's data on its disk", () => {
    const machine = (): MachineSpec => ({
      ...{ name: 'second', mac: '52:54:00:4c:50:02', uuid: '5fca52d2-38a1-4b4f-9d6b-4c504d4f5302' },
      ...{ serial: 'LAB-0002', memoryMiB: 512 },
      disk: { path: join(lab.dir, 'second.raw'), sizeGiB: 1, serial: 'LABDISK0002', bus: 'virtio' },
    });
    const withMoreMemory = (): MachineSpec => ({ ...machine(), memoryMiB: 768 });
    const withAnotherDisk = (): MachineSpec => ({
      ...withMoreMemory(),
      extraDisks: [{ path: join(lab.dir, 'third.raw'), sizeGiB: 1, serial: 'LABDISK0003', bus: 'virtio' }],
    });
    let taskId = '';
    let before = '';
    const digestOfDisk = (): Promise<string> => sha256OfFile(machine().disk.path);
    /** The disk boots as ever, and afterwards it is byte for byte what it was. */
    const expectUntouched = async (): Promise<void> => {
      await waitConsole(machine(), 'boots: the local disk', BOOT_MS);
      await waitConsole(machine(), OLD_DISK_WORDS, BOOT_MS);
      await lab.ask('powerOff', { name: 'second' });
      expect(await digestOfDisk()).toBe(before);
    };
    const powerOffUnseen = async (): Promise<void> => {
      await lab.ask('powerOff', { name: 'second' });
      const agents = () => lab.ask('health', null);
      await until(
        'no agent connected',
        AGENT_GONE_MS,
        agents,
        ({ connectedAgents }) => connectedAgents === 0,
      );
    };
    const untilReported = (id: string, times: number): Promise<TaskAnswer> => {
      const is = (task: TaskAnswer): boolean =>
        eventsOf(task).filter((event) => event === 'hardware_reported').length === times;
      return untilTask(lab.api, id, { what: `report number ${times}`, deadlineMs: REPORT_MS, is });
    };

    check(
      'shows what stands on its disk, and its old report cannot be approved once the hardware changed',
      async () => {
        await makeOldDisk(machine().disk);
        before = await digestOfDisk();
        taskId = await orderTask(machine(), 'second');
        await lab.ask('powerOn', machine());
        const first = await untilReported(taskId, 1);
        const partition = { number: 1, label: 'old-data', file_system: 'ext4' };
        const contents = { partition_table: 'gpt', partitions: [partition] };
        expect(first.hardware?.disks).toMatchObject([{ serial: 'LABDISK0002', contents }]);
        await lab.ask('powerOff', { name: 'second' });
        await lab.ask('powerOn', withMoreMemory());
        const second = await untilReported(taskId, 2);
        expect(second.status).toBe('pending_approval');
        expect(second.hardware_digest).not.toBe(first.hardware_digest);
        const { detail } = second.timeline.at(-1) ?? {};
        expect(detail).toContain(second.hardware_digest);
        expect(detail).toMatch(/; memory was .*0\.5.*, is now .*0\.75/);
        const late = lab.api.approveTask(taskId, { approved: true }, { ifVersion: first.version });
        await expect(late).rejects.toMatchObject({ code: 'stale' });
      },
      2 * REPORT_MS + MINUTE,
    );

    check(
      'is not installed when its hardware changed after the approval: it waits for approval again',
      async () => {
        await powerOffUnseen();
        const { approval } = await lab.api.approveTask(taskId, { approved: true, target_disk: 'auto' });
        expect(approval.status).toBe('approved');
        await lab.ask('powerOn', withAnotherDisk());
        const changed = (task: TaskAnswer): boolean => eventsOf(task).includes('hardware_changed');
        const task = await untilTask(lab.api, taskId, {
          what: 'change seen',
          deadlineMs: REPORT_MS,
          is: changed,
        });
        expect(task).toMatchObject({ status: 'pending_approval', approval: { status: 'pending' } });
        const change = task.timeline.at(-1);
        expect(change).toMatchObject({ event: 'hardware_changed', from: 'approved', to: 'pending_approval' });
        expect(change?.detail).toMatch(/^disks was (?:(?!LABDISK0003).)*, is now .*LABDISK0003/);
        expect(change?.detail).not.toMatch(/memory|cpu|network/);
        expect(eventsOf(task)).not.toContain('install_started');
        await waitConsole(machine(), 'waiting for an operator to approve', BOOT_MS);
      },
      REPORT_MS + AGENT_GONE_MS + BOOT_MS,
    );

    check(
      'keeps every byte of its disks when it is rejected, and boots its own disk again',
      async () => {
        await lab.api.rejectTask(taskId, { reason: 'somebody still needs this disk' });
        await untilStatus(taskId, 'rejected', MINUTE);
        await expectUntouched();
        const blank = createHash('sha256')
          .update(Buffer.alloc(1024 ** 3))
          .digest('hex');
        expect(await sha256OfFile(join(lab.dir, 'third.raw'))).toBe(blank);
      },
      3 * BOOT_MS,
    );

    check(
      'keeps every byte of its disk when it is cancelled while it waits for approval',
      async () => {
        taskId = await orderTask(machine(), 'second');
        await lab.ask('powerOn', machine());
        await untilStatus(taskId, 'pending_approval', REPORT_MS);
        expect(await advertisedSizes()).toEqual(builtSizes());
        await lab.api.cancelTask(taskId);
        await untilStatus(taskId, 'cancelled', MINUTE);
        await expectUntouched();
      },
      REPORT_MS + 3 * BOOT_MS,
    );

    check(
      'keeps every byte of its disk when it is cancelled after the approval, before it was powered on again',
      async () => {
        taskId = await orderTask(machine(), 'second');
        await lab.ask('powerOn', machine());
        await untilStatus(taskId, 'pending_approval', REPORT_MS);
        await powerOffUnseen();
        await lab.api.approveTask(taskId, { approved: true });
        await lab.api.cancelTask(taskId);
        await untilStatus(taskId, 'cancelled', MINUTE);
        await lab.ask('powerOn', machine());
        await expectUntouched();
        expect(eventsOf(await lab.api.getTask(taskId))).not.toContain('install_started');
      },
      REPORT_MS + AGENT_GONE_MS + 3 * BOOT_MS,
    );

    /** What the script of this machine names, fetched as the machine would. */
    async function advertisedSizes(): Promise<number[]> {
      const menu = `http://${LAB_LINK.serviceAddress}/boot/menu.ipxe?mac=${encodeURIComponent(machine().mac)}`;
      const script = await lab.ask('get', { url: menu });
      expect(script).toMatchObject({ status: 200, text: expect.stringMatching(/^#!ipxe\n/) as string });
      const urls = [...script.text.matchAll(/^(?:kernel|initrd)\b.*?(http:\/\/\S+)/gm)].map(
        ([, url]) => url ?? '',
      );
      const answers = await Promise.all(urls.map((url) => lab.ask('get', { url })));
      expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
      return answers.map(({ bytes }) => bytes).slice(0, 2);
    }

    function builtSizes(): number[] {
      const text = readFileSync(join(lab.ramdiskDir, 'manifest.json'), 'utf8');
      const manifest = JSON.parse(text) as Record<'vmlinuz' | 'initramfs', { size_bytes: number }>;
      return [manifest.vmlinuz.size_bytes, manifest.initramfs.size_bytes];
    }
  });

  check(
    'served everything that it advertised',
    async () => {
      const log = lab.bootLog();
      expect(unservedPromises(log)).toEqual([]);
      const booted = (mac: string): number =>
        log.filter(
          (entry) => isAgentScript(entry) && entry.mac === mac && entry.peer !== LAB_LINK.serviceAddress,
        ).length;
      expect([booted('52:54:00:4c:50:01'), booted('52:54:00:4c:50:02')]).toEqual([1, 5]);
    },
    MINUTE,
  );
});
