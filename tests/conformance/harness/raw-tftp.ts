/** A TFTP client of raw packets: sends what a test says, keeps what comes, and closes with the test. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { decodeTftpPacket, encodeTftpPacket, type MalformedTftp, type TftpPacket } from '@lpmos/netboot';
import { until } from './netboot-foreign-clients';

export interface Received {
  readonly packet: TftpPacket | MalformedTftp;
  readonly bytes: number;
  readonly from: number;
  readonly address: string;
}

export interface RawTftp {
  readonly inbox: Received[];
  readonly port: number;
  /** ICMP that came back, by error code. */
  readonly errors: string[];
  send(packet: TftpPacket | Uint8Array, to: number): void;
  next(withinMs?: number): Promise<Received>;
  /** Takes a transfer in lock-step, beginning with its first DATA. @returns all bytes. */
  takeAll(blksize?: number): Promise<Buffer>;
  close(): void;
}

/** @param connectTo makes the kernel report ICMP errors of that port. */
export async function rawTftp(address = '127.0.0.1', connectTo?: number): Promise<RawTftp> {
  const socket = createSocket('udp4');
  const inbox: Received[] = [];
  const errors: string[] = [];
  socket.on('message', (datagram, from) =>
    inbox.push({
      packet: decodeTftpPacket(datagram),
      bytes: datagram.length,
      from: from.port,
      address: from.address,
    }),
  );
  socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? error.message));
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  if (connectTo !== undefined) await connected(socket, connectTo, address);
  const client: RawTftp = {
    inbox,
    errors,
    port: socket.address().port,
    send(packet, to) {
      const bytes = packet instanceof Uint8Array ? packet : encodeTftpPacket(packet);
      // The error of a connected socket is ICMP for an earlier packet: kept, as `error` is.
      const sent = (error: NodeJS.ErrnoException | null) => error !== null && errors.push(error.code ?? '');
      if (connectTo === undefined) socket.send(bytes, to, address, sent);
      else socket.send(bytes, sent);
    },
    async next(withinMs) {
      await until('a packet came', () => inbox.length > 0, withinMs);
      const first = inbox.shift();
      if (first === undefined) throw new Error('the packet vanished');
      return first;
    },
    async takeAll(blksize = 512) {
      const parts: Buffer[] = [];
      for (;;) {
        const { packet, from } = await client.next();
        if (packet.kind !== 'DATA') throw new Error(`expected DATA, got ${JSON.stringify(packet)}`);
        if (packet.block === ((parts.length + 1) & 0xffff)) parts.push(Buffer.from(packet.data));
        client.send({ kind: 'ACK', block: packet.block }, from);
        if (packet.data.length < blksize) return Buffer.concat(parts);
      }
    },
    close: () => socket.close(),
  };
  return client;
}

function connected(socket: Socket, port: number, address: string): Promise<void> {
  return new Promise((resolve) => socket.connect(port, address, () => resolve()));
}

export function rrq(filename: string, ...options: (readonly [string, string])[]): TftpPacket {
  return { kind: 'RRQ', filename, mode: 'octet', options };
}
