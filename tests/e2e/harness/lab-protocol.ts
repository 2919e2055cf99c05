/**
 * What the test asks of the lab server and what it answers: one JSON object per line, over the server's standard input and output.
 * Values only. The test runs outside of the lab's network, the server inside; they share the file system and these lines.
 */
import type { ForeignServer } from '../../../scripts/lab/foreign-dhcp';
import type { BootOrder, MachineDisk, NicModel, OtherNic } from '../../../scripts/lab/machine-arguments';
import type { MachineFirmware } from '../../../scripts/lab/machine-firmware';

/** A machine as it stands in the rack when it is powered on; each power-on may describe another one. */
export interface MachineSpec {
  readonly name: string;
  readonly mac: string;
  readonly uuid: string;
  readonly serial: string;
  readonly memoryMiB: number;
  readonly disk: MachineDisk;
  readonly extraDisks?: readonly MachineDisk[];
  /** Default: bios. */
  readonly firmware?: MachineFirmware;
  readonly nic?: NicModel;
  readonly otherNics?: readonly Omit<OtherNic, 'tap'>[];
  readonly bootOrder?: BootOrder;
}

/** Who leases addresses on the link: the region itself, or somebody else beside whom the region is a proxy. */
export type LinkOfLab = 'server' | 'proxy';

export interface LabSettings {
  readonly dir: string;
  readonly socketPath: string;
  readonly ramdiskDir: string;
  readonly imagesDir: string;
  readonly kernel: string;
  readonly link: LinkOfLab;
  /** Who leases on link `proxy`; dnsmasq when absent. */
  readonly foreign?: ForeignServer;
  /** Of all frames on the link, each way; none when absent. */
  readonly lossPercent?: number;
  /** How fast machines load at the most, in Mbit/s; as fast as the host can when absent. */
  readonly machineMegabits?: number;
  /** A second daemon stands by on the same link. */
  readonly withPartner?: boolean;
  /** Further settings of the daemon by their variable. */
  readonly daemonSettings?: Readonly<Record<string, string>>;
}

/** The first line that the server prints. */
export interface LabReady {
  readonly token: string;
  readonly accelerator: string;
}

export interface PoweredOn {
  readonly consoleLog: string;
  /** Wall clock, as in the daemon's log. */
  readonly atMs: number;
}

/** Every operation with its argument and its answer. */
export interface LabOperations {
  readonly powerOn: { readonly takes: MachineSpec; readonly gives: PoweredOn };
  /** Pulls the plug; of a machine that is off nothing changes. */
  readonly powerOff: { readonly takes: { readonly name: string }; readonly gives: null };
  readonly waitConsole: {
    readonly takes: { readonly name: string; readonly pattern: string; readonly deadlineMs: number };
    readonly gives: { readonly text: string };
  };
  /** Keys at the serial console. */
  readonly type: { readonly takes: { readonly name: string; readonly text: string }; readonly gives: null };
  /** GET of a machine service, as a machine would, without TLS. */
  readonly get: {
    readonly takes: { readonly url: string };
    readonly gives: { readonly status: number; readonly text: string; readonly bytes: number };
  };
  /** The power cut of the daemon that leads at first. */
  readonly killDaemon: { readonly takes: null; readonly gives: null };
  /** The daemon's own health page, over TLS. */
  readonly health: { readonly takes: null; readonly gives: { readonly connectedAgents: number } };
}

export type LabOperation = keyof LabOperations;

export interface LabRequest {
  readonly id: number;
  readonly operation: LabOperation;
  readonly argument: unknown;
}

export type LabAnswer =
  { readonly id: number; readonly result: unknown } | { readonly id: number; readonly problem: string };
