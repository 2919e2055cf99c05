/** The public shape of a simulated machine: what it is made of, what one can do to it, how its life can end. */
import type { Clock, Disk, HardwareReport, MacAddress } from '@lpmos/core';
import type { Endpoint } from '@lpmos/netboot';
import type { DiskStorage } from './disk-storage';
import type { MachinePoint } from './machine-points';
import type { RelaySocket } from './relay-socket';
import type { VirtualDisk } from './virtual-disk';

export interface MachineNetwork {
  readonly dhcpServer: Endpoint;
  /** The machine's own sockets bind here, and `giaddr` says it: the server must allow it as a relay. */
  readonly clientAddress: string;
  /** Where the server answers relays: 67 in the field, any port on loopback. Used when no shared relay is given. */
  readonly relayPort: number;
  /** Default 69. */
  readonly tftpPort?: number;
}

export interface MachineOptions {
  readonly mac: string;
  /** Same seed and MAC, same machine. */
  readonly seed: number;
  readonly network: MachineNetwork;
  /** Shared by a fleet; without it the machine opens its own at power-on. */
  readonly relay?: RelaySocket;
  readonly firmware?: 'bios' | 'uefi';
  /** `pxe`: the ROM loads iPXE by TFTP first. Default `ipxe`, as in QEMU. */
  readonly rom?: 'pxe' | 'ipxe';
  readonly diskCount?: number;
  readonly diskBytes?: number;
  /** Where a disk keeps its bytes; memory by default. */
  readonly storage?: (disk: Disk) => DiskStorage;
  /** Boots over the network this many more times once it is up from its disk. */
  readonly bootLoop?: number;
  /** Multiplies every wait of firmware, scripts and back-off; 1 is a real machine's patience. */
  readonly timeScale?: number;
  /** From power-on to an outcome. Default 15 min. */
  readonly lifeMs?: number;
  readonly clock?: Clock;
  readonly hooks?: MachineHooks;
  readonly onEvent?: (event: MachineEvent) => void;
}

/** Where it happened, for hooks. */
export interface MachineMoment {
  readonly machine: Machine;
  readonly boot: number;
}

/** The seams of faults.ts. */
export interface MachineHooks {
  /** May wait, cut the power, change hardware. The machine goes on when it resolves. */
  readonly at?: (point: MachinePoint, moment: MachineMoment) => void | Promise<void>;
  /** What the agent reads, when it should differ from what is plugged in. */
  readonly onCollect?: (report: HardwareReport, moment: MachineMoment) => HardwareReport;
  /** What reaches a platter instead. */
  readonly onDiskWrite?: (offset: number, bytes: Uint8Array) => Uint8Array;
}

export type MachineStage =
  'power' | 'firmware' | 'dhcp' | 'loader' | 'script' | 'kernel' | 'agent' | 'disk' | 'check-in';

export interface MachineEvent {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly boot: number;
  readonly stage: MachineStage;
  readonly detail: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export type OutcomeKind =
  /** Runs from its disk and has checked in. */
  | 'host-up'
  /** Runs from its disk; the check-in was not asked for or did not get through. */
  | 'disk-boot'
  | 'no-bootable-device'
  /** Stands at a message that only a person can answer. */
  | 'stuck'
  | 'powered-off'
  | 'boot-limit'
  | 'deadline';

export interface Outcome {
  readonly kind: OutcomeKind;
  readonly detail: string;
  /** Boots since creation. */
  readonly boots: number;
}

export interface Machine {
  readonly mac: MacAddress;
  /** The first disk plugged in now; with one disk the one that is installed. @throws Error when there is none left. */
  readonly disk: VirtualDisk;
  readonly events: readonly MachineEvent[];
  /** All that are plugged in now. */
  disks(): readonly VirtualDisk[];
  hardware(): HardwareReport;
  /** Takes effect at the next look at the hardware; new disks are blank. */
  changeHardware(change: (hardware: HardwareReport) => HardwareReport): void;
  /** Resolves with how this life ended. @throws Error when the machine is on already. */
  powerOn(): Promise<Outcome>;
  /** Resolves when nothing of the machine runs any more. */
  powerOff(): Promise<void>;
  /** The reset button: boots anew at once, disks keep what they hold. No effect when off. */
  reset(): void;
  /** Cuts the agent's stream, as a pulled cable does. No effect without one. */
  breakLink(): void;
  /** Off, and the storage of its disks released. */
  close(): Promise<void>;
}
