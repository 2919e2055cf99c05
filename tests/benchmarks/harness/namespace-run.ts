/**
 * Runs a measurement in a network namespace of its own, where every port is free and nothing outside hears or is heard: the benchmark's own file is started
 * there as a program and leaves its result in a file. Pass the same file's `measureInside` to `insideMain` at its end.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchmarkContext, BenchmarkResult } from './benchmark';
import { runInNamespace } from './lab-host';
import { LOAD_CORE, pin } from './processes';
import { builtProgram } from './site';

interface Settings {
  readonly quick: boolean;
  readonly dir: string;
}

const DEADLINE_MS = 20 * 60_000;

/** @param program the benchmark's own file */
export async function runInside(program: string, context: BenchmarkContext): Promise<BenchmarkResult> {
  await builtProgram('lpmos-regional-daemon');
  const dir = await mkdtemp(join(tmpdir(), 'lpmos-benchmark-'));
  const settings: Settings = { quick: context.quick, dir };
  // The folder is kept when the measurement fails: its logs say why.
  await runInNamespace({ program, dir, settings, deadlineMs: DEADLINE_MS, onLine: context.note });
  const result = JSON.parse(await readFile(join(dir, 'result.json'), 'utf8')) as BenchmarkResult;
  await rm(dir, { recursive: true, force: true });
  return result;
}

export interface InsideContext extends BenchmarkContext {
  /** For the files and logs of all servers. */
  readonly dir: string;
}

/** Everything but the servers under test, this process included, stays on the core of the load. */
export function insideMain(measure: (context: InsideContext) => Promise<BenchmarkResult>): void {
  const run = async (): Promise<void> => {
    const { quick, dir } = JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')) as Settings;
    pin(process.pid, LOAD_CORE);
    execFileSync('ip', ['link', 'set', 'lo', 'up']);
    const note = (text: string): void => void process.stdout.write(`${text}\n`);
    const result = await measure({ quick, note, dir });
    await writeFile(join(dir, 'result.json'), JSON.stringify(result));
  };
  void run().then(
    () => process.exit(0),
    (thrown: unknown) => {
      process.stderr.write(
        `${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`,
      );
      process.exit(1);
    },
  );
}
