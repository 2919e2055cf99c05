/**
 * The boot servers of the region wired to its view: TFTP and HTTP first, DHCP last, so that nothing is advertised before it is served.
 * TFTP and HTTP listen on the address of each link, one server for each, and what a machine is told names the address that it asked.
 * DHCP waits for the first leadership: a standby that answered would give one client two answers.
 */
import type { Clock, MacAddress } from '@lpmos/core';
import {
  createBootHttpServer,
  createTftpServer,
  DEFAULT_HTTP_LIMITS,
  DEFAULT_TFTP_LIMITS,
} from '@lpmos/netboot';
import type { BootDecider, BootEventListener, BootHttpServer, BootScripts, TftpServer } from '@lpmos/netboot';
import type { Logger } from '@lpmos/runtime';
import { agentAssets, lateDirectory } from './boot/boot-files';
import type { GrubAnswers } from './boot/grub-answers';
import type { Loaders } from './boot/loaders';
import type { DhcpService } from './dhcp-service';
import { createDhcpService } from './dhcp-service';
import type { ServiceState } from './health-body';
import type { LeaseCopier } from './leases/lease-copier';
import type { DaemonLink } from './links/daemon-links';
import {
  addressFor,
  doesDhcp,
  httpAddresses,
  isOn,
  partnerBeside,
  tftpAddresses,
} from './links/daemon-links';
import type { PassedSocket } from './links/sockets';
import { passedServer } from './links/sockets';

/** What machines are told that ask on one of our addresses. */
export interface AddressAnswers {
  readonly scripts: BootScripts;
  /** Present when the region has the chain of shim and GRUB. */
  readonly grub?: GrubAnswers;
}

export interface BootServicesOptions {
  /** The daemon's own address: where nothing else is said. */
  readonly serviceAddress: string;
  /** Of the region's other daemon. */
  readonly partnerAddress?: string | undefined;
  readonly ports: { readonly tftp: number; readonly http: number };
  /** Empty: others do DHCP everywhere. */
  readonly links: readonly DaemonLink[];
  readonly passed: readonly PassedSocket[];
  readonly decider: BootDecider;
  readonly answersAt: (address: string) => AddressAnswers;
  readonly loaders: Loaders;
  readonly ramdiskDir: string;
  readonly imagesDir: string;
  readonly siteInitramfs: Uint8Array;
  readonly stateDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onEvent: BootEventListener;
  readonly copies: Pick<LeaseCopier, 'read' | 'hear'>;
  /** Whether this daemon leads its region at this moment. */
  readonly leads: () => boolean;
}

export interface BootServices {
  /** TFTP and HTTP. @returns the bound ports */
  start(): Promise<{ readonly tftp: number; readonly http: number }>;
  /** DHCP; safe to call again. @returns the bound port, or undefined when DHCP is off */
  startDhcp(stoodBy: boolean): Promise<number | undefined>;
  stop(): Promise<void>;
  states(): Readonly<Record<'dhcp' | 'tftp' | 'http', ServiceState>>;
  /** Bound so far; DHCP is absent while it is off or not yet led. */
  ports(): { readonly tftp: number; readonly http: number; readonly dhcp?: number };
  /** Who holds an address, as far as a lease of ours says so. */
  machineAt(address: string): MacAddress | undefined;
  /** Running transfers by TFTP and downloads by HTTP. */
  transfers(): number;
  /** `http://10.77.0.1` with the bound port where it is not 80; the daemon's own address unless one is named. */
  baseUrl(address?: string): string;
  /** The same on the region's other daemon beside an address of ours; undefined where there is none. */
  partnerUrl(address: string): string | undefined;
  /** Our address as a peer is to dial it: that of its link. */
  addressFor(peer: string): string;
  /** The same links with other settings, from the next request on. @throws LpmosError `invalid_argument`; then nothing has changed */
  reconfigure(links: readonly DaemonLink[]): void;
}

type Servers = {
  readonly tftp: readonly TftpServer[];
  readonly http: readonly BootHttpServer[];
};

