/**
 * One QEMU machine of the lab: power on, follow its console, reset or power-cycle it, power off. What QEMU is told is
 * in machine-arguments.ts.
 * Invariant: a machine that reboots itself keeps running; the disk file and UEFI variables survive a power cycle; after
 * `kill()` no process is left.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { copyFile, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { createConsoleStream, type ConsoleStream } from './console-stream';
import { machineArguments, type MachineDescription, type MachineFiles } from './machine-arguments';
import { firmwareKind } from './machine-firmware';
import { qmpCommand } from './qmp';

export interface MachineOptions extends MachineDescription {
  /** File that receives every byte of the console; appended across power cycles. */
  readonly consoleLog: string;
}

export interface MachineExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What QEMU wrote on standard error: the reason when it refuses to start. */
  readonly errorOutput: string;
}

export interface Machine {
  readonly console: ConsoleStream;
  /** Resolves when QEMU ended for good, by kill(), by power-off from inside or by a failure. */
  readonly exited: Promise<MachineExit>;
  /** Milliseconds since the first power-on. */
  uptimeMs(): number;
  qmp(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Keys of a technician at the serial console. */
  type(text: string): void;
  /** Power off hard, then on again: a new process on the same disk. Memory is lost, as on a real machine. */
  powerCycle(): Promise<void>;
  /** Pulls the plug. Safe to call twice. */
  kill(): Promise<void>;
}

const GIBIBYTE = 1024 ** 3;
const MAX_ERROR_OUTPUT = 16 * 1024;

async function ensureDisk(path: string, bytes: number): Promise<void> {
  if (existsSync(path)) return;
  const file = await open(path, 'wx');
  await file.truncate(bytes);
  await file.close();
}

interface RunningProcess {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<MachineExit>;
}

function startProcess(program: string, args: string[], onOutput: (chunk: Buffer) => void): RunningProcess {
  const child = spawn(program, args, { stdio: 'pipe' });
  child.stdin.on('error', () => undefined); // the machine may be off when somebody types
  let errorOutput = '';
  child.stdout.on('data', onOutput);
  child.stderr.on('data', (chunk: Buffer) => {
    errorOutput = (errorOutput + chunk.toString('utf8')).slice(-MAX_ERROR_OUTPUT);
  });
  const ended = new Promise<MachineExit>((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, errorOutput: error.message }));
    child.once('close', (code, signal) => resolve({ code, signal, errorOutput }));
  });
  return { child, ended };
}

async function prepareFiles(options: MachineOptions): Promise<MachineFiles & { folder: string }> {
  // Short path: a unix socket's name is limited to 107 bytes.
  const folder = await mkdtemp(join(tmpdir(), 'lpmos-vm-'));
  const files = {
    folder,
    qmpSocket: join(folder, 'qmp'),
    uefiVariables: `${options.disk.path}.uefi-variables`,
  };
  for (const { path, sizeGiB } of [options.disk, ...(options.extraDisks ?? [])]) {
    await ensureDisk(path, sizeGiB * GIBIBYTE);
  }
  const { flash } = firmwareKind(options.firmware);
  if (flash !== undefined && !existsSync(files.uefiVariables)) {
    await copyFile(flash.variables, files.uefiVariables);
  }
  return files;
}

/** Powers a machine on. Rejects when its files cannot be made; a QEMU that refuses to run resolves `exited`. */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const files = await prepareFiles(options);
  const poweredOnAt = performance.now();
  const uptimeMs = (): number => Math.round(performance.now() - poweredOnAt);
  const stream = createConsoleStream({ now: uptimeMs });
  const log = createWriteStream(options.consoleLog, { flags: 'a' });
  log.on('error', (error) => stream.push(`\nlab: console log ${options.consoleLog}: ${error.message}\n`));
  const decoder = new StringDecoder('utf8');
  const onOutput = (chunk: Buffer): void => {
    log.write(chunk);
    stream.push(decoder.write(chunk));
  };
  const args = machineArguments(options, files);
  const { program = 'qemu-system-x86_64' } = firmwareKind(options.firmware).emulator ?? {};
  let current = startProcess(program, args, onOutput);
  let cycling = false;
  let killed = false;

  const follow = async (): Promise<MachineExit> => {
    for (;;) {
      const exit = await current.ended;
      if (cycling && !killed) {
        current = startProcess(program, args, onOutput);
        cycling = false;
        continue;
      }
      stream.close();
      log.end();
      await rm(files.folder, { recursive: true, force: true });
      return exit;
    }
  };
  const exited = follow();

  return {
    console: stream,
    exited,
    uptimeMs,
    qmp: async (command, commandArgs) => qmpCommand(files.qmpSocket, command, commandArgs),
    type: (text) => void current.child.stdin.write(text),
    powerCycle: async () => {
      if (killed) throw new Error(`machine ${options.name} is off`);
      const previous = current;
      cycling = true;
      previous.child.kill('SIGKILL');
      await previous.ended;
    },
    kill: async () => {
      killed = true;
      current.child.kill('SIGKILL');
      await exited;
    },
  };
}
