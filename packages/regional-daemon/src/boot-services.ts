/**
 * The boot servers of the region wired to its view: TFTP and HTTP first, DHCP last, so that nothing is advertised before it is served.
 * DHCP waits for the first leadership: a standby that answered would give one client two answers.
 */
import { LpmosError } from '@lpmos/core';
import type { Clock } from '@lpmos/core';
import {
  createBootHttpServer,
  createDhcpServer,
  createTftpServer,
  openUdpListener,
  openUdpSocket,
  parseDhcpLink,
} from '@lpmos/netboot';
import type {
  BootDecider,
  BootEventListener,
  BootScripts,
  DhcpServer,
  DhcpServerOptions,
} from '@lpmos/netboot';
import { advertisedScriptUrl } from './boot/agent-scripts';
import { agentAssets, lateDirectory } from './boot/boot-files';
import type { Loaders } from './boot/boot-files';
import type { LinkSettings } from './boot/link-settings';
import type { ServiceState } from './health-body';

export interface BootServicesOptions {
  readonly serviceAddress: string;
  readonly ports: { readonly tftp: number; readonly http: number };
  readonly link: LinkSettings | undefined;
  readonly decider: BootDecider;
  readonly scripts: BootScripts;
  readonly loaders: Loaders;
  readonly ramdiskDir: string;
  readonly imagesDir: string;
  readonly siteInitramfs: Uint8Array;
  readonly clock: Clock;
  readonly onEvent: BootEventListener;
}

export interface BootServices {
  /** TFTP and HTTP. @returns the bound ports */
  start(): Promise<{ readonly tftp: number; readonly http: number }>;
  /** DHCP; safe to call again. @returns the bound port, or undefined when DHCP is off */
  startDhcp(): Promise<number | undefined>;
  stop(): Promise<void>;
  states(): Readonly<Record<'dhcp' | 'tftp' | 'http', ServiceState>>;
  /** Bound so far; DHCP is absent while it is off or not yet led. */
  ports(): { readonly tftp: number; readonly http: number; readonly dhcp?: number };
  /** `http://10.77.0.1` with the bound port where it is not 80. */
  baseUrl(): string;
}

export function createBootServices(options: BootServicesOptions): BootServices {
  const { serviceAddress, clock, onEvent } = options;
  const tftp = createTftpServer({
    address: serviceAddress,
    port: options.ports.tftp,
    files: options.loaders.table,
    onEvent,
    clock,
  });
  const http = createBootHttpServer({
    address: serviceAddress,
    port: options.ports.http,
    decider: options.decider,
    scripts: options.scripts,
    assets: agentAssets(options),
    images: lateDirectory(options.imagesDir),
    onEvent,
    clock,
  });
  const states: Record<'dhcp' | 'tftp' | 'http', ServiceState> = {
    dhcp: options.link === undefined ? 'off' : 'stopped',
    tftp: 'stopped',
    http: 'stopped',
  };
  let ports: ReturnType<BootServices['ports']> = options.ports;
  let dhcp: DhcpServer | undefined;
  let dhcpPort: Promise<number> | undefined;
  const baseUrl = (): string => `http://${serviceAddress}${ports.http === 80 ? '' : `:${ports.http}`}`;

  const openDhcp = async (link: LinkSettings): Promise<number> => {
    dhcp = createDhcpServer({
      link: dhcpLink(link, options, baseUrl()),
      decider: options.decider,
      clock,
      open: openUdpSocket({ serverAddress: serviceAddress, port: link.ports.server }),
      ...sidePorts(link, serviceAddress),
      onEvent,
      onFailure: (error) => {
        states.dhcp = `failed: ${error.message}`;
      },
    });
    const { port } = await dhcp.start();
    states.dhcp = 'running';
    ports = { ...ports, dhcp: port };
    return port;
  };

  return {
    async start() {
      ports = { ...ports, tftp: (await tftp.start()).port };
      states.tftp = 'running';
      ports = { ...ports, http: (await http.start()).port };
      states.http = 'running';
      return ports;
    },
    async startDhcp() {
      if (options.link === undefined) return undefined;
      dhcpPort ??= openDhcp(options.link);
      return dhcpPort;
    },
    async stop() {
      await dhcp?.stop();
      await Promise.all([http.stop(), tftp.stop()]);
      for (const name of ['tftp', 'http'] as const) states[name] = 'stopped';
      if (states.dhcp === 'running') states.dhcp = 'stopped';
    },
    states: () => ({ ...states }),
    ports: () => ports,
    baseUrl,
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
  options: BootServicesOptions,
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
