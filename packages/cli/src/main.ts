/** The program `lpmos`: binds a run of cli.ts to the real process. */
import { readFile } from 'node:fs/promises';
import { runCli } from './cli';
import { readCliEnvironment } from './config';
import { EXIT_CRASH } from './exit-codes';
import { processTerminal } from './process-terminal';

const interrupted = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort());
// `lpmos task list | head` closes our output early; that is no fault.
process.stdout.on('error', () => process.exit(0));

const environment = readCliEnvironment();
runCli({
  args: process.argv.slice(2),
  environment,
  terminal: processTerminal(environment, interrupted.signal),
  signal: interrupted.signal,
  nowMs: () => Date.now(),
  readFile: (path) => readFile(path, 'utf8'),
}).then(
  (code) => {
    process.exitCode = code;
  },
  (thrown: unknown) => {
    process.stderr.write(`lpmos: ${thrown instanceof Error ? thrown.stack : String(thrown)}\n`);
    process.exitCode = EXIT_CRASH;
  },
);
