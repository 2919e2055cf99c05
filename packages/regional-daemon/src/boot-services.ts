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
  openUdpSocket,
  parseDhcpLink,
} from '@lpmos/netboot';
import type { BootDecider, BootEventListener, BootScripts, DhcpServer } from '@lpmos/netboot';
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

/** The operator's words plus what the daemon knows itself. @throws LpmosError `invalid_argument` with every problem. */
function dhcpLink(
  settings: LinkSettings,
  options: BootServicesOptions,
  baseUrl: string,
): Parameters<typeof createDhcpServer>[0]['link'] {
  const checked = parseDhcpLink({
    name: settings.name,
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
    ports: settings.ports,
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
