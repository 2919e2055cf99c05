/**
 * One cell of the firmware matrix: power-on to the hardware report of a machine whose task waits for approval, with the seconds of each
 * stage, and what was wrong on the way in words. The shell around two pure judges: cell-evidence.ts and boot-log.ts.
 * Invariant: the machine is off and its task cancelled when this returns or throws.
 */
import { LAB_LINK } from '../../../scripts/quickstart/lab-site';
import { markOfLogLine } from '../../../scripts/quickstart/phases';
import type { Mark, MarkName } from '../../../scripts/quickstart/phases';
import { unservedPromises } from './boot-log';
import type { BootLogEntry } from './boot-log';
import { chainProblems, hardwareProblems, isLoader } from './cell-evidence';
import { machineOfCell } from './firmware-cells';
import type { FirmwareCell } from './firmware-cells';
import { untilTask } from './follow-task';
import type { Lab } from './lab';
import type { MachineSpec } from './lab-protocol';
import { makeOldDisk } from './raw-disk';

export interface CellResult {
  /** Milliseconds since power-on. */
  readonly marks: Partial<Record<MarkName, number>>;
  /** Empty when everything was as the cell says. */
  readonly problems: readonly string[];
}

/** Firmware, loader, kernel and agent take 10 to 25 s on an idle machine. */
export const REPORT_MS = 4 * 60_000;
const READY_MS = 60_000;
const PROMPT_MS = 60_000;

/** Said by our script, by BIOS, and by EDK2 when they have nothing to boot from the network; no need to wait for the deadline. */
const ASTRAY = 'boots: the local disk|No bootable device|UEFI Interactive Shell';

export async function bootCell(lab: Lab, cell: FirmwareCell, round = 0): Promise<CellResult> {
  const machine = machineOfCell(cell, lab.dir, round);
  if (cell.oldData) await makeOldDisk(machine.disk);
  const { task_id: taskId } = await lab.api.createTask({
    ...{ region_id: 'lab', target_mac: machine.mac, os_type: 'debian', os_version: '12' },
  });
  try {
    const isReady = ({ status }: { status: string }): boolean => status === 'ready';
    await untilTask(lab.api, taskId, { what: 'ready', deadlineMs: READY_MS, is: isReady });
    return await powerOnAndJudge(lab, { cell, machine, taskId });
  } finally {
    await lab.ask('powerOff', { name: machine.name });
    await lab.api.cancelTask(taskId);
  }
}

async function powerOnAndJudge(
  lab: Lab,
  { cell, machine, taskId }: { cell: FirmwareCell; machine: MachineSpec; taskId: string },
): Promise<CellResult> {
  const [lines, requests] = [lab.daemonLog().length, lab.bootLog().length];
  const { atMs } = await lab.ask('powerOn', machine);
  let astray: string | undefined;
  const watch = lab.ask('waitConsole', { name: machine.name, pattern: ASTRAY, deadlineMs: REPORT_MS });
  // A machine that goes the right way never says this; then the watch ends with the machine.
  void watch.then(({ text }) => (astray = text)).catch(() => undefined);
  if (cell.chain === 'bios-undionly') await loadUndionly(lab, machine);
  const task = await untilTask(lab.api, taskId, {
    what: 'the hardware report',
    deadlineMs: REPORT_MS,
    is: ({ status }) => {
      if (astray !== undefined) throw new Error(`the machine went astray, its console says: ${astray}`);
      return status === 'pending_approval';
    },
  });
  const log = lab.bootLog().slice(requests);
  return {
    marks: marksSince(atMs, lab.daemonLog().slice(lines - 1)),
    problems: [
      ...hardwareProblems(cell, machine, task.hardware),
      ...chainProblems(cell, log),
      ...unservedPromises(log.slice(ownBeginning(cell, log))),
    ],
  };
}

/** The first mark of each name; a second boot of the same machine would be a failure and shows in the boot log. */
function marksSince(atMs: number, lines: readonly string[]): Partial<Record<MarkName, number>> {
  const result: Partial<Record<MarkName, number>> = {};
  const marks = lines
    .map((line) => markOfLogLine(line, false))
    .filter((mark): mark is Mark => mark !== undefined);
  for (const mark of marks) result[mark.name] ??= Math.max(0, mark.atMs - atMs);
  return result;
}

/** The keyboard buffer of a BIOS holds 16 keys and loses the rest, so each few keys wait for their echo. */
const KEYS_AT_ONCE = 8;

const literally = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** Before its loader the undionly chain is a technician's `dhcp`, which is told of a script and rightly fetches the loader instead. */
function ownBeginning({ chain }: FirmwareCell, log: readonly BootLogEntry[]): number {
  return chain === 'bios-undionly' ? Math.max(0, log.findIndex(isLoader)) : 0;
}

/** The ROM is iPXE already, and DHCP rightly gives an iPXE no loader; so a technician's keys make it fetch one. */
async function loadUndionly(lab: Lab, { name }: MachineSpec): Promise<void> {
  const wait = (pattern: string) => lab.ask('waitConsole', { name, pattern, deadlineMs: PROMPT_MS });
  await wait('Press Ctrl-B for the iPXE command line');
  await lab.ask('type', { name, text: '\x02' });
  await wait('iPXE> ?$');
  const command = `dhcp && chain tftp://${LAB_LINK.serviceAddress}/undionly.kpxe`;
  for (let at = 0; at < command.length; at += KEYS_AT_ONCE) {
    await lab.ask('type', { name, text: command.slice(at, at + KEYS_AT_ONCE) });
    await wait(`iPXE> ?${literally(command.slice(0, at + KEYS_AT_ONCE))}$`);
  }
  await lab.ask('type', { name, text: '\n' });
}
