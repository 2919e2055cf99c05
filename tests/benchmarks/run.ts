/**
 * Runs benchmarks one after the other, prints their tables and writes each one's block into docs/benchmarks.md.
 * Usage: tsx tests/benchmarks/run.ts [NAME…] [--all] [--quick] [--no-write] [--list]; without names all but those that need minutes of QEMU.
 * One at a time on purpose: two measurements at once measure each other.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { BENCHMARKS, SLOW } from './benchmarks';
import type { Benchmark } from './harness/benchmark';
import { beginProvenance, ROOT } from './harness/provenance';
import { renderReport, writeBlock } from './harness/report';
import type { Report } from './harness/report';

const PAGE = join(ROOT, 'docs', 'benchmarks.md');
const FLAGS = ['--quick', '--no-write', '--all', '--list'];

function chosen(words: readonly string[]): readonly Benchmark[] {
  const names = words.filter((word) => !word.startsWith('--'));
  const wrong = [
    ...names.filter((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name)),
    ...words.filter((word) => word.startsWith('--') && !FLAGS.includes(word)),
  ];
  if (wrong.length > 0) {
    const known = BENCHMARKS.map(({ name }) => name).join(', ');
    throw new Error(`unknown: ${wrong.join(', ')}. Benchmarks: ${known}; flags: ${FLAGS.join(' ')}`);
  }
  if (words.includes('--all')) return BENCHMARKS;
  return BENCHMARKS.filter(({ name }) => (names.length === 0 ? !SLOW.includes(name) : names.includes(name)));
}

function missingPrograms(benchmark: Benchmark): string[] {
  return (benchmark.needs ?? []).flatMap(({ program, debianPackage }) => {
    try {
      execFileSync('sh', ['-c', 'command -v "$0"', program], {
        stdio: 'ignore',
        env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
      });
      return [];
    } catch {
      return [`${program} (apt-get install ${debianPackage})`];
    }
  });
}

async function measure(benchmark: Benchmark, quick: boolean): Promise<Report> {
  const missing = missingPrograms(benchmark);
  if (missing.length > 0) throw new Error(`needs ${missing.join(', ')}`);
  const provenance = beginProvenance();
  const note = (text: string): void => void process.stderr.write(`  ${text}\n`);
  const result = await benchmark.run({ quick, note });
  return { name: benchmark.name, quick, result, provenance: provenance() };
}

async function main(words: readonly string[]): Promise<number> {
  const benchmarks = chosen(words);
  if (words.includes('--list')) {
    for (const { name, question } of BENCHMARKS) process.stdout.write(`${name.padEnd(18)} ${question}\n`);
    return 0;
  }
  const failures: string[] = [];
  for (const benchmark of benchmarks) {
    process.stdout.write(`\n## ${benchmark.name}: ${benchmark.question}\n\n`);
    try {
      const report = await measure(benchmark, words.includes('--quick'));
      process.stdout.write(`${renderReport(report)}\n`);
      if (!words.includes('--no-write')) writeBlock(PAGE, report);
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      failures.push(`${benchmark.name}: ${reason}`);
      process.stdout.write(`not measured: ${reason}\n`);
    }
  }
  for (const failure of failures) process.stderr.write(`not measured: ${failure}\n`);
  return failures.length === 0 ? 0 : 1;
}

// Ending by `exit` lets the stacks end their children; a bare signal would leave them behind.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130));

void main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (thrown: unknown) => {
    process.stderr.write(`benchmarks: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    process.exit(2);
  },
);
