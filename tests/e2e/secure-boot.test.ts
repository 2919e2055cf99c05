/**
 * A machine (QEMU, UEFI with Microsoft's keys, Secure Boot on) through the chain that Debian signed: firmware verifies shim, shim verifies
 * GRUB, GRUB verifies the kernel through shim, the agent reports. And what must not happen: a kernel with one changed byte runs.
 * One lab and one machine; the tests follow each other as its life does.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { secureBootLoaders } from '../../scripts/lab/secure-boot-loaders';
import { describeWhen } from '../integration/harness/it-when';
import { untilTask } from './harness/follow-task';
import type { TaskAnswer } from './harness/follow-task';
import { BUILD_MS, startLab } from './harness/lab';
import type { Lab } from './harness/lab';
import type { MachineSpec } from './harness/lab-protocol';
import { missingForLab, missingForSecureBoot } from './harness/prerequisites';

const MINUTE = 60_000;
/** Firmware, shim, GRUB, kernel and agent take 25 s on an idle machine. */
const REPORT_MS = 5 * MINUTE;
const INSTALL_MS = 8 * MINUTE;
const BOOT_MS = 4 * MINUTE;

let lab: Lab;
/** Tests that began and did not pass. */
let open = 0;

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

const machine = (): MachineSpec => ({
  ...{ name: 'secure', mac: '52:54:00:4c:50:05', uuid: '5fca52d2-38a1-4b4f-9d6b-4c504d4f5305' },
  ...{ serial: 'LAB-0005', memoryMiB: 1024, firmware: 'uefi-secure' },
  disk: { path: join(lab.dir, 'secure.raw'), sizeGiB: 2, serial: 'LABDISK0005', bus: 'virtio' },
});
const waitConsole = (pattern: string, deadlineMs: number) =>
  lab.ask('waitConsole', { name: 'secure', pattern, deadlineMs });
const untilStatus = (taskId: string, status: string, deadlineMs: number): Promise<TaskAnswer> =>
  untilTask(lab.api, taskId, { what: status, deadlineMs, is: (task) => task.status === status });
const kernelFile = (): string => join(lab.ramdiskDir, 'vmlinuz');

/** A new file in the place of the old one: the build's own is another name of the old one and must not change. */
function replaceKernel(bytes: Uint8Array): void {
  writeFileSync(`${kernelFile()}.new`, bytes);
  renameSync(`${kernelFile()}.new`, kernelFile());
}

describeWhen(missingForLab() ?? missingForSecureBoot())('a machine with Secure Boot', () => {
  let taskId = '';
  let signedKernel: Buffer = Buffer.alloc(0);

  beforeAll(
    async () => {
      const { shim, grub } = await secureBootLoaders();
      const files = { LPMOS_SHIM_FILE: shim, LPMOS_GRUB_FILE: grub };
      lab = await startLab({ link: 'server', daemonSettings: { LPMOS_UEFI_CHAIN: 'grub', ...files } });
      signedKernel = readFileSync(kernelFile());
    },
    BUILD_MS + 5 * MINUTE,
  );
  afterAll(async () => {
    await lab?.stop({ keep: open > 0 });
  }, MINUTE);

  check(
    'refuses a kernel with one changed byte, says so, and asks again',
    async () => {
      const changed = Buffer.from(signedKernel);
      const middle = Math.floor(changed.length / 2);
      changed.writeUInt8(changed.readUInt8(middle) ^ 1, middle);
      replaceKernel(changed);
      const task = await lab.api.createTask({
        ...{ region_id: 'lab', target_mac: machine().mac, os_type: 'debian', os_version: '12' },
        hostname: 'secure',
      });
      taskId = task.task_id;
      await untilStatus(taskId, 'ready', MINUTE);
      await lab.ask('powerOn', machine());
      await waitConsole('bad shim signature', REPORT_MS);
      await waitConsole('that failed: asks again in \\d+ seconds', MINUTE);
      expect((await lab.api.getTask(taskId)).status).toBe('booting');
      expect(requested('/agent/initramfs.img')).toEqual([]);
    },
    REPORT_MS + 3 * MINUTE,
  );

  check(
    'boots the signed one at its next try, with Secure Boot on and its kernel locked down, and reports',
    async () => {
      replaceKernel(signedKernel);
      const lockedDown = 'Kernel is locked down from EFI Secure Boot';
      // Whichever comes first: an agent on a kernel that is not locked down says so as well.
      const { text } = await waitConsole(`${lockedDown}|LPMOS boot agent`, REPORT_MS);
      expect(text).toContain(lockedDown);
      const reported = await untilStatus(taskId, 'pending_approval', REPORT_MS);
      expect(reported.hardware?.disks).toMatchObject([{ serial: 'LABDISK0005' }]);
    },
    2 * REPORT_MS + MINUTE,
  );

  check(
    'is installed, and boots its own disk with Secure Boot on although the network comes first',
    async () => {
      const { version } = await lab.api.getTask(taskId);
      await lab.api.approveTask(taskId, { approved: true }, { ifVersion: version });
      await untilStatus(taskId, 'completed', INSTALL_MS);
      await waitConsole('boots: the local disk', BOOT_MS);
      const up = (task: TaskAnswer): boolean => task.timeline.some(({ event }) => event === 'host_up');
      await untilTask(lab.api, taskId, { what: 'host up', deadlineMs: BOOT_MS, is: up });
    },
    INSTALL_MS + 2 * BOOT_MS + MINUTE,
  );

  /** What GRUB asked for by TFTP and was given. */
  function requested(name: string): string[] {
    return lab
      .bootLog()
      .filter(({ protocol, request, outcome }) => {
        return protocol === 'tftp' && request === `RRQ ${name}` && outcome === 'answered';
      })
      .map(({ request }) => request);
  }
});
