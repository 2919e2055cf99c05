/**
 * `npm run quickstart`: from a checkout to a machine that was network-booted, approved, installed and checked in from its disk.
 * This file is the outer half: it says what will happen, builds what is missing and enters a network namespace of its own, where
 * quickstart/inside.ts runs the life of the machine. Nothing is left on the host: the namespace dies with its last process.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buildPrograms } from './build';
import { buildMachineArtefacts } from './quickstart/artefacts';
import { INTERRUPTED } from './quickstart/command-line';
import { needsTerminal, parseQuickstartArgs, QUICKSTART_HELP } from './quickstart/arguments';
import type { QuickstartArgs } from './quickstart/arguments';
import { runSimulated } from './quickstart/simulated';
import { checkNamespace, forwardToNamespace, namespaceCommand } from './lab/namespace';
import { createSteps } from './quickstart/steps';

const ROOT = join(__dirname, '..');

async function quickstart(): Promise<number> {
  const args = parseQuickstartArgs(process.argv.slice(2));
  if ('problem' in args) {
    process.stderr.write(`quickstart: ${args.problem}\n\n${QUICKSTART_HELP}\n`);
    return 2;
  }
  if (args.help) {
    process.stdout.write(`${QUICKSTART_HELP}\n`);
    return 0;
  }
  const unasked = needsTerminal(args, process.stdin.isTTY && process.stderr.isTTY);
  if (unasked !== undefined) {
    process.stderr.write(`quickstart: ${unasked}\n`);
    return 2;
  }
  mkdirSync(join(ROOT, '.lab'), { recursive: true });
  const dir = mkdtempSync(join(ROOT, '.lab', 'run-'));
  const code = args.simulate ? await runSimulated({ args, dir }) : await runReal(args, dir);
  if (code === 0 || code === INTERRUPTED) rmSync(dir, { recursive: true, force: true });
  else process.stderr.write(`quickstart: the logs are kept in ${dir}\n`);
  return code;
}

async function runReal(args: QuickstartArgs, dir: string): Promise<number> {
  const problem = checkNamespace();
  if (problem !== undefined) {
    process.stderr.write(`quickstart: ${problem}\nOr run: npm run quickstart -- --simulate\n`);
    return 1;
  }
  const steps = createSteps();
  steps.begin('building the programs');
  const sizes = await buildPrograms();
  steps.end(`${Object.keys(sizes).length} programs`);
  const artefacts = await buildMachineArtefacts(steps);
  const socketPath = join(dir, 'api.sock');
  const forward = await forwardToNamespace({ socketPath, port: args.port });
  const inside = join(ROOT, 'scripts', 'quickstart', 'inside.ts');
  const settings = JSON.stringify({ args, dir, socketPath, apiPort: forward.port, artefacts });
  const { command, args: words } = namespaceCommand([process.execPath, '--import', 'tsx', inside, settings]);
  const child = spawn(command, words, { stdio: 'inherit', cwd: ROOT });
  // Ctrl-C reaches the whole group; this process only waits for the inside to tidy up.
  let interrupted = false;
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => (interrupted = true));
  const code = await new Promise<number>((resolve) => {
    child.once('error', (error) => {
      process.stderr.write(`quickstart: ${command}: ${error.message}\n`);
      resolve(1);
    });
    child.once('close', (status) => resolve(status ?? 1));
  });
  await forward.close();
  return interrupted && code !== 0 ? INTERRUPTED : code;
}

void quickstart().then(
  (code) => process.exit(code),
  (thrown: unknown) => {
    process.stderr.write(`quickstart: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    process.exit(1);
  },
);
