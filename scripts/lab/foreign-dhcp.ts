/**
 * Somebody else's DHCP server on the lab's link: dnsmasq, which leases addresses and knows nothing of booting. It stands in a network
 * namespace of its own behind a veth pair, as another host does, because two servers of one host would share port 67.
 * Not responsible for what the region's daemon does beside it (mode `proxy`).
 * Invariant: `stop()` and the end of the lab's namespace both end it; nothing of it is left.
 */
import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { runCommand } from '../run-command';

export interface ForeignDhcpOptions {
  readonly bridge: string;
  /** Its own address with prefix length: 10.77.0.2/24. */
  readonly address: string;
  readonly pool: { readonly first: string; readonly last: string };
  /** Receives what dnsmasq says about each packet. */
  readonly logFile: string;
}

export interface ForeignDhcp {
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

const INSIDE = 'foreign0';
const OUTSIDE = 'foreign1';
const READY_DEADLINE_MS = 10_000;

export function foreignDhcpArguments({ address, pool }: ForeignDhcpOptions): string[] {
  return [
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--port=0',
    `--interface=${INSIDE}`,
    '--bind-interfaces',
    `--dhcp-range=${pool.first},${pool.last},1h`,
    `--dhcp-option=option:router,${address.split('/')[0] ?? ''}`,
    '--dhcp-authoritative',
    // The pool is ours alone, and a ping before each offer takes longer than some firmware waits.
    '--no-ping',
    '--log-dhcp',
    '--log-facility=-',
    '--user=',
    '--group=',
    '--pid-file=',
    '--dhcp-leasefile=/dev/null',
  ];
}

/** Starts the server and resolves once it serves. @throws Error with its last words when it does not within 10 s. */
export async function startForeignDhcp(options: ForeignDhcpOptions): Promise<ForeignDhcp> {
  // The shell waits for its interface, which can be moved only when the namespace is there.
  const script = `echo here; read go; ip link set lo up; ip addr add ${options.address} dev ${INSIDE}; ip link set ${INSIDE} up; exec dnsmasq "$@"`;
  const args = ['--net', '--', 'sh', '-c', script, 'dnsmasq', ...foreignDhcpArguments(options)];
  const child = spawn('unshare', args, { stdio: 'pipe' });
  const log = createWriteStream(options.logFile, { flags: 'a' });
  let lastWords = '';
  const exited = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  const said = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', () => pattern.test(lastWords) && resolve());
      void exited.then(() => reject(new Error(`the foreign DHCP server ended: ${lastWords.trim()}`)));
    });
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => log.write(`${line}\n`));
    stream.on('data', (chunk: Buffer) => (lastWords = (lastWords + chunk.toString('utf8')).slice(-4096)));
  }
  const late = setTimeout(() => child.kill('SIGKILL'), READY_DEADLINE_MS);
  const ready = said(/DHCP, (?:IP range|sockets bound)/);
  try {
    await Promise.race([said(/here/), ready]);
    await attach(options.bridge, child.pid ?? 0);
    child.stdin.end('go\n');
    await ready;
  } finally {
    clearTimeout(late);
  }
  return {
    exited,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
      log.end();
    },
  };
}

/** `unshare` becomes the shell and the shell becomes dnsmasq, so one process id names the namespace all the time. */
async function attach(bridge: string, pid: number): Promise<void> {
  const ip = (...args: string[]): Promise<string> => runCommand('ip', args, { timeoutMs: 10_000 });
  await ip('link', 'add', OUTSIDE, 'type', 'veth', 'peer', 'name', INSIDE);
  await ip('link', 'set', INSIDE, 'netns', String(pid));
  await ip('link', 'set', OUTSIDE, 'master', bridge);
  await ip('link', 'set', OUTSIDE, 'up');
}
