/**
 * The firmware matrix as data: one row per way from power-on to a running boot agent, and the machine that a row describes.
 * Not responsible for booting it (boot-cell.ts) or for who runs which row (firmware-matrix.test.ts: those with `always`; matrix.ts: all).
 * Invariant: names are unique, and no two machines of one lab share a MAC, a serial or a disk.
 */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { MachineDisk, NicModel } from '../../../scripts/lab/machine-arguments';
import type { MachineFirmware } from '../../../scripts/lab/machine-firmware';
import type { LinkOfLab, MachineSpec } from './lab-protocol';

/** `bios-undionly` is the ROM told at its console to load undionly.kpxe by TFTP, as a BIOS that is no iPXE does by itself. */
export type Chain = 'bios-undionly' | Exclude<MachineFirmware, 'uefi-secure' | 'arm64'>;

export interface FirmwareCell {
  readonly name: string;
  readonly chain: Chain;
  readonly link: LinkOfLab;
  readonly nic: NicModel;
  readonly disk: MachineDisk['bus'];
  /** Of two cards on one link the second one on the bus boots. */
  readonly cards: 1 | 2;
  /** Somebody's partition table and file system on the disk. */
  readonly oldData: boolean;
  /** Run by every test run, not only by the whole matrix. */
  readonly always: boolean;
}

type Row = readonly [
  chain: Chain,
  link: LinkOfLab,
  nic: NicModel,
  disk: MachineDisk['bus'],
  more?: { readonly cards?: 2; readonly oldData?: true; readonly always?: true },
];

const ROWS: readonly Row[] = [
  // bios, server, virtio, virtio is booted by first-machine.test.ts in every run, many times.
  ['bios', 'server', 'virtio', 'virtio'],
  ['bios', 'server', 'e1000', 'ahci', { oldData: true }],
  ['bios', 'server', 'virtio', 'nvme', { cards: 2, always: true }],
  ['bios', 'proxy', 'virtio', 'virtio', { always: true }],
  ['bios', 'proxy', 'e1000e', 'nvme', { cards: 2 }],
  ['bios-undionly', 'server', 'virtio', 'virtio'],
  ['bios-undionly', 'server', 'e1000', 'ahci'],
  ['bios-undionly', 'proxy', 'virtio', 'virtio'],
  ['uefi', 'server', 'virtio', 'virtio', { always: true }],
  ['uefi', 'server', 'virtio', 'ahci', { cards: 2, oldData: true }],
  ['uefi', 'proxy', 'virtio', 'virtio', { always: true }],
  ['uefi', 'proxy', 'virtio', 'nvme', { cards: 2 }],
  ['uefi-rom', 'server', 'virtio', 'virtio'],
  ['uefi-rom', 'server', 'e1000e', 'nvme', { cards: 2, oldData: true, always: true }],
  ['uefi-rom', 'server', 'e1000', 'ahci'],
  ['uefi-rom', 'proxy', 'e1000e', 'ahci'],
  ['uefi-http', 'server', 'virtio', 'virtio', { always: true }],
  ['uefi-http', 'server', 'virtio', 'nvme', { cards: 2, oldData: true }],
  ['uefi-http', 'proxy', 'virtio', 'virtio'],
];

export const FIRMWARE_CELLS: readonly FirmwareCell[] = ROWS.map(([chain, link, nic, disk, more = {}]) => {
  const { cards = 1, oldData = false, always = false } = more;
  const words = [chain, link, nic, disk, ...(cards === 2 ? ['second-card'] : [])];
  const name = [...words, ...(oldData ? ['old-data'] : [])].join('/');
  return { name, chain, link, nic, disk, cards, oldData, always };
});

const MEMORY_MIB = 512;

/** The machine of a cell. `round` tells runs of one cell in one lab apart. */
export function machineOfCell(cell: FirmwareCell, dir: string, round = 0): MachineSpec {
  const id = createHash('sha256').update(`${cell.name} ${round}`).digest('hex');
  const mac = (kind: string): string => `52:54:${kind}:${id.slice(0, 2)}:${id.slice(2, 4)}:${id.slice(4, 6)}`;
  return {
    name: `cell-${id.slice(0, 8)}`,
    mac: mac('00'),
    uuid: `5fca52d2-38a1-4b4f-9d6b-${id.slice(0, 12)}`,
    serial: `CELL-${id.slice(0, 8).toUpperCase()}`,
    memoryMiB: MEMORY_MIB,
    disk: {
      path: join(dir, `${id.slice(0, 8)}.raw`),
      sizeGiB: 1,
      serial: `D${id.slice(0, 12).toUpperCase()}`,
      bus: cell.disk,
    },
    firmware: cell.chain === 'bios-undionly' ? 'bios' : cell.chain,
    nic: cell.nic,
    ...(cell.cards === 2 ? { otherNics: [{ mac: mac('01'), place: 'before', model: cell.nic }] } : {}),
  };
}
