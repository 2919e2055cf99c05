/**
 * The least memory with which a whole installation works, and where the seconds of one go: the quickstart itself with less and less
 * memory, until a machine does not come up from its disk. What counts is its exit code: 0 only after the check-in from the disk.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { rounded } from './harness/benchmark';
import type { Benchmark, BenchmarkResult, Table } from './harness/benchmark';
import { prepareLab, waitForQuietLab } from './harness/lab-host';
import { ROOT } from './harness/provenance';

/** MiB, downwards. 256 is the least that the quickstart accepts. */
const LADDER = { full: [512, 448, 416, 384, 352, 320, 288], quick: [512, 384] };
/** Three times what an installation takes alone on two cores without KVM; a machine out of memory stands still and says nothing. */
const DEADLINE_MS = 5 * 60_000;
const TARGET_MIB = 512;
const STOP_MS = 15_000;

interface Installation {
  readonly memoryMiB: number;
  readonly hostUp: boolean;
  readonly seconds: number;
  readonly output: string;
}

export const installMemory: Benchmark = {
  name: 'install-memory',
  question: 'With how much memory does a whole installation work, and where do its seconds go?',
  needs: [{ program: 'qemu-system-x86_64', debianPackage: 'qemu-system-x86' }],
  async run({ quick, note }) {
    await prepareLab();
    const installations: Installation[] = [];
    for (const memoryMiB of quick ? LADDER.quick : LADDER.full) {
      await waitForQuietLab();
      const installation = await install(memoryMiB);
      installations.push(installation);
      note(
        `${memoryMiB} MiB: ${installation.hostUp ? 'host up' : 'no host'} after ${rounded(installation.seconds)} s`,
      );
      if (!installation.hostUp) break;
    }
    return resultOf(installations);
  },
};

async function install(memoryMiB: number): Promise<Installation> {
  const begun = performance.now();
  const tsx = join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs');
  const args = [
    tsx,
    join(ROOT, 'scripts', 'quickstart.ts'),
    '--yes',
    '--port',
    '0',
    '--memory',
    String(memoryMiB),
  ];
  // A group of its own, so that the interrupt reaches the inside of its namespace as Ctrl-C would.
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const signalGroup = (signal: NodeJS.Signals): void => {
    if (child.exitCode === null && child.pid !== undefined) process.kill(-child.pid, signal);
  };
  const timers = [
    setTimeout(() => signalGroup('SIGINT'), DEADLINE_MS),
    setTimeout(() => signalGroup('SIGKILL'), DEADLINE_MS + STOP_MS),
  ];
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status ?? -1));
  });
  timers.forEach(clearTimeout);
  // A build that failed before says nothing about memory.
  if (!output.includes('power on the machine'))
    throw new Error(`no machine was powered on:\n${output.slice(-2_000)}`);
  return { memoryMiB, hostUp: code === 0, seconds: (performance.now() - begun) / 1000, output };
}

function resultOf(installations: readonly Installation[]): BenchmarkResult {
  const worked = installations.filter(({ hostUp }) => hostUp);
  const least = Math.min(...worked.map(({ memoryMiB }) => memoryMiB));
  const failed = installations.find(({ hostUp }) => !hostUp);
  const shown = worked.find(({ memoryMiB }) => memoryMiB === TARGET_MIB) ?? worked[0];
  return {
    targets: [
      {
        what: 'memory with which a whole installation works',
        wanted: `at most ${TARGET_MIB} MiB`,
        measured: worked.length === 0 ? 'none of those tried' : `${least} MiB`,
        met: least <= TARGET_MIB,
      },
    ],
    tables: [
      {
        title: 'Whole quickstart with --yes, builds already made',
        columns: ['memory MiB', 'checked in from its disk', 'wall time s'],
        rows: installations.map(({ memoryMiB, hostUp, seconds }) => [
          String(memoryMiB),
          hostUp ? 'yes' : '**no**',
          rounded(seconds),
        ]),
      },
      ...(shown === undefined ? [] : [phaseTable(shown)]),
    ],
    remarks: [
      failed === undefined
        ? `The least that was tried is ${least} MiB; less may work.`
        : `With ${failed.memoryMiB} MiB it ended so: ${lastLineOf(failed.output)}`,
    ],
  };
}

/** The timeline that the quickstart prints: name, begin, duration. */
function phaseTable({ output, memoryMiB }: Installation): Table {
  const rows = [...output.matchAll(/^ {2}(\S[^\n]*?)\s{2,}([\d.]+) s {2}\+\s*([\d.]+) s/gm)];
  return {
    title: `Where the seconds went with ${memoryMiB} MiB`,
    columns: ['phase', 'begins at s', 'takes s'],
    rows: rows.map(([, name = '', begins = '', takes = '']) => [name, begins, takes]),
  };
}

function lastLineOf(output: string): string {
  return output.trim().split('\n').at(-1) ?? '';
}
