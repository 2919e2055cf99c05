/**
 * The sockets a TFTP server needs, as a port, and its adapter on UDP (node:dgram).
 * A transfer has a connected socket of its own: the kernel then drops packets of a wrong TID (a stranger gets ICMP port
 * unreachable instead of ERROR 5, and the transfer is unharmed), a closed client is heard of at once, and the source
 * address is the one that was asked (RFC 1123 section 4.2.3). Bound to a wildcard the kernel chooses the address by its
 * routes, so a host with several links runs one server for each link address.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { explainBindError } from '../bind-error';

export interface UdpPeer {
  readonly address: string;
  readonly port: number;
}

export interface ListeningSocket {
  readonly port: number;
  reply(bytes: Uint8Array, peer: UdpPeer): void;
  close(): Promise<void>;
}

export interface TransferSocket {
  /** One datagram out of several pieces, which are not copied and must not change until it is sent. */
  send(pieces: readonly Uint8Array[]): void;
  close(): void;
}

export interface SocketFactory {
  /** @throws LpmosError naming address, port and the way out when it cannot be bound. */
  listen(options: {
    readonly address: string;
    readonly port: number;
    /** An open socket instead, bound to them already. */
    readonly fd?: number;
    readonly onDatagram: (bytes: Uint8Array, peer: UdpPeer) => void;
    readonly onError: (error: Error) => void;
  }): Promise<ListeningSocket>;
  connect(options: {
    readonly address: string;
    readonly peer: UdpPeer;
    readonly onDatagram: (bytes: Uint8Array) => void;
    readonly onError: (error: Error) => void;
  }): Promise<TransferSocket>;
}

/** A boot storm's requests wait here while the loop is busy; the kernel cuts it to net.core.rmem_max. */
const LISTEN_BUFFER_BYTES = 1024 * 1024;

export const udpSockets: SocketFactory = {
  async listen({ address, port, fd, onDatagram, onError }) {
    const socket = udpSocket(address);
    await bound(socket, address, port, fd);
    socket.on('error', onError);
    socket.on('message', (bytes, from) => onDatagram(bytes, { address: from.address, port: from.port }));
    socket.setRecvBufferSize(LISTEN_BUFFER_BYTES);
    return {
      port: socket.address().port,
      reply: (bytes, peer) => socket.send(bytes, peer.port, peer.address, (error) => error && onError(error)),
      close: () =>
        new Promise((resolve) => {
          socket.close(resolve);
        }),
    };
  },

  async connect({ address, peer, onDatagram, onError }) {
    const socket = udpSocket(address);
    try {
      await bound(socket, address, 0);
      await connected(socket, peer);
    } catch (error) {
      socket.close();
      throw error;
    }
    socket.on('error', onError);
    // Between bind and connect a stranger's packet can already be queued.
    socket.on('message', (bytes, from) => {
      if (from.port === peer.port && from.address === peer.address) onDatagram(bytes);
    });
    let open = true;
    const sent = (error: Error | null) => {
      if (error !== null && open) onError(error);
    };
    return {
      send: (pieces) => {
        if (!open) return;
        const [first = NOTHING] = pieces;
        // A list of one costs two more copies of its description.
        socket.send(pieces.length === 1 ? first : (pieces as Uint8Array[]), sent);
      },
      close: () => {
        if (open) socket.close();
        open = false;
      },
    };
  },
};

const NOTHING = new Uint8Array();

function udpSocket(address: string): Socket {
  const family = isIPv6(address) ? 6 : 4;
  // Addresses here are always literals: this spares a name look-up for each datagram.
  return createSocket({
    type: family === 6 ? 'udp6' : 'udp4',
    lookup: (host, _options, done) => done(null, host, family),
  });
}

function bound(socket: Socket, address: string, port: number, fd?: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) =>
      reject(explainBindError({ service: 'TFTP', transport: 'UDP', address, port, error }));
    socket.once('error', refuse);
    socket.bind(fd === undefined ? { address, port } : { fd }, () => {
      socket.off('error', refuse);
      resolve();
    });
  });
}

function connected(socket: Socket, peer: UdpPeer): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.connect(peer.port, peer.address, (error?: Error) => {
      socket.off('error', reject);
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}
