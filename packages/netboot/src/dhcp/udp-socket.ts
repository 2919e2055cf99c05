/**
 * The network side of the DHCP server on Node's sockets. Knows no packet.
 * A socket bound to an address never gets broadcasts, and one bound to 0.0.0.0 sends a broadcast to the wrong link or nowhere: so
 * one receives on 0.0.0.0, and one bound to our address sends (and takes the unicasts, which Linux gives to the closer match).
 * With an inherited descriptor that is bound to the link's device (SO_BINDTODEVICE, systemd `BindToDevice=`) one socket does both.
 */
import { LpmosError } from '@lpmos/core';
import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import type { DatagramListener, DatagramPort, Endpoint } from './datagram-port';

export interface UdpSocketOptions {
  /** Our address on the link; the source of every reply. */
  readonly serverAddress: string;
  /** 67; 0 lets the system choose. */
  readonly port: number;
  /** An open UDP socket, bound to the port and to the link's device. */
  readonly fd?: number;
  /** What waits in an inherited socket is thrown away: it was sent to a daemon that stood by, and others have answered it. */
  readonly discardQueued?: boolean;
  /** Hears unicasts to the server address and no broadcast: what relays and renewing clients send. Shares its port with sockets on devices. */
  readonly unicastOnly?: boolean;
}

export interface BoundSockets {
  readonly serverAddress: string;
  /** Hears broadcasts; from openDeviceSockets. */
  readonly receiving: Socket;
  /** Bound to the server address; without it the port only listens. */
  readonly sending?: Socket;
}

/** Addresses only: without this, Node asks the resolver's thread for every datagram. */
const NO_LOOKUP = (
  hostname: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void => callback(null, hostname, 4);

/** @returns opens the port; rejects with LpmosError `unavailable` or `invalid_argument` that says what to do. */
export function openUdpSocket(options: UdpSocketOptions): () => Promise<DatagramPort> {
  return async () => {
    const opened: Socket[] = [];
    try {
      if (options.fd !== undefined) return await openInherited(options, options.fd, opened);
      return options.unicastOnly === true
        ? await openUnicast(options, opened)
        : await openPair(options, opened);
    } catch (thrown) {
      await Promise.all(opened.map(closeSocket));
      throw explained(thrown, options);
    }
  };
}

/**
 * Hears what is broadcast to a port that another program of this host may share (68 and its DHCP client); sends nothing.
 * A program that does not share keeps us out, which is said as `unavailable`.
 */
export function openUdpListener({ port, fd }: ListenerOptions): () => Promise<DatagramPort> {
  return async () => {
    const opened: Socket[] = [];
    try {
      const socket = udpSocket(opened);
      const target = fd === undefined ? { address: '0.0.0.0', port } : { fd };
      const local = { address: '0.0.0.0', port: (await bound(socket, target)).port };
      return { ...portOver([socket], socket, local), send: onlyListens };
    } catch (thrown) {
      await Promise.all(opened.map(closeSocket));
      throw explained(thrown, { serverAddress: '0.0.0.0', port });
    }
  };
}

export interface ListenerOptions {
  readonly port: number;
  /** An open UDP socket, bound to the port and to the link's device. */
  readonly fd?: number;
}

/** A port over sockets that are open and bound already. Takes them over: closing the port closes them. */
export function portOverSockets({ serverAddress, receiving, sending }: BoundSockets): DatagramPort {
  receiving.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
  const local = { address: serverAddress, port: receiving.address().port };
  if (sending === undefined) return { ...portOver([receiving], receiving, local), send: onlyListens };
  sending.setBroadcast(true);
  return portOver([receiving, sending], sending, local);
}

function onlyListens(): Promise<void> {
  return Promise.reject(new Error('this port only listens'));
}

async function openUnicast(options: UdpSocketOptions, opened: Socket[]): Promise<DatagramPort> {
  const socket = udpSocket(opened);
  const { serverAddress: address } = options;
  const { port } = await bound(socket, { address, port: options.port });
  return portOver([socket], socket, { address, port });
}

async function openPair(options: UdpSocketOptions, opened: Socket[]): Promise<DatagramPort> {
  await provePortIsFree(options.port);
  const receiving = udpSocket(opened);
  const { port } = await bound(receiving, { address: '0.0.0.0', port: options.port });
  const sending = udpSocket(opened);
  await bound(sending, { address: options.serverAddress, port });
  sending.setBroadcast(true);
  return portOver([receiving, sending], sending, { address: options.serverAddress, port });
}

async function openInherited(options: UdpSocketOptions, fd: number, opened: Socket[]): Promise<DatagramPort> {
  const socket = udpSocket(opened);
  const { port } = await bound(socket, { fd });
  socket.setBroadcast(true);
  const opening = portOver([socket], socket, { address: options.serverAddress, port });
  // Nobody listens yet, so what comes in now goes nowhere.
  if (options.discardQueued === true) await untilQuiet(socket);
  return opening;
}

/** Node reads what is queued in one go after the other: a pause in it means that the queue is empty. */
const QUIET_MS = 20;
/** On a link that is never quiet nothing older is left after this. */
const DISCARD_AT_MOST_MS = 1000;

async function untilQuiet(socket: Socket): Promise<void> {
  let isQuiet = false;
  const hear = (): void => void (isQuiet = false);
  socket.on('message', hear);
  const end = performance.now() + DISCARD_AT_MOST_MS;
  while (!isQuiet && performance.now() < end) {
    isQuiet = true;
    await new Promise((wake) => setTimeout(wake, QUIET_MS));
  }
  socket.off('message', hear);
}

/** The pair shares its port (SO_REUSEADDR), which would hide another DHCP server on this host: ask once without sharing. */
async function provePortIsFree(port: number): Promise<void> {
  if (port === 0) return;
  const probe = createSocket({ type: 'udp4' });
  try {
    await bound(probe, { address: '0.0.0.0', port });
  } finally {
    await closeSocket(probe);
  }
}

/**
 * Five hundred machines that power on together overflow the usual 208 KiB before the first is answered (525 drops measured).
 * The kernel cuts this to net.core.rmem_max without a word.
 */
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024;

function udpSocket(opened: Socket[]): Socket {
  const socket = createSocket({
    type: 'udp4',
    reuseAddr: true,
    lookup: NO_LOOKUP,
    recvBufferSize: RECEIVE_BUFFER_BYTES,
  });
  opened.push(socket);
  return socket;
}

type BindTarget = { readonly address: string; readonly port: number } | { readonly fd: number };

function bound(socket: Socket, target: BindTarget): Promise<{ port: number }> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ ...target, exclusive: true }, () => {
      socket.removeListener('error', reject);
      resolve({ port: socket.address().port });
    });
  });
}

