/**
 * `npm test`: everything that must hold, in the order in which a fault is cheapest to find: types, lint, format, generated pages, then each
 * kind of test from pure functions to machines that boot. Runs all of them even when one fails, and ends with one line of counts.
 * `npm test -- unit chaos` runs only the named stages.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildPrograms } from './build';
import { buildMachineArtefacts } from './quickstart/artefacts';
import { createSteps } from './quickstart/steps';

const ROOT = join(__dirname, '..');
const BIN = join(ROOT, 'node_modules', '.bin');

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface Stage {
  readonly name: string;
  readonly run: (dir: string) => Promise<Counts>;
}

/** A program that passes or fails as a whole counts as one test. */
function check(name: string, command: string, ...args: string[]): Stage {
  return {
    name,
    run: async () => {
      const code = await runProgram(join(BIN, command), args);
      return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
    },
  };
}

/** Tests that start processes and machines run one file at a time: they measure nothing, but they have deadlines. */
function jest(project: string, ...args: string[]): Stage {
  return {
    name: project,
    run: async (dir) => {
      const report = join(dir, `${project}.json`);
      const options = ['--selectProjects', project, '--json', '--outputFile', report, '--forceExit'];
      const code = await runProgram(join(BIN, 'jest'), [...args, ...options], { quietStdout: true });
      return countsOf(report, code);
    },
  };
}

const STAGES: readonly Stage[] = [
  check('types', 'tsc', '--noEmit'),
  check('lint', 'eslint', '.'),
  check('format', 'prettier', '--check', '--log-level', 'warn', '.'),
  check('pages', 'tsx', 'scripts/gen-docs.ts', '--check'),
  jest('unit'),
  jest('architecture'),
  jest('integration', '--runInBand'),
  jest('conformance', '--runInBand'),
  jest('chaos', '--runInBand'),
  jest('e2e', '--runInBand'),
];

async function runAll(): Promise<number> {
  const wanted = process.argv.slice(2);
  const unknown = wanted.filter((name) => !STAGES.some((stage) => stage.name === name));
  if (unknown.length > 0) {
    process.stderr.write(
      `unknown stage ${unknown.join(', ')}; there are ${STAGES.map(({ name }) => name).join(', ')}\n`,
    );
    return 2;
  }
  const stages = STAGES.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  mkdirSync(join(ROOT, '.lab'), { recursive: true });
  const dir = mkdtempSync(join(ROOT, '.lab', 'test-'));
  const steps = createSteps();
  steps.begin('building the programs');
  await buildPrograms();
  steps.end('bundled');
  if (stages.some(({ name }) => name === 'e2e')) await buildMachineArtefacts(steps);
  const results: (Counts & { readonly name: string })[] = [];
  for (const stage of stages) {
    steps.begin(stage.name);
    const counts = await stage.run(dir);
    results.push({ name: stage.name, ...counts });
    steps.end(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  }
  rmSync(dir, { recursive: true, force: true });
  return summarise(results);
}

function summarise(results: readonly (Counts & { readonly name: string })[]): number {
  const sum = (pick: (counts: Counts) => number): number =>
    results.reduce((total, counts) => total + pick(counts), 0);
  process.stdout.write('\n');
  for (const { name, passed, failed, skipped } of results) {
    process.stdout.write(
      `  ${name.padEnd(14)} ${String(passed).padStart(5)} passed ${String(failed).padStart(4)} failed ${String(skipped).padStart(4)} skipped\n`,
    );
  }
  const failed = sum((counts) => counts.failed);
  const skipped = sum((counts) => counts.skipped);
  process.stdout.write(
    `\n${sum((counts) => counts.passed)} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`,
  );
  return failed === 0 ? 0 : 1;
}

interface JestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

/** A suite that could not even start has no failed test, and a run that left no report has none at all: both are failures. */
function countsOf(path: string, code: number): Counts {
  try {
    const report = JSON.parse(readFileSync(path, 'utf8')) as JestReport;
    const failed = report.numFailedTests + report.numRuntimeErrorTestSuites;
    const silent = code !== 0 && failed === 0 ? 1 : 0;
    return { passed: report.numPassedTests, failed: failed + silent, skipped: report.numPendingTests };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

async function runProgram(
  command: string,
  args: readonly string[],
  options: { readonly quietStdout?: boolean } = {},
): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(command, [...args], {
      cwd: ROOT,
      stdio: ['ignore', options.quietStdout === true ? 'ignore' : 'inherit', 'inherit'],
    });
    child.once('error', (error) => {
      process.stderr.write(`${command}: ${error.message}\n`);
      resolve(127);
    });
    child.once('close', (code) => resolve(code ?? 1));
  });
}

void runAll().then(
  (code) => process.exit(code),
  (thrown: unknown) => {
    process.stderr.write(
      `npm test: ${thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)}\n`,
    );
    process.stdout.write('0 passed, 1 failed\n');
    process.exit(1);
  },
);
