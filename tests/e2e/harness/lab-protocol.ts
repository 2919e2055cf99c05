/**
 * What the test asks of the lab server and what it answers: one JSON object per line, over the server's standard input and output.
 * Values only. The test runs outside of the lab's network, the server inside; they share the file system and these lines.
 */
import type { MachineDisk } from '../../../scripts/lab/machine-arguments';

/** A machine as it stands in the rack when it is powered on; each power-on may describe another one. */
export interface MachineSpec {
  readonly name: string;
  readonly mac: string;
  readonly uuid: string;
  readonly serial: string;
  readonly memoryMiB: number;
  readonly disk: MachineDisk;
  readonly extraDisks?: readonly MachineDisk[];
}

export interface LabSettings {
  readonly dir: string;
  readonly socketPath: string;
  readonly ramdiskDir: string;
  readonly imagesDir: string;
  readonly kernel: string;
}

/** The first line that the server prints. */
export interface LabReady {
  readonly token: string;
  readonly accelerator: string;
}

/** Every operation with its argument and its answer. */
export interface LabOperations {
  readonly powerOn: { readonly takes: MachineSpec; readonly gives: { readonly consoleLog: string } };
  /** Pulls the plug; of a machine that is off nothing changes. */
  readonly powerOff: { readonly takes: { readonly name: string }; readonly gives: null };
  readonly waitConsole: {
    readonly takes: { readonly name: string; readonly pattern: string; readonly deadlineMs: number };
    readonly gives: { readonly text: string };
  };
  /** GET of a machine service, as a machine would, without TLS. */
  readonly get: {
    readonly takes: { readonly url: string };
    readonly gives: { readonly status: number; readonly text: string; readonly bytes: number };
  };
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