function portOver(sockets: readonly Socket[], sending: Socket, local: Endpoint): DatagramPort {
  let listener: DatagramListener | undefined;
  for (const socket of sockets) {
    socket.on('message', (bytes, from) => {
      listener?.onDatagram(bytes, { address: from.address, port: from.port });
    });
    socket.on('error', (error) => listener?.onError(error));
  }
  return {
    local,
    listen: (given) => {
      listener = given;
    },
    send: (bytes, to) =>
      new Promise((resolve, reject) => {
        sending.send(bytes, to.port, to.address, (error) => (error ? reject(error) : resolve()));
      }),
    close: async () => {
      listener = undefined;
      await Promise.all(sockets.map(closeSocket));
    },
  };
}

function closeSocket(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    try {
      socket.close(() => resolve());
    } catch {
      // Closing twice throws; closed is what was wanted.
      resolve();
    }
  });
}

function explained(thrown: unknown, { serverAddress, port }: UdpSocketOptions): LpmosError {
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : undefined;
  const advice: Readonly<Record<string, string>> = {
    EADDRINUSE: `UDP port ${port} is taken by another program; find it with "ss -ulpn sport = :${port}" and stop it`,
    EACCES: `UDP port ${port} needs the capability CAP_NET_BIND_SERVICE; grant it or pass the socket in (systemd socket unit)`,
    EADDRNOTAVAIL: `serverAddress ${serverAddress} is no address of this host; set it to our address on the link`,
    EBADF: 'the inherited descriptor is not open',
    EINVAL: 'the inherited descriptor is no UDP socket',
  };
  const known = typeof code === 'string' ? advice[code] : undefined;
  return new LpmosError({
    code: code === 'EADDRNOTAVAIL' ? 'invalid_argument' : 'unavailable',
    message: `DHCP cannot listen: ${known ?? 'the system refused the socket'}`,
    cause: thrown,
  });
}
