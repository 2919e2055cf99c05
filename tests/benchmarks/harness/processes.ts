/** What the kernel says about a process, and on which core it may run. Linux only. */
import { execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Servers under test have core 0 for themselves; who makes the load has core 1. */
export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

/** USER_HZ; fixed at 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Processor seconds of a process and its descendants, user and system. */
export function cpuSeconds(pid: number): number {
  return familyOf(pid).reduce((sum, each) => sum + ticksOf(each), 0) / TICKS_PER_SECOND;
}

function ticksOf(pid: number): number {
  try {
    // The name in parentheses may hold spaces; utime and stime are the 14th and 15th field, 12 behind it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return Number(fields[11]) + Number(fields[12]);
  } catch {
    return 0; // it ended between the listing and the look
  }
}

function familyOf(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((each) => parentOf(each) === pid);
  return [pid, ...children.flatMap(familyOf)];
}

function parentOf(pid: number): number {
  try {
    return Number(
      readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ')[1],
    );
  } catch {
    return -1;
  }
}

export function residentMegabytes(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return (Number(line?.[1] ?? NaN) * 1024) / 1e6;
}

/** Moves a running process, all its threads, to one core. */
export function pin(pid: number, core: number): void {
  execFileSync('taskset', ['-a', '-c', '-p', String(core), String(pid)], { stdio: 'ignore' });
}

export interface Spawned {
  readonly code: number;
  readonly output: string;
  readonly seconds: number;
}

/** Runs a program to its end on one core. Never rejects for an exit code: some load generators use them for more than failure. */
export async function runOn(
  core: number,
  argv: readonly string[],
  deadlineMs = 120_000,
  env: Readonly<Record<string, string>> = {},
): Promise<Spawned> {
  const begun = performance.now();
  const child = spawn('taskset', ['-c', String(core), ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? -1));
  });
  clearTimeout(timer);
  return { code, output, seconds: (performance.now() - begun) / 1000 };
}