export function createBootServices(options: BootServicesOptions): BootServices {
  const { serviceAddress } = options;
  let { links } = options;
  const dhcpLinks = links.filter(doesDhcp);
  const states: Record<'dhcp' | 'tftp' | 'http', ServiceState> = {
    dhcp: dhcpLinks.length === 0 ? 'off' : 'stopped',
    tftp: tftpAddresses(links, serviceAddress).length === 0 ? 'off' : 'stopped',
    http: 'stopped',
  };
  let ports: ReturnType<BootServices['ports']> = options.ports;
  const baseUrl = (address = serviceAddress): string =>
    `http://${address}${ports.http === 80 ? '' : `:${ports.http}`}`;
  const dhcp = dhcpServiceOf(options, baseUrl, (link, error) => {
    states.dhcp = `failed: link ${link.settings.name}: ${error.message}`;
  });
  const servers = serversOf(options, () => links, dhcp);
  let dhcpPort: Promise<number> | undefined;
  const openDhcp = async (service: DhcpService, stoodBy: boolean): Promise<number> => {
    const port = await service.start(stoodBy);
    states.dhcp = 'running';
    ports = { ...ports, dhcp: port };
    return port;
  };
  const markStopped = (name: 'dhcp' | 'tftp' | 'http'): void => {
    if (states[name] === 'running') states[name] = 'stopped';
  };

  return {
    async start() {
      ports = { ...ports, tftp: await startAll(servers.tftp, ports.tftp) };
      if (servers.tftp.length > 0) states.tftp = 'running';
      ports = { ...ports, http: await startAll(servers.http, ports.http) };
      states.http = 'running';
      return ports;
    },
    async startDhcp(stoodBy) {
      if (dhcp === undefined) return undefined;
      dhcpPort ??= openDhcp(dhcp, stoodBy);
      return dhcpPort;
    },
    async stop() {
      await dhcp?.stop();
      await Promise.all([...servers.http, ...servers.tftp].map((server) => server.stop()));
      (['dhcp', 'tftp', 'http'] as const).forEach(markStopped);
    },
    states: () => ({ ...states }),
    ports: () => ports,
    machineAt: (address) => dhcp?.machineAt(address),
    transfers: () =>
      servers.tftp.reduce((sum, server) => sum + server.sessions(), 0) +
      servers.http.reduce((sum, server) => sum + server.downloads(), 0),
    baseUrl,
    partnerUrl(address) {
      const partner = partnerBeside(links, options, address);
      return partner === undefined ? undefined : baseUrl(partner);
    },
    addressFor: (peer) => addressFor(links, serviceAddress, peer),
    reconfigure(next) {
      dhcp?.reconfigure(next);
      links = next;
    },
  };
}

function dhcpServiceOf(
  options: BootServicesOptions,
  baseUrl: (address: string) => string,
  onFailure: (link: DaemonLink, error: Error) => void,
): DhcpService | undefined {
  if (!options.links.some(doesDhcp)) return undefined;
  return createDhcpService({ ...options, baseUrl, onFailure });
}

/** One after the other: where the system chooses the port, all addresses get the same one. @returns the port */
async function startAll(
  servers: readonly { start(port?: number): Promise<{ readonly port: number }> }[],
  port: number,
): Promise<number> {
  let bound = port;
  for (const server of servers) bound = (await server.start(bound)).port;
  return bound;
}

function serversOf(
  options: BootServicesOptions,
  links: () => readonly DaemonLink[],
  dhcp: DhcpService | undefined,
): Servers {
  const { serviceAddress, ports, clock, onEvent, passed } = options;
  const assets = agentAssets(options);
  const images = lateDirectory(options.imagesDir);
  const tftp = tftpAddresses(options.links, serviceAddress);
  const http = httpAddresses(options.links, serviceAddress);
  const answers = new Map([...tftp, ...http].map((address) => [address, options.answersAt(address)]));
  const answersAt = (address: string): AddressAnswers => answers.get(address) ?? options.answersAt(address);
  const fdOf = (transport: 'udp' | 'tcp', address: string, port: number): { readonly fd?: number } => {
    const given = passedServer({ transport, address, port }, passed);
    return given === undefined ? {} : { fd: given.fd };
  };
  return {
    tftp: tftp.map((address) => {
      const { grub } = answersAt(address);
      return createTftpServer({
        ...{ address, port: ports.tftp, files: options.loaders.table, onEvent, clock },
        ...fdOf('udp', address, ports.tftp),
        ...(grub === undefined ? {} : { find: grub.files }),
        // Where others do DHCP (no link of ours), whoever is there may load.
        ...(dhcp === undefined ? {} : { admits: (peer) => admits(links(), dhcp, peer.address) }),
        limits: { maxSessions: shareOf(DEFAULT_TFTP_LIMITS.maxSessions, tftp.length) },
      });
    }),
    http: http.map((address) => {
      const { scripts, grub } = answersAt(address);
      return createBootHttpServer({
        ...{ address, port: ports.http, decider: options.decider, scripts, assets, images, onEvent, clock },
        ...fdOf('tcp', address, ports.http),
        loaders: options.loaders.assets,
        holderOf: (peer) => dhcp?.machineAt(peer),
        ...(grub === undefined ? {} : { grub: grub.scripts }),
        limits: {
          maxConnections: shareOf(DEFAULT_HTTP_LIMITS.maxConnections, http.length),
          busyDownloads: shareOf(DEFAULT_HTTP_LIMITS.busyDownloads, http.length),
        },
      });
    }),
  };
}

/** Limits protect the process, so its servers share them; one link's storm must not take another's part. */
function shareOf(limit: number, servers: number): number {
  return Math.max(1, Math.floor(limit / servers));
}

/** Machines of our links; one that is left to others gets no TFTP from us. */
function admits(links: readonly DaemonLink[], dhcp: DhcpService, peer: string): boolean {
  const home = links.find(({ settings }) => isOn(settings.subnet, peer));
  return (home === undefined || doesDhcp(home)) && dhcp.knows(peer);
}
