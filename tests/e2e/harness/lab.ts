/**
 * The lab as a test holds it: starts the lab server in a network namespace of its own, asks it over lines of JSON, talks to the control
 * plane's API through a forward, and reads the daemon's log from the shared file system.
 * Invariant: `stop()` leaves no process; a lab that dies rejects every question with its last words.
 */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createApiClient } from '@lpmos/api';
import type { ApiClient } from '@lpmos/api';
import { forwardToNamespace, namespaceCommand } from '../../../scripts/lab/namespace';
import { runCommand } from '../../../scripts/run-command';
import { parseBootLog, withoutLoss } from './boot-log';
import type { BootLogEntry } from './boot-log';
import type { LabAnswer, LabOperation, LabOperations, LabReady, LabSettings } from './lab-protocol';

const ROOT = join(__dirname, '..', '..', '..');
const TSX = join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs');
/** The first build fetches packages and makes a whole Debian. */
export const BUILD_MS = 20 * 60_000;
/** The probe of KVM (8 s where it fails) and three services on a loaded machine. */
const START_MS = 120_000;
const STOP_MS = 30_000;
const KEPT_WORDS = 8_000;

export interface Lab {
  /** Logs, consoles and disks; kept after `stop({ keep: true })`. */
  readonly dir: string;
  readonly ramdiskDir: string;
  readonly accelerator: string;
  readonly api: ApiClient;
  ask<K extends LabOperation>(
    operation: K,
    argument: LabOperations[K]['takes'],
  ): Promise<LabOperations[K]['gives']>;
  /** What the daemon said about every request of a machine, in order; on a lossy wire without what the loss explains. */
  bootLog(): BootLogEntry[];
  /** All lines of the daemon's log. */
  daemonLog(): string[];
  stop(options: { readonly keep: boolean }): Promise<void>;
}

export async function startLab(
  options: Pick<
    LabSettings,
    'link' | 'foreign' | 'lossPercent' | 'daemonSettings' | 'withPartner' | 'machineMegabits'
  >,
): Promise<Lab> {
  const built = await runCommand(process.execPath, [TSX, join(__dirname, 'build-artefacts.ts')], {
    ...{ cwd: ROOT, timeoutMs: BUILD_MS, env: { ...process.env } as Record<string, string> },
  });
  mkdirSync(join(ROOT, '.lab'), { recursive: true });
  const dir = mkdtempSync(join(ROOT, '.lab', 'e2e-'));
  const artefacts = holdOn(JSON.parse(built) as Artefacts, dir);
  const socketPath = join(dir, 'api.sock');
  const forward = await forwardToNamespace({ socketPath, port: 0 });
  const settings = JSON.stringify({ ...artefacts, dir, socketPath, ...options } satisfies LabSettings);
  const inside = namespaceCommand([process.execPath, TSX, join(__dirname, 'lab-server.ts'), settings]);
  const line = createLine(spawn(inside.command, inside.args, { cwd: ROOT, stdio: 'pipe' }));
  const stop = async ({ keep }: { readonly keep: boolean }): Promise<void> => {
    await line.end();
    await forward.close();
    if (!keep) rmSync(dir, { recursive: true, force: true });
  };
  const { token, accelerator } = await line.ready.catch(async (thrown: unknown) => {
    await stop({ keep: true });
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    throw new Error(`no lab: ${why}\nIts logs are kept in ${dir}`, { cause: thrown });
  });
  const readLog = (): string => readFileSync(join(dir, 'lpmos-regional-daemon.log'), 'utf8');
  return {
    ...{ dir, accelerator, ramdiskDir: artefacts.ramdiskDir, stop },
    api: createApiClient({ baseUrl: `http://127.0.0.1:${forward.port}`, token }),
    ask: (operation, argument) => line.ask(operation, argument) as never,
    bootLog: () => {
      const log = parseBootLog(readLog());
      return options.lossPercent === undefined ? log : withoutLoss(log);
    },
    daemonLog: () => readLog().split('\n'),
  };
}

type Artefacts = Pick<LabSettings, 'ramdiskDir' | 'imagesDir' | 'kernel'>;

/** Links to the very files, because a build in another terminal puts new ones in their place while machines load them. */
function holdOn({ ramdiskDir, imagesDir }: Artefacts, dir: string): Artefacts {
  const held = { ramdiskDir: join(dir, 'ramdisk'), imagesDir: join(dir, 'images') };
  linkFiles(ramdiskDir, held.ramdiskDir);
  linkFiles(imagesDir, held.imagesDir);
  return { ...held, kernel: join(held.ramdiskDir, 'vmlinuz') };
}

function linkFiles(from: string, to: string): void {
  mkdirSync(to);
  const files = readdirSync(from, { withFileTypes: true }).filter((entry) => entry.isFile());
  for (const { name } of files) linkSync(join(from, name), join(to, name));
}

interface Line {
  readonly ready: Promise<LabReady>;
  ask(operation: LabOperation, argument: unknown): Promise<unknown>;
  end(): Promise<void>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Id 0 is the greeting; questions count from 1. */
function createLine(child: ChildProcessWithoutNullStreams): Line {
  const waiting = new Map<number, Waiting>();
  let lastWords = '';
  let asked = 0;
  const wait = (id: number): Promise<unknown> =>
    new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  const settle = (id: number, act: (waiter: Waiting) => void): void => {
    const waiter = waiting.get(id);
    waiting.delete(id);
    if (waiter !== undefined) act(waiter);
  };
  const ended = new Promise<void>((resolve) => {
    const end = (why: string): void => {
      const error = new Error(`the lab ended (${why}): ${lastWords.trim()}`);
      for (const id of [...waiting.keys()]) settle(id, ({ reject }) => reject(error));
      resolve();
    };
    child.once('error', (error) => end(error.message));
    child.once('close', (code, signal) => end(signal ?? `code ${code}`));
  });
  child.stdin.on('error', () => undefined); // the lab may be gone; `ended` says so
  child.stderr.on('data', (chunk: Buffer) => {
    lastWords = (lastWords + chunk.toString('utf8')).slice(-KEPT_WORDS);
  });
  const ready = wait(0) as Promise<LabReady>;
  const late = setTimeout(() => child.kill('SIGKILL'), START_MS);
  void ready.catch(() => undefined).finally(() => clearTimeout(late));
  createInterface({ input: child.stdout }).on('line', (text) => {
    const message = JSON.parse(text) as LabAnswer | LabReady;
    if (!('id' in message)) settle(0, ({ resolve }) => resolve(message));
    else if ('problem' in message) settle(message.id, ({ reject }) => reject(new Error(message.problem)));
    else settle(message.id, ({ resolve }) => resolve(message.result));
  });
  return {
    ready,
    ask: (operation, argument) => {
      asked += 1;
      const answer = wait(asked);
      child.stdin.write(`${JSON.stringify({ id: asked, operation, argument })}\n`);
      return answer;
    },
    end: async () => {
      child.stdin.end();
      const overdue = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await ended;
      clearTimeout(overdue);
    },
  };
}
