/**
 * Whole lives of UEFI machines as data: installation and then power-ons, by who decides the boot order. A life with the network imposed
 * leaves for its disk through the boot script; a life whose order is its own variables never asks the network again once the agent has
 * put the disk first.
 */
import { until } from './follow-task';
import { bootDisk, install, requestProblems } from './machine-life';
import type { WayToDisk } from './machine-life';
import { machineOfCell } from './firmware-cells';
import type { Chain } from './firmware-cells';
import type { Lab } from './lab';
import type { BootOrder } from '../../../scripts/lab/machine-arguments';
import type { MachineSpec } from './lab-protocol';

export interface Life {
  readonly name: string;
  readonly chain: Chain;
  readonly disk: MachineSpec['disk']['bus'];
  /** From the second power-on on; the first one is always imposed, which is how the network comes first in empty variables. */
  readonly bootOrder: BootOrder;
  readonly way: WayToDisk;
}

export const LIVES: readonly Life[] = [
  { name: 'network-first', chain: 'uefi', disk: 'virtio', bootOrder: 'network-first', way: 'leaves-network' },
  { name: 'own-order', chain: 'uefi', disk: 'nvme', bootOrder: 'kept', way: 'disk-first' },
];

/** An installed Debian takes one and a half. */
const DISK_GIB = 2;

const FIRST_ASK_MS = 120_000;

export interface LifeResult {
  readonly problems: readonly string[];
  /** Power-on to the installed system's boot loader, of each further power-on. */
  readonly seconds: readonly number[];
}

export async function lifeOf(lab: Lab, life: Life, boots: number): Promise<LifeResult> {
  const { name, chain, disk, bootOrder, way } = life;
  const more = { nic: 'virtio', cards: 1, oldData: false, link: 'server', always: false } as const;
  const plain = machineOfCell({ name: `life ${name}`, chain, disk, ...more }, lab.dir);
  const machine = { ...plain, disk: { ...plain.disk, sizeGiB: DISK_GIB }, bootOrder };
  try {
    if (bootOrder === 'kept') await imposeOnce(lab, machine);
    const { task, afterInstall } = await install(lab, machine);
    const result = await bootDisk(lab, machine, { times: boots, way, task });
    const reboot = requestProblems(afterInstall, { times: 1, way });
    return { seconds: result.seconds, problems: [...reboot, ...result.problems] };
  } finally {
    await lab.ask('powerOff', { name: machine.name });
  }
}

/** One power-on under an imposed order writes it into the variables before firmware asks the network: network, then disk. */
async function imposeOnce(lab: Lab, machine: MachineSpec): Promise<void> {
  const seen = lab.bootLog().length;
  await lab.ask('powerOn', { ...machine, bootOrder: 'network-first' });
  const asked = async (): Promise<boolean> =>
    lab
      .bootLog()
      .slice(seen)
      .some(({ mac }) => mac === machine.mac);
  await until('firmware asks the network', FIRST_ASK_MS, asked, (yes) => yes);
  await lab.ask('powerOff', { name: machine.name });
}
