/**
 * Somebody else's DHCP server on the lab's link: dnsmasq or Kea, which lease addresses and know nothing of booting. It stands in a network
 * namespace of its own behind a veth pair, as another host does, because two servers of one host would share port 67.
 * Not responsible for what the region's daemon does beside it (mode `proxy`).
 * Invariant: `stop()` and the end of the lab's namespace both end it; nothing of it is left.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { runCommand } from '../run-command';

export const FOREIGN_SERVERS = ['dnsmasq', 'kea'] as const;
export type ForeignServer = (typeof FOREIGN_SERVERS)[number];

export interface ForeignDhcpOptions {
  readonly server: ForeignServer;
  readonly bridge: string;
  /** Its own address with prefix length: 10.77.0.2/24. */
  readonly address: string;
  readonly pool: { readonly first: string; readonly last: string };
  /** Receives what the server says about each packet; its configuration stands beside it. */
  readonly logFile: string;
}

export interface ForeignDhcp {
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

const INSIDE = 'foreign0';
const OUTSIDE = 'foreign1';
const READY_DEADLINE_MS = 10_000;

/** What runs behind the interface, and how it says that it serves. */
interface ForeignProgram {
  readonly argv: readonly string[];
  readonly ready: RegExp;
}

function foreignProgram(options: ForeignDhcpOptions): ForeignProgram {
  if (options.server === 'dnsmasq') {
    return { argv: ['dnsmasq', ...dnsmasqArguments(options)], ready: /DHCP, (?:IP range|sockets bound)/ };
  }
  const configuration = join(dirname(options.logFile), 'foreign-kea.json');
  writeFileSync(configuration, JSON.stringify(keaConfiguration(options)));
  return { argv: ['kea-dhcp4', '-c', configuration], ready: /DHCP4_STARTED/ };
}

function keaConfiguration({ address, pool }: ForeignDhcpOptions): object {
  const [router = ''] = address.split('/');
  return {
    Dhcp4: {
      'interfaces-config': { interfaces: [INSIDE] },
      'lease-database': { type: 'memfile', persist: false },
      subnet4: [
        {
          id: 1,
          subnet: address,
          pools: [{ pool: `${pool.first} - ${pool.last}` }],
          'option-data': [{ name: 'routers', data: router }],
        },
      ],
      loggers: [
        { name: 'kea-dhcp4', severity: 'DEBUG', debuglevel: 40, output_options: [{ output: 'stdout' }] },
      ],
    },
  };
}

function dnsmasqArguments({ address, pool }: ForeignDhcpOptions): string[] {
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
  const script = `echo here; read go; ip link set lo up; ip addr add ${options.address} dev ${INSIDE}; ip link set ${INSIDE} up; exec "$@"`;
  const { argv, ready: isReady } = foreignProgram(options);
  const dir = dirname(options.logFile);
  const child = spawn('unshare', ['--net', '--', 'sh', '-c', script, 'foreign', ...argv], {
    stdio: 'pipe',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', KEA_PIDFILE_DIR: dir, KEA_LOCKFILE_DIR: dir },
  });
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
  const ready = said(isReady);
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

/** `unshare` becomes the shell and the shell becomes the server, so one process id names the namespace all the time. */
async function attach(bridge: string, pid: number): Promise<void> {
  const ip = (...args: string[]): Promise<string> => runCommand('ip', args, { timeoutMs: 10_000 });
  await ip('link', 'add', OUTSIDE, 'type', 'veth', 'peer', 'name', INSIDE);
  await ip('link', 'set', INSIDE, 'netns', String(pid));
  await ip('link', 'set', OUTSIDE, 'master', bridge);
  await ip('link', 'set', OUTSIDE, 'up');
}
