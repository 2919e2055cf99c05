/** Two network namespaces joined by one cable, for tests that look at the packets. Owns and removes what it makes. Needs root. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { ip } from './ip-command';

export interface NamespacePair {
  readonly server: string;
  readonly client: string;
  /** The client's end of the cable. */
  readonly device: string;
  readonly serverAddress: string;
  /** Runs a program at the client's end to its end. @returns what it wrote. */
  run(program: string, ...args: readonly string[]): string;
  /** Starts a program at the client's end. */
  start(program: string, ...args: readonly string[]): ChildProcess;
  close(): void;
}

const SERVER_ADDRESS = '10.78.0.1';
const COMMAND_WITHIN_MS = 30_000;
let pairs = 0;

/** Why there can be no pair here, or undefined. */
export function missingNamespaces(...programs: readonly string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  const missing = ['ip', ...programs].filter(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
  );
  return missing.length > 0 ? `no ${missing.join(' and no ')} here; install it` : undefined;
}

export function openNamespacePair(): NamespacePair {
  pairs += 1;
  const tag = `${process.pid % 100_000}x${pairs}`;
  const [server, client, near, device] = [`lpmos-ts${tag}`, `lpmos-tc${tag}`, `lts${tag}`, `ltc${tag}`];
  ip(['netns', 'add', server]);
  ip(['netns', 'add', client]);
  ip(['link', 'add', near, 'netns', server, 'type', 'veth', 'peer', 'name', device, 'netns', client]);
  ip(['-n', server, 'addr', 'add', `${SERVER_ADDRESS}/24`, 'dev', near]);
  ip(['-n', client, 'addr', 'add', '10.78.0.2/24', 'dev', device]);
  for (const [space, name] of [
    [server, near],
    [client, device],
  ] as const) {
    ip(['-n', space, 'link', 'set', name, 'up']);
    ip(['-n', space, 'link', 'set', 'lo', 'up']);
  }
  const inside = (program: string, args: readonly string[]) => ['netns', 'exec', client, program, ...args];
  return {
    server,
    client,
    device,
    serverAddress: SERVER_ADDRESS,
    run: (program, ...args) => {
      const done = spawnSync('ip', inside(program, args), { encoding: 'utf8', timeout: COMMAND_WITHIN_MS });
      return `${done.stdout}${done.stderr}`;
    },
    start: (program, ...args) => spawn('ip', inside(program, args), { stdio: ['ignore', 'pipe', 'pipe'] }),
    close: () => [server, client].forEach((space) => spawnSync('ip', ['netns', 'del', space])),
  };
}
