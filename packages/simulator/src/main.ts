/** The process of `lpmos-simulator`: signals, arguments and exit code; everything else is program.ts. */
import { simulatorEnv } from './config';
import { runSimulator } from './program';

const controller = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());

void runSimulator({
  args: process.argv.slice(2),
  env: simulatorEnv,
  print: (text) => process.stdout.write(`${text}\n`),
  printError: (text) => process.stderr.write(`${text}\n`),
  signal: controller.signal,
}).then((code) => {
  process.exitCode = code;
});
