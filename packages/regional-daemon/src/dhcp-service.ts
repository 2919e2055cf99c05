/**
 * DHCP of the region's link: the operator's words joined with what the daemon knows itself, the sockets, and the journal of leases, so that a
 * restarted daemon knows what it gave. Opened once this daemon leads; what it answers is netboot's business.
 */
import { join } from 'node:path';
import { LpmosError } from '@lpmos/core';
import type { Clock } from '@lpmos/core';
import {
  createDhcpServer,
  openLeaseJournal,
  openUdpListener,
  openUdpSocket,
  parseDhcpLink,
} from '@lpmos/netboot';
import type {
  BootDecider,
  BootEventListener,
  DhcpServer,
  DhcpServerOptions,
  LeaseJournal,
} from '@lpmos/netboot';
import type { Logger } from '@lpmos/runtime';
import { advertisedScriptUrl } from './boot/agent-scripts';
import type { Loaders } from './boot/boot-files';
import type { LinkSettings } from './boot/link-settings';

export interface DhcpServiceOptions {
  readonly link: LinkSettings;
  readonly serviceAddress: string;
  readonly stateDir: string;
  readonly loaders: Loaders;
  readonly decider: BootDecider;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onEvent: BootEventListener;
  readonly onFailure: (error: Error) => void;
}

export interface DhcpService {
  /** @param baseUrl where boot scripts are. @returns the bound port. */
  start(baseUrl: string): Promise<number>;
  /** Whether a peer is a machine of the link; nobody is before the start. */
  knows(address: string): boolean;
  /** What waits of the journal is written. */
  stop(): Promise<void>;
}

export function createDhcpService(options: DhcpServiceOptions): DhcpService {
  const { link, serviceAddress, logger } = options;
  let server: DhcpServer | undefined;
  let journal: LeaseJournal | undefined;
  return {
    async start(baseUrl) {
      journal = await openLeaseJournal({
        dir: join(options.stateDir, 'leases'),
        linkName: link.name,
        onProblem: (problem) => logger.warn({ ...problem }, 'journal of leases'),
      });
      server = createDhcpServer({
        ...options,
        link: dhcpLink(link, options, baseUrl),
        open: openUdpSocket({ serverAddress: serviceAddress, port: link.ports.server }),
        ...sidePorts(link, serviceAddress),
        initialLeases: journal.leases,
        onLease: journal.append,
      });
      return (await server.start()).port;
    },
    knows: (address) => server?.knows(address) ?? false,
    async stop() {
      await server?.stop();
      await journal?.close();
    },
  };
}

/** PXE 2.1: boot servers listen on 4011. */
const BOOT_SERVER_PORT = 4011;
const DHCP_PORT = 67;

/** On the real ports a link has all of them; with ports of its own (a test, a second daemon) only those that are named. */
function sidePorts(
  { ports, mode }: LinkSettings,
  serverAddress: string,
): Partial<Pick<DhcpServerOptions, 'openBootServer' | 'openClientPort'>> {
  const isReal = ports.server === DHCP_PORT;
  const proxy = ports.proxy ?? (isReal || mode === 'proxy' ? BOOT_SERVER_PORT : undefined);
  return {
    ...(proxy === undefined ? {} : { openBootServer: openUdpSocket({ serverAddress, port: proxy }) }),
    ...(isReal ? { openClientPort: openUdpListener({ port: ports.client }) } : {}),
  };
}

/** The operator's words plus what the daemon knows itself. @throws LpmosError `invalid_argument` with every problem. */
function dhcpLink(
  settings: LinkSettings,
  options: DhcpServiceOptions,
  baseUrl: string,
): Parameters<typeof createDhcpServer>[0]['link'] {
  const { proxy: _openedHere, ...ports } = settings.ports;
  const checked = parseDhcpLink({
    name: settings.name,
    mode: settings.mode,
    serverAddress: options.serviceAddress,
    subnet: settings.subnet,
    ...(settings.pool === undefined ? {} : { pool: settings.pool }),
    ...(settings.router === undefined ? {} : { router: settings.router }),
    ...(settings.domain === undefined ? {} : { domain: settings.domain }),
    ...(settings.ntp_servers === undefined ? {} : { ntpServers: settings.ntp_servers }),
    dnsServers: settings.dns_servers,
    leaseSeconds: settings.lease_seconds,
    offerSeconds: settings.offer_seconds,
    reservations: settings.reservations,
    relays: settings.relays,
    ...(settings.known_servers === undefined ? {} : { knownServers: settings.known_servers }),
    ports,
    unknownClients: settings.unknown_clients,
    boot: {
      nextServer: options.serviceAddress,
      loaders: options.loaders.names,
      scriptUrl: advertisedScriptUrl(baseUrl),
    },
  });
  if (checked.kind === 'link') return checked.link;
  throw new LpmosError({
    code: 'invalid_argument',
    message: `LPMOS_DHCP_LINK: ${checked.problems.map(({ path, problem }) => `${path} ${problem}`).join('; ')}`,
    fields: checked.problems,
  });
}
