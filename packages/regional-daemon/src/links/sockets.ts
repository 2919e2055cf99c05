/**
 * Which sockets the links need, as data: one list for the check at the start, for opening, and for matching what a service manager passed in.
 * A link with an interface gets sockets that are bound to it, so that it hears its own broadcasts only; links behind relays share one
 * unicast socket for each address; a link that is alone and names no interface is heard on all interfaces. Pure; open-sockets.ts opens.
 */
import type { DaemonLink } from './daemon-links';
import { doesDhcp } from './daemon-links';

export type SocketPurpose = 'dhcp' | 'boot-server' | 'client-port';

export interface LinkSocket {
  readonly purpose: SocketPurpose;
  /** Which links it serves; the first one owns it. */
  readonly link: DaemonLink;
  /** `dhcp_links[0]` */
  readonly path: string;
  readonly device?: string;
  /** Our address; broadcasts are heard as well unless `unicastOnly`. */
  readonly address: string;
  readonly port: number;
  readonly unicastOnly: boolean;
}

/** PXE 2.1: boot servers listen on 4011. */
export const BOOT_SERVER_PORT = 4011;
export const DHCP_PORT = 67;

export function socketsOf(links: readonly DaemonLink[]): readonly LinkSocket[] {
  const sockets: LinkSocket[] = [];
  const shared = new Set<string>();
  for (const link of links.filter(doesDhcp)) {
    for (const [purpose, port] of portsOf(link)) {
      const key = `${purpose} ${link.serviceAddress}:${port}`;
      if (link.relayedOnly && (shared.has(key) || purpose === 'client-port')) continue;
      if (link.relayedOnly) shared.add(key);
      const device = link.settings.interface;
      sockets.push({
        ...{ purpose, link, path: link.path, address: link.serviceAddress, port },
        ...(device === undefined ? {} : { device }),
        unicastOnly: link.relayedOnly,
      });
    }
  }
  return sockets;
}

/** On the real ports a link has all of them; with ports of its own (a test, a second daemon) only those that are named. */
function portsOf({ settings: { ports, mode } }: DaemonLink): readonly (readonly [SocketPurpose, number])[] {
  const isReal = ports.server === DHCP_PORT;
  const proxy = ports.proxy ?? (isReal || mode === 'proxy' ? BOOT_SERVER_PORT : undefined);
  return [
    ['dhcp', ports.server],
    ...(proxy === undefined ? [] : [['boot-server', proxy] as const]),
    ...(isReal ? [['client-port', ports.client] as const] : []),
  ];
}

/** A descriptor that a service manager opened before us. */
export interface PassedSocket {
  readonly fd: number;
  /** `FileDescriptorName=` of the socket unit. */
  readonly name: string;
  readonly transport: 'udp' | 'tcp' | 'other';
  readonly address: string;
  readonly port: number;
}

/** Socket units of a link are named after its interface: the kernel does not tell which device a socket is bound to. */
export function passedName(device: string): string {
  return `lpmos-${device}`;
}

export function passedFor(
  socket: Pick<LinkSocket, 'device' | 'port'>,
  passed: readonly PassedSocket[],
): PassedSocket | undefined {
  const { device } = socket;
  if (device === undefined) return undefined;
  return passed.find(
    (one) => one.name === passedName(device) && one.transport === 'udp' && one.port === socket.port,
  );
}

/** TFTP and HTTP are told by what they are bound to. */
export function passedServer(
  wanted: { readonly transport: 'udp' | 'tcp'; readonly address: string; readonly port: number },
  passed: readonly PassedSocket[],
): PassedSocket | undefined {
  return passed.find(
    ({ transport, address, port }) =>
      transport === wanted.transport && address === wanted.address && port === wanted.port,
  );
}
