/**
 * The boot servers of the region wired to its view: TFTP and HTTP first, DHCP last, so that nothing is advertised before it is served.
 * DHCP waits for the first leadership: a standby that answered would give one client two answers.
 */
import type { Clock } from '@lpmos/core';
import { createBootHttpServer, createTftpServer } from '@lpmos/netboot';
import type { BootDecider, BootEventListener, BootScripts } from '@lpmos/netboot';
import type { Logger } from '@lpmos/runtime';
import { agentAssets, lateDirectory } from './boot/boot-files';
import type { Loaders } from './boot/boot-files';
import type { LinkSettings } from './boot/link-settings';
import { createDhcpService } from './dhcp-service';
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
  readonly stateDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
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
  const states: Record<'dhcp' | 'tftp' | 'http', ServiceState> = {
    dhcp: options.link === undefined ? 'off' : 'stopped',
    tftp: 'stopped',
    http: 'stopped',
  };
  const dhcp =
    options.link === undefined
      ? undefined
      : createDhcpService({
          ...options,
          link: options.link,
          onFailure: (error) => {
            states.dhcp = `failed: ${error.message}`;
          },
        });

  const tftp = createTftpServer({
    address: serviceAddress,
    port: options.ports.tftp,
    files: options.loaders.table,
    // Where others do DHCP (no link of ours), whoever is there may load.
    ...(dhcp === undefined ? {} : { admits: (peer) => dhcp.knows(peer.address) }),
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
  let ports: ReturnType<BootServices['ports']> = options.ports;
  let dhcpPort: Promise<number> | undefined;
  const baseUrl = (): string => `http://${serviceAddress}${ports.http === 80 ? '' : `:${ports.http}`}`;
  const openDhcp = async (service: NonNullable<typeof dhcp>): Promise<number> => {
    const port = await service.start(baseUrl());
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
      if (dhcp === undefined) return undefined;
      dhcpPort ??= openDhcp(dhcp);
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
