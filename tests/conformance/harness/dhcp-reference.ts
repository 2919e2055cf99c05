/**
 * dnsmasq and Kea as DHCP servers of the loopback wire, told the same link as ours, so that a rule's test can be run against them and a
 * wrong test is found. dnsmasq serves clients of the link and relays; Kea cannot broadcast on loopback and is asked through a relay only.
 * Owns the process and its folder, and removes both.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DhcpLink } from '@lpmos/netboot';
import { missingClient, until } from './netboot-foreign-clients';

export const DHCP_REFERENCES = ['dnsmasq', 'kea'] as const;
export type DhcpReferenceName = (typeof DHCP_REFERENCES)[number];

export interface DhcpReference {
  readonly port: number;
  /** What it wrote so far. */
  said(): string;
  stop(): Promise<void>;
}

export interface DhcpReferenceOptions {
  readonly name: DhcpReferenceName;
  readonly link: DhcpLink;
  readonly clientPort: number;
}

/** Why there is no such server here, or undefined. */
export function missingDhcpReference(name: DhcpReferenceName): string | undefined {
  if (process.getuid?.() !== 0) return `${name} as the reference for DHCP needs root`;
  return name === 'kea'
    ? missingClient('kea-dhcp4', 'kea-dhcp4-server')
    : missingClient('dnsmasq', 'dnsmasq-base');
}

export async function startDhcpReference(options: DhcpReferenceOptions): Promise<DhcpReference> {
  const folder = mkdtempSync(join(tmpdir(), 'lpmos-dhcp-reference-'));
  const port = await freePort();
  const child =
    options.name === 'kea' ? startKea(options, port, folder) : startDnsmasq(options, port, folder);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  }
  const ready = options.name === 'kea' ? 'DHCP4_STARTED' : 'dnsmasq-dhcp';
  await until(
    `${options.name} serves DHCP`,
    () => said.includes(ready) || child.exitCode !== null || child.signalCode !== null,
  );
  if (!said.includes(ready)) throw new Error(`${options.name} did not start: ${said}`);
  return {
    port,
    said: () => said,
    async stop() {
      const gone = once(child, 'close');
      child.kill('SIGKILL');
      await gone;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

function startDnsmasq(
  { link, clientPort }: DhcpReferenceOptions,
  port: number,
  folder: string,
): ChildProcess {
  const { pool } = link;
  return spawn(
    'dnsmasq',
    [
      ...['--keep-in-foreground', '--log-facility=-', '--conf-file=/dev/null', '--pid-file=', '--user=root'],
      ...[
        '--port=0',
        '--interface=lo',
        '--bind-interfaces',
        '--dhcp-authoritative',
        '--no-ping',
        '--log-dhcp',
      ],
      `--dhcp-alternate-port=${port},${clientPort}`,
      `--dhcp-leasefile=${join(folder, 'leases')}`,
      ...(pool === undefined
        ? ['--dhcp-range=127.0.0.0,static,255.0.0.0']
        : [`--dhcp-range=${pool.first},${pool.last},255.0.0.0,${link.leaseSeconds}`]),
      ...(link.router === undefined ? [] : [`--dhcp-option=option:router,${link.router}`]),
      ...list('--dhcp-option=option:dns-server', link.dnsServers),
      ...list('--dhcp-option=option:ntp-server', link.ntpServers ?? []),
      ...(link.domain === undefined ? [] : [`--domain=${link.domain}`]),
      ...link.reservations.map(({ mac, address, hostname }) =>
        ['--dhcp-host=' + mac, address, ...(hostname === undefined ? [] : [hostname])].join(','),
      ),
      '--dhcp-match=set:bios,option:client-arch,0',
      '--dhcp-match=set:x64,option:client-arch,7',
      '--dhcp-match=set:x64,option:client-arch,9',
      `--dhcp-boot=tag:bios,${link.boot.loaders.bios ?? ''},,${link.boot.nextServer}`,
      `--dhcp-boot=tag:x64,${link.boot.loaders.x64 ?? ''},,${link.boot.nextServer}`,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
}

function list(option: string, values: readonly string[]): readonly string[] {
  return values.length === 0 ? [] : [`${option},${values.join(',')}`];
}

function startKea({ link, clientPort }: DhcpReferenceOptions, port: number, folder: string): ChildProcess {
  const file = join(folder, 'kea.json');
  writeFileSync(file, JSON.stringify(keaConfiguration(link)));
  return spawn('kea-dhcp4', ['-c', file, '-p', String(port), '-P', String(clientPort)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, KEA_LOCKFILE_DIR: 'none', KEA_PIDFILE_DIR: folder },
  });
}

function keaConfiguration(link: DhcpLink): unknown {
  const option = (name: string, values: readonly string[]): readonly unknown[] =>
    values.length === 0 ? [] : [{ name, data: values.join(', ') }];
  const loader = (name: string, types: readonly number[], file: string | undefined): unknown => ({
    name,
    test: types.map((type) => `option[93].hex == 0x${type.toString(16).padStart(4, '0')}`).join(' or '),
    'next-server': link.boot.nextServer,
    'boot-file-name': file ?? '',
  });
  return {
    Dhcp4: {
      'interfaces-config': { interfaces: ['lo/127.0.0.1'], 'dhcp-socket-type': 'udp' },
      'lease-database': { type: 'memfile', persist: false },
      authoritative: true,
      'valid-lifetime': link.leaseSeconds,
      'min-valid-lifetime': 60,
      'max-valid-lifetime': link.leaseSeconds,
      'calculate-tee-times': true,
      'match-client-id': false,
      'reservations-out-of-pool': true,
      'client-classes': [
        loader('bios', [0], link.boot.loaders.bios),
        loader('x64', [7, 9], link.boot.loaders.x64),
      ],
      'option-data': [
        ...option('routers', link.router === undefined ? [] : [link.router]),
        ...option('domain-name-servers', link.dnsServers),
        ...option('ntp-servers', link.ntpServers ?? []),
        ...option('domain-name', link.domain === undefined ? [] : [link.domain]),
      ],
      subnet4: [
        {
          id: 1,
          subnet: link.subnet,
          interface: 'lo',
          pools: link.pool === undefined ? [] : [{ pool: `${link.pool.first}-${link.pool.last}` }],
          reservations: link.reservations.map(({ mac, address, hostname }) => ({
            'hw-address': mac,
            'ip-address': address,
            ...(hostname === undefined ? {} : { hostname }),
          })),
        },
      ],
      loggers: [{ name: 'kea-dhcp4', output_options: [{ output: 'stdout' }], severity: 'INFO' }],
    },
  };
}
