/**
 * One run of `lpmos` from words to exit code. Knows no process: words, terminal, variables, clock and signal are handed in,
 * so that tests run what users run. Errors end here: the message, every invalid field, what to do next, on stderr.
 */
import { CommanderError } from 'commander';
import { LpmosError } from '@lpmos/core';
import type { CommandContext } from './command';
import type { CliEnvironment } from './config';
import type { ControlPlane } from './control-plane';
import { EXIT_CRASH, EXIT_DONE, EXIT_INTERRUPTED, exitCodeOf } from './exit-codes';
import { buildProgram } from './program';
import type { Invocation } from './program';
import { note, printable } from './terminal';
import type { Terminal } from './terminal';

export interface CliHost {
  /** Without the interpreter and the script. */
  readonly args: readonly string[];
  readonly environment: CliEnvironment;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
  readonly readFile: (path: string) => Promise<string>;
}

export async function runCli(host: CliHost): Promise<number> {
  let exitCode = EXIT_DONE;
  const program = buildProgram({
    terminal: host.terminal,
    onCommand: async (invocation) => {
      exitCode = await runCommand(host, invocation);
    },
  });
  try {
    await program.parseAsync([...host.args], { from: 'user' });
    return exitCode;
  } catch (thrown) {
    return report(host, thrown);
  }
}

async function runCommand(host: CliHost, { spec, args, options, globals }: Invocation): Promise<number> {
  const context: CommandContext = {
    terminal: host.terminal,
    format: globals['output'] === 'json' ? 'json' : 'table',
    signal: host.signal,
    nowMs: host.nowMs,
    readFile: host.readFile,
    connect: once(async () => (await import('./connect')).connect(host, globals)),
  };
  const { run } = await spec.load();
  return run({ context, args, options });
}

function once(make: () => Promise<ControlPlane>): () => Promise<ControlPlane> {
  let made: Promise<ControlPlane> | undefined;
  return () => (made ??= make());
}

function report(host: CliHost, thrown: unknown): number {
  if (thrown instanceof CommanderError) {
    // Help and version end this way too; what is wrong was said already.
    return thrown.exitCode === 0 ? EXIT_DONE : exitCodeOf('invalid_argument');
  }
  if (host.signal.aborted) {
    note(host.terminal, 'lpmos: interrupted');
    return EXIT_INTERRUPTED;
  }
  if (!(thrown instanceof LpmosError)) {
    note(
      host.terminal,
      `lpmos: a fault of this program: ${thrown instanceof Error ? thrown.stack : String(thrown)}`,
    );
    return EXIT_CRASH;
  }
  for (const line of errorLines(thrown)) note(host.terminal, line);
  return exitCodeOf(thrown.code);
}

const NEXT_STEP: Partial<Record<LpmosError['code'], string>> = {
  unauthenticated:
    'give a good token by --token-file or LPMOS_TOKEN_FILE; `lpmos token create` signs one with the private key',
  forbidden: 'ask for a token whose roles and regions allow it',
  stale: 'look again with `lpmos task show`, then decide again',
  conflict: 'look again with `lpmos task show`, then decide again',
  outcome_unknown: 'look with `lpmos task show` whether it was done before you repeat it',
  rate_limited: 'wait a moment and repeat',
};

export function errorLines(error: LpmosError): string[] {
  const fields = error.fields
    .filter((field) => !error.message.startsWith(field.path))
    .map((field) => `  ${field.path}: ${field.problem}`);
  const details = Object.entries(error.details)
    .filter(([, value]) => !error.message.includes(String(value)))
    .map(([name, value]) => `  ${name}: ${value}`);
  const next = NEXT_STEP[error.code];
  const lines = [`lpmos: ${error.message} (${error.code})`, ...fields, ...details];
  return [...lines, ...(next === undefined ? [] : [`  next: ${next}`])].map(printable);
}
