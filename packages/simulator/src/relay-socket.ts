/**
 * One UDP socket that many simulated machines share: it plays the relay agent of their segment (RFC 1542), so that DHCP works
 * on loopback without root. Its address is `giaddr` and the server answers it; answers are told apart by xid.
 * Knows nothing of leases. A machine that has gone leaves no listener behind.
 */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { decodePacket, encodePacket } from '@lpmos/netboot';
import type { DhcpPacket, Endpoint } from '@lpmos/netboot';

export interface RelaySocket {
  /** What `giaddr` says. */
  readonly address: string;
  readonly port: number;
  /** Hears the replies with this xid until the returned function is called. @throws Error when the xid is in use. */
  subscribe(xid: number, listener: (packet: DhcpPacket) => void): () => void;
  send(packet: DhcpPacket, to: Endpoint): Promise<void>;
  close(): Promise<void>;
}

export interface RelaySocketOptions {
  readonly address: string;
  /** 0 chooses a free port. The server must know it: real servers answer relays on 67. */
  readonly port: number;
}

/** Bursts of a fleet; the default holds some 100 answers only. */
const RECEIVE_BUFFER_BYTES = 2 * 1024 * 1024;

export async function openRelaySocket(options: RelaySocketOptions): Promise<RelaySocket> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
  await bind(socket, options);
  const listeners = new Map<number, (packet: DhcpPacket) => void>();
  let closed = false;
  socket.on('message', (bytes) => {
    const decoded = decodePacket(bytes);
    if (decoded.kind === 'packet') listeners.get(decoded.packet.xid)?.(decoded.packet);
  });
  /** ICMP "port unreachable" of a server that is down surfaces here; the client's own retries deal with silence. */
  socket.on('error', () => undefined);
  return {
    address: options.address,
    port: socket.address().port,
    subscribe(xid, listener) {
      if (listeners.has(xid)) throw new Error(`xid ${xid} is in use by another machine of this relay`);
      listeners.set(xid, listener);
      return () => listeners.delete(xid);
    },
    send: (packet, to) =>
      new Promise((resolve, reject) => {
        if (closed) {
          reject(new Error('the relay socket is closed'));
          return;
        }
        socket.send(encodePacket(packet), to.port, to.address, (error) => {
          if (error === null) resolve();
          else reject(error);
        });
      }),
    close: () =>
      new Promise((resolve) => {
        if (closed) resolve();
        else socket.close(() => resolve());
        closed = true;
      }),
  };
}

function bind(socket: Socket, options: RelaySocketOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.bind({ address: options.address, port: options.port, exclusive: true }, () => {
      socket.off('error', reject);
      resolve();
    });
  });
}
