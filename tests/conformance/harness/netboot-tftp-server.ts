/**
 * Our TFTP server as a process of its own, so that a test can run it in a network namespace and look at its memory and its loop.
 * Argument: JSON `{ address, port, files, limits }`, files as name to size; their bytes are the pattern of the tests.
 * Writes JSON lines: `{ port }` once, and for each line that it reads `{ sessions, rssMegabytes, longestStallMs }`. Ends with its input.
 */
import { createInterface } from 'node:readline';
import { createFileTable, createTftpServer, type TftpServerOptions } from '@lpmos/netboot';
import { watchProcess } from '../../../scripts/fuzz/process-watch';
import { patternBytes, systemClock } from './netboot-foreign-clients';

interface Settings {
  readonly address: string;
  readonly port: number;
  readonly files: Readonly<Record<string, number>>;
  readonly limits?: TftpServerOptions['limits'];
}

export interface TftpServerStatus {
  readonly sessions: number;
  readonly rssMegabytes: number;
  readonly longestStallMs: number;
}

const settings = JSON.parse(process.argv[2] ?? '{}') as Settings;
const say = (line: unknown): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const files = Object.entries(settings.files).map(([name, size]) => [name, patternBytes(size)] as const);
const server = createTftpServer({
  address: settings.address,
  port: settings.port,
  files: createFileTable(Object.fromEntries(files)),
  onEvent: () => undefined,
  clock: systemClock,
  ...(settings.limits === undefined ? {} : { limits: settings.limits }),
});

async function main(): Promise<void> {
  say(await server.start());
  const watch = watchProcess();
  const input = createInterface({ input: process.stdin });
  input.on('line', () => {
    const rssMegabytes = Math.round(process.memoryUsage.rss() / 1e6);
    const status: TftpServerStatus = {
      sessions: server.sessions(),
      rssMegabytes,
      longestStallMs: Math.round(watch.longestStallMs()),
    };
    say(status);
  });
  input.on('close', () => process.exit(0));
}

main().catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exit(1);
});
