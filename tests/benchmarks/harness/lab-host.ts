/** What a benchmark with a real (QEMU) machine needs of its host: the lab's abilities, the built ramdisk, and no other machine running. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { probeAccelerator } from '../../../scripts/lab/accelerator';
import type { Accelerator } from '../../../scripts/lab/accelerator';
import { checkNamespace, namespaceCommand } from '../../../scripts/lab/namespace';
import { ROOT } from './provenance';
import { until } from './site';

export const RAMDISK = join(ROOT, '.cache', 'ramdisk');

/** Somebody else's machine would share its cores with ours; longer than this nobody should hold the lab. */
const QUIET_DEADLINE_MS = 15 * 60_000;
const QUIET_POLL_MS = 2_000;

/** @throws Error that says what is missing and how to get it. */
export async function prepareLab(): Promise<{ readonly accelerator: Accelerator }> {
  const problem = checkNamespace();
  if (problem !== undefined) throw new Error(problem);
  const kernel = join(RAMDISK, 'vmlinuz');
  if (!existsSync(kernel)) throw new Error('the ramdisk is not built; npm run quickstart builds it');
  return { accelerator: await probeAccelerator({ kernel }) };
}

export async function waitForQuietLab(): Promise<void> {
  await until('no other machine in this lab', () => !machineRuns(), QUIET_DEADLINE_MS, QUIET_POLL_MS);
}

function machineRuns(): boolean {
  return readdirSync('/proc').some((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/comm`, 'latin1').startsWith('qemu-system');
    } catch {
      return false; // it ended between the listing and the look
    }
  });
}

/** Runs a TypeScript file with a JSON file of settings in a fresh network namespace. @throws Error with its last output. */
export async function runInNamespace(options: {
  readonly program: string;
  readonly dir: string;
  readonly settings: unknown;
  readonly deadlineMs: number;
  /** Sees every line of output. */
  readonly onLine?: (line: string) => void;
}): Promise<void> {
  const settingsFile = join(options.dir, 'settings.json');
  await writeFile(settingsFile, JSON.stringify(options.settings));
  const tsx = join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs');
  const { command, args } = namespaceCommand([process.execPath, tsx, options.program, settingsFile]);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      output = `${output}${line}\n`.slice(-8_000);
      options.onLine?.(line);
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), options.deadlineMs);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? -1));
  });
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${options.program} ended with ${code}:\n${output}`);
}
