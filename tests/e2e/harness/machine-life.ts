/**
 * The life of one machine after its first boot: a whole installation, then power-ons that must all end on the installed disk. What was
 * wrong is returned in words, so that a test and the matrix command judge alike.
 * Invariant: judged by the daemon's log, the disk's first megabyte and the task's timeline, not by the machine's own word alone.
 */
import { isDeepStrictEqual } from 'node:util';
import type { BootLogEntry } from './boot-log';
import { untilTask } from './follow-task';
import type { TaskAnswer } from './follow-task';
import type { Lab } from './lab';
import type { MachineSpec } from './lab-protocol';
import { headOfDisk } from './raw-disk';

const MINUTE = 60_000;
const READY_MS = MINUTE;
const REPORT_MS = 4 * MINUTE;
const INSTALL_MS = 8 * MINUTE;
export const DISK_BOOT_MS = 4 * MINUTE;
/** An installation with everything before and after it. */
export const LIFE_MS = READY_MS + REPORT_MS + INSTALL_MS + 2 * DISK_BOOT_MS;
/** What the boot loader of the installed image says once it has read its menu from the disk. */
const DISK_BOOTS = 'Booting .Debian 12';

export interface Installed {
  readonly task: TaskAnswer;
  /** What the machine asked of the region after the installation had ended, until its host was up. */
  readonly afterInstall: readonly BootLogEntry[];
}

/** From power-on through approval to the host's check-in from its disk; the machine is off afterwards. */
export async function install(lab: Lab, machine: MachineSpec): Promise<Installed> {
  const { name, mac } = machine;
  const order = { region_id: 'lab', target_mac: mac, os_type: 'debian', os_version: '12', hostname: name };
  const { task_id: id } = await lab.api.createTask(order);
  const reach = (what: string, deadlineMs: number, is: (task: TaskAnswer) => boolean): Promise<TaskAnswer> =>
    untilTask(lab.api, id, { what, deadlineMs, is });
  await reach('ready', READY_MS, ({ status }) => status === 'ready');
  await lab.ask('powerOn', machine);
  const { version } = await reach('report', REPORT_MS, ({ status }) => status === 'pending_approval');
  await lab.api.approveTask(id, { approved: true }, { ifVersion: version });
  await reach('completed', INSTALL_MS, ({ status }) => status === 'completed');
  const seen = lab.bootLog().length;
  const task = await reach('host up', DISK_BOOT_MS, ({ timeline }) =>
    timeline.some(({ event }) => event === 'host_up'),
  );
  const pattern = `lpmos: checked in as ${name}`;
  await lab.ask('waitConsole', { name, pattern, deadlineMs: DISK_BOOT_MS });
  await lab.ask('powerOff', { name });
  return { task, afterInstall: lab.bootLog().slice(seen) };
}

/** `leaves-network`: firmware asks us first and is sent to its disk. `disk-first`: it does not ask at all. */
export type WayToDisk = 'leaves-network' | 'disk-first';

/** Powers the machine on so many times, each time until its own disk boots. Gives what was wrong. */
export async function bootDisk(
  lab: Lab,
  machine: MachineSpec,
  boots: { readonly times: number; readonly way: WayToDisk; readonly task: TaskAnswer },
): Promise<{ readonly problems: string[]; readonly seconds: number[] }> {
  const { name, disk } = machine;
  const head = headOfDisk(disk.path);
  const seen = lab.bootLog().length;
  const seconds: number[] = [];
  for (let boot = 1; boot <= boots.times; boot += 1) {
    const { atMs } = await lab.ask('powerOn', machine);
    await lab.ask('waitConsole', { name, pattern: DISK_BOOTS, deadlineMs: DISK_BOOT_MS });
    seconds.push((Date.now() - atMs) / 1000);
    await lab.ask('powerOff', { name });
  }
  const { timeline } = await lab.api.getTask(boots.task.task_id);
  return {
    seconds,
    problems: [
      ...requestProblems(lab.bootLog().slice(seen), boots),
      ...(headOfDisk(disk.path) === head ? [] : ['the first megabyte of the disk changed']),
      ...(isDeepStrictEqual(timeline, boots.task.timeline) ? [] : ['the timeline of the task changed']),
    ],
  };
}

/** UEFI that leaves the network by PXE may ask once more by HTTP boot, the next entry of the same card, before it goes to its disk. */
const ASKS_PER_BOOT = 2;

/** Pure: what the requests of those power-ons say against the way. */
export function requestProblems(
  log: readonly BootLogEntry[],
  { times, way }: { readonly times: number; readonly way: WayToDisk },
): string[] {
  const scripts = log.filter(({ request }) => request.includes('/boot/menu.ipxe'));
  const others = scripts.filter(({ decision }) => decision !== 'local-disk');
  const loaded = log.filter(({ request }) => /vmlinuz|initramfs|\/images\//.test(request));
  if (way === 'disk-first') {
    const asked = log.filter(({ stage }) => stage === 'firmware' || stage === 'ipxe');
    return [...asked, ...loaded].map(({ request }) => `asked the network: ${request}`);
  }
  const tooMany = scripts.length < times || scripts.length > times * ASKS_PER_BOOT;
  return [
    ...(tooMany ? [`${scripts.length} scripts at ${times} power-ons`] : []),
    ...others.map(({ decision = 'none' }) => `a script with the decision ${decision}`),
    ...loaded.map(({ request }) => `loaded, as if to install again: ${request}`),
  ];
}
