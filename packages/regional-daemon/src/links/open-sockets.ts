/**
 * Opens what sockets.ts lists: from a service manager where it passed the socket in, bound to the interface where the link has one, and
 * plainly otherwise. All sockets on interfaces come from one helper, so they are opened together when DHCP starts; each server then takes its own.
 */
import type { Socket } from 'node:dgram';
import { openDeviceSockets, openUdpListener, openUdpSocket, portOverSockets } from '@lpmos/netboot';
import type { DeviceSocketRequest, OpenPort, UdpSocketOptions } from '@lpmos/netboot';
import type { DaemonLink } from './daemon-links';
import type { LinkSocket, PassedSocket, SocketPurpose } from './sockets';
import { passedFor, socketsOf } from './sockets';

export interface LinkPorts {
  of(link: DaemonLink): Partial<Record<SocketPurpose, OpenPort>>;
  /** For those that nobody took, after a start that failed. */
  closeAll(): void;
}

/** One request for a port that only listens, two for one that answers: who receives broadcasts cannot choose its source address. */
export function deviceRequest(socket: LinkSocket, device: string): readonly DeviceSocketRequest[] {
  const { port, path, purpose } = socket;
  const alone = purpose !== 'client-port';
  const receiving = { device, port, path, alone, address: '0.0.0.0' };
  return alone ? [receiving, { ...receiving, address: socket.address }] : [receiving];
}

export interface OpenLinkPortsOptions {
  readonly passed: readonly PassedSocket[];
  /** This daemon stood by while the service manager's sockets filled: what waits in them is not for it any more. */
  readonly stoodBy: boolean;
}

/** @throws LpmosError `unavailable` with every socket that cannot be had; what was opened is closed then */
export async function openLinkPorts(
  links: readonly DaemonLink[],
  { passed, stoodBy }: OpenLinkPortsOptions,
): Promise<LinkPorts> {
  const sockets = socketsOf(links);
  const bound = sockets.filter(
    (socket) => socket.device !== undefined && passedFor(socket, passed) === undefined,
  );
  const requests = bound.map((socket) => deviceRequest(socket, socket.device ?? ''));
  const opened = await openDeviceSockets(requests.flat());
  const rest = [...opened];
  const ofSocket = new Map<LinkSocket, readonly Socket[]>();
  for (const [index, socket] of bound.entries()) {
    ofSocket.set(socket, rest.splice(0, requests[index]?.length ?? 0));
  }
  const ports = new Map<DaemonLink, Partial<Record<SocketPurpose, OpenPort>>>();
  for (const socket of sockets) {
    const given = passedFor(socket, passed);
    const inherited = given === undefined ? {} : { fd: given.fd, discardQueued: stoodBy };
    const opener = openerOf(socket, inherited, ofSocket.get(socket));
    ports.set(socket.link, { ...ports.get(socket.link), [socket.purpose]: opener });
  }
  return { of: (link) => ports.get(link) ?? {}, closeAll: () => opened.forEach(closeQuietly) };
}

function closeQuietly(socket: Socket): void {
  try {
    socket.close();
  } catch {
    // Its server closed it already.
  }
}

function openerOf(
  socket: LinkSocket,
  inherited: Pick<UdpSocketOptions, 'fd' | 'discardQueued'>,
  opened: readonly Socket[] | undefined,
): OpenPort {
  const { address: serverAddress, port, purpose, unicastOnly } = socket;
  const [receiving, sending] = opened ?? [];
  if (receiving !== undefined) {
    return async () =>
      portOverSockets({ serverAddress, receiving, ...(sending === undefined ? {} : { sending }) });
  }
  return purpose === 'client-port'
    ? openUdpListener({ port, ...inherited })
    : openUdpSocket({ serverAddress, port, unicastOnly, ...inherited });
}
