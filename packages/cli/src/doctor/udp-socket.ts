/**
 * UDP sockets of the examination: opened together, heard together, closed together. Knows no protocol.
 * A socket bound to an address hears no broadcast, and one bound to 0.0.0.0 sends a broadcast by a route of the kernel's choice: so DHCP
 * takes a pair on one port, one to send by the right interface and one to hear.
 */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';

export interface UdpPeer {
  readonly address: string;
  readonly port: number;
}

export interface UdpOptions {
  /** The first one sends. Port 0 is a free one. */
  readonly bind: readonly [UdpPeer, ...UdpPeer[]];
  readonly onDatagram: (bytes: Uint8Array, from: UdpPeer) => void;
  /** `ECONNREFUSED` when the peer says that nobody listens there; only with `connect`. */
  readonly onError?: (code: string) => void;
  /** Takes datagrams and refusals of this peer alone. */
  readonly connect?: UdpPeer;
}

export interface OpenUdp {
  /** A datagram that the system refuses is lost, as any other may be. */
  send(bytes: Uint8Array, to: UdpPeer): void;
  close(): void;
}

/** @throws what the system says, with its `code`. */
export async function openUdp(options: UdpOptions): Promise<OpenUdp> {
  const opened: Socket[] = [];
  const close = (): void => {
    for (const socket of opened.splice(0)) socket.close();
  };
  try {
    for (const place of options.bind) opened.push(await bound(place));
    if (options.connect !== undefined) await connected(opened[0], options.connect);
  } catch (thrown) {
    close();
    throw thrown;
  }
  const [sending] = opened;
  for (const socket of opened) {
    socket.on('message', (bytes, from) => options.onDatagram(bytes, from));
    socket.on('error', (error) => options.onError?.('code' in error ? String(error.code) : error.message));
  }
  return {
    close,
    send(bytes, to) {
      // A late answer may want to say goodbye on a socket that is gone.
      if (opened.length === 0) return;
      const done = (error: Error | null): void => {
        if (error !== null) options.onError?.('code' in error ? String(error.code) : error.message);
      };
      if (options.connect !== undefined) sending?.send(bytes, done);
      else sending?.send(bytes, to.port, to.address, done);
    },
  };
}

function bound({ address, port }: UdpPeer): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createSocket({ type: 'udp4', reuseAddr: port !== 0 });
    const refuse = (error: Error): void => {
      socket.close();
      reject(error);
    };
    socket.once('error', refuse);
    socket.bind({ address, port, exclusive: true }, () => {
      socket.off('error', refuse);
      socket.setBroadcast(true);
      resolve(socket);
    });
  });
}

function connected(socket: Socket | undefined, { address, port }: UdpPeer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket?.once('error', reject);
    socket?.connect(port, address, () => {
      socket.off('error', reject);
      resolve();
    });
  });
}
