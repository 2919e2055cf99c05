/**
 * A daemon that dies while a real machine loads its kernel: iPXE asks the other daemon of the region by itself, the agent finds whichever leads,
 * and the task goes on. Not responsible for the rest of a life under takeover (tests/chaos/takeover) or for DHCP (tests/conformance).
 */
import { describeWhen } from '../integration/harness/it-when';
import { REPORT_MS } from './harness/boot-cell';
import { FIRMWARE_CELLS, machineOfCell } from './harness/firmware-cells';
import { untilTask } from './harness/follow-task';
import { BUILD_MS, startLab } from './harness/lab';
import type { Lab } from './harness/lab';
import { missingForLab } from './harness/prerequisites';

const MINUTE = 60_000;
const CELL = 'bios/server/virtio/virtio';

describeWhen(missingForLab())('a region with two daemons', () => {
  let lab: Lab;
  let passed = false;
  beforeAll(
    async () => {
      // Kernel and ramdisk take 8 s, so that the daemon surely dies in the middle of them.
      lab = await startLab({ link: 'server', withPartner: true, machineMegabits: 40 });
    },
    BUILD_MS + 5 * MINUTE,
  );
  afterAll(async () => {
    await lab?.stop({ keep: !passed });
  }, MINUTE);

  it(
    'brings a machine to its report whose daemon died while it loaded the kernel',
    async () => {
      const cell = FIRMWARE_CELLS.find(({ name }) => name === CELL);
      if (cell === undefined) throw new Error(`no cell ${CELL}`);
      const machine = machineOfCell(cell, lab.dir, 0);
      const { task_id: taskId } = await lab.api.createTask({
        ...{ region_id: 'lab', target_mac: machine.mac, os_type: 'debian', os_version: '12' },
      });
      await untilTask(lab.api, taskId, {
        ...{ what: 'ready', deadlineMs: MINUTE },
        is: ({ status }) => status === 'ready',
      });
      await lab.ask('powerOn', machine);
      const says = async (pattern: string): Promise<string> =>
        (await lab.ask('waitConsole', { name: machine.name, pattern, deadlineMs: REPORT_MS })).text;
      await says('boots: the boot agent');
      await lab.ask('killDaemon', null);
      // 15 s, spread, and then the dead daemon once more.
      await says('that failed 1 times of 20');
      await says('no answer there: asks the other daemon of the region');
      const task = await untilTask(lab.api, taskId, {
        ...{ what: 'the hardware report', deadlineMs: REPORT_MS },
        is: ({ status }) => status === 'pending_approval',
      });
      expect(task.hardware?.mac_address).toBe(machine.mac);
      await lab.ask('powerOff', { name: machine.name });
      passed = true;
    },
    2 * REPORT_MS,
  );
});
