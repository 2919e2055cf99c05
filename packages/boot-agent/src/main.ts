/** The program of the ramdisk: process in, exit code out. What it does is boot-agent.ts. */
import { randomBytes } from 'node:crypto';
import { version } from '../package.json';
import { runBootAgent } from './boot-agent';
import { EXIT, USAGE } from './exit-codes';
import { createNodeHostReader } from './host-reader';

const write = (text: string): void => void process.stdout.write(text);

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--version')) return (write(`${version}\n`), 0);
  if (args.length > 0) return (write(`${USAGE.join('\n')}\n`), args.includes('--help') ? 0 : EXIT.config);
  return runBootAgent({
    reader: createNodeHostReader(),
    version,
    write,
    nowMs: Date.now,
    random: Math.random,
    nonce: randomBytes(16).toString('hex'),
  });
}

// The console's reader may go away; that must not end an installation.
process.stdout.on('error', () => undefined);
main(process.argv.slice(2)).then(process.exit, (error: unknown) => {
  write(
    `The LPMOS boot agent stopped by a fault of its own: ${error instanceof Error ? error.stack : String(error)}\n`,
  );
  process.exit(EXIT.crash);
});
