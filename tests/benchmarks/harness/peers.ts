/**
 * The servers of others that LPMOS is measured against, as Debian ships them, each as a foreground process, on one core if asked. They
 * are set up as somebody who knows them would: no ping before an offer, no access log, sendfile on.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild } from '../../../scripts/stack/process';
import type { RunningChild } from '../../../scripts/stack/process';
import type { PlainNode } from './plain-node';
import type { PlainNodeTftp } from './plain-node-tftp';

const READY_MS = 20_000;

interface PeerOptions {
  /** For its configuration and log. */
  readonly dir: string;
  readonly address: string;
  /** The only core that it may use; any when absent. */
  readonly core?: number;
}

interface PeerProcess {
  readonly name: string;
  readonly argv: readonly string[];
  readonly readyWhen: (line: string) => boolean;
  readonly env?: Readonly<Record<string, string>>;
}

async function startPeer({ dir, core }: PeerOptions, peer: PeerProcess): Promise<RunningChild> {
  const argv = core === undefined ? peer.argv : ['taskset', '-c', String(core), ...peer.argv];
  const [command = '', ...args] = argv;
  return startChild({
    ...peer,
    command,
    args,
    logFile: join(dir, `${peer.name}.log`),
    readyMs: READY_MS,
  });
}

export async function startNginx(
  options: PeerOptions & { readonly port: number; readonly root: string },
): Promise<RunningChild> {
  const { dir, address, port, root } = options;
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${dir}/nginx-${name};`,
  );
  const configuration = join(dir, 'nginx.conf');
  await writeFile(
    configuration,
    `daemon off; user root; worker_processes 1; pid ${dir}/nginx.pid; error_log stderr notice;
events { worker_connections 256; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; default_type application/octet-stream;
  ${temporary.join(' ')}
  server { listen ${address}:${port}; root ${root}; }
}
`,
  );
  const argv = ['/usr/sbin/nginx', '-c', configuration, '-p', dir];
  return startPeer(options, {
    name: 'nginx',
    argv,
    readyWhen: (line) => line.includes('start worker process '),
  });
}

/** Node's own HTTP server and nothing else, for what cannot be undercut. */
export async function startPlainNode(options: PeerOptions & PlainNode): Promise<RunningChild> {
  const { address, port, imageBytes, script } = options;
  const settings: PlainNode = { address, port, imageBytes, script };
  return startNodePeer(options, 'plain-node', settings);
}

/** The same for TFTP. */
export async function startPlainNodeTftp(options: PeerOptions & PlainNodeTftp): Promise<RunningChild> {
  const { address, port, file } = options;
  const settings: PlainNodeTftp = { address, port, file };
  return startNodePeer(options, 'plain-node-tftp', settings);
}

function startNodePeer(options: PeerOptions, program: string, settings: object): Promise<RunningChild> {
  const argv = [process.execPath, '--require', 'tsx/cjs', join(__dirname, `${program}.ts`)];
  return startPeer(options, {
    name: program,
    argv: [...argv, JSON.stringify(settings)],
    readyWhen: (line) => line === 'listening',
  });
}

const DNSMASQ = ['/usr/sbin/dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--port=0'];
const DNSMASQ_QUIET = ['--user=root', '--pid-file=', '--log-facility=-'];

export interface DhcpPeerOptions extends PeerOptions {
  readonly interface: string;
  readonly pool: { readonly first: string; readonly last: string };
}

export async function startDnsmasqDhcp(
  options: DhcpPeerOptions & { readonly netmask: string; readonly more?: readonly string[] },
): Promise<RunningChild> {
  const { first, last } = options.pool;
  const argv = [
    ...DNSMASQ,
    `--interface=${options.interface}`,
    '--bind-interfaces',
    `--dhcp-range=${first},${last},${options.netmask},1h`,
    '--dhcp-lease-max=1000000',
    '--no-ping',
    `--dhcp-leasefile=${join(options.dir, 'dnsmasq.leases')}`,
    ...(options.more ?? []),
    ...DNSMASQ_QUIET,
    // A line of syslog per packet is what an operator has; to a pipe it would slow it down without need.
    '--quiet-dhcp',
  ];
  return startPeer(options, { name: 'dnsmasq', argv, readyWhen: (line) => line.includes('DHCP, IP range') });
}

export async function startDnsmasqTftp(
  options: PeerOptions & { readonly root: string },
): Promise<RunningChild> {
  const argv = [
    ...DNSMASQ,
    `--listen-address=${options.address}`,
    '--bind-interfaces',
    '--enable-tftp',
    `--tftp-root=${options.root}`,
    '--tftp-max=200',
    ...DNSMASQ_QUIET,
    '--quiet-tftp',
  ];
  return startPeer(options, { name: 'dnsmasq', argv, readyWhen: (line) => line.includes('TFTP root is') });
}

/** atftpd says nothing when it is ready; the first transfer waits for it. */
export async function startAtftpd(
  options: PeerOptions & { readonly port: number; readonly root: string },
): Promise<RunningChild> {
  const { address, port, root } = options;
  const argv = [
    '/usr/sbin/atftpd',
    '--daemon',
    '--no-fork',
    '--logfile',
    '-',
    '--verbose=6',
    '--maxthread',
    '200',
  ];
  const more = ['--user', 'root.root', '--bind-address', address, '--port', String(port), root];
  return startPeer(options, { name: 'atftpd', argv: [...argv, ...more], readyWhen: () => true });
}

export async function startKea(
  options: DhcpPeerOptions & { readonly subnet: string },
): Promise<RunningChild> {
  const { dir, pool, subnet } = options;
  const configuration = join(dir, 'kea.json');
  await writeFile(
    configuration,
    JSON.stringify({
      Dhcp4: {
        'interfaces-config': { interfaces: [options.interface], 'dhcp-socket-type': 'udp' },
        'lease-database': { type: 'memfile', persist: true, name: join(dir, 'kea.leases') },
        'valid-lifetime': 3600,
        subnet4: [{ id: 1, subnet, pools: [{ pool: `${pool.first} - ${pool.last}` }] }],
        loggers: [{ name: 'kea-dhcp4', severity: 'INFO', output_options: [{ output: 'stdout' }] }],
      },
    }),
  );
  return startPeer(options, {
    name: 'kea',
    argv: ['/usr/sbin/kea-dhcp4', '-c', configuration],
    env: { KEA_PIDFILE_DIR: dir, KEA_LOCKFILE_DIR: dir },
    readyWhen: (line) => line.includes('DHCP4_STARTED'),
  });
}
