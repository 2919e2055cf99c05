/**
 * A TFTP server of Node that does nothing: it knows one file, lays its packets out once, grants what it is asked for and answers each ACK with
 * what follows, without a timer, a limit, a log or a check. What it costs is node:dgram and the kernel, below which no server on node:dgram can go.
 * Usage: node --require tsx/cjs plain-node-tftp.ts JSON; says "listening" when it is.
 */
import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';

export interface PlainNodeTftp {
  readonly address: string;
  readonly port: number;
  /** The only file; every name means it. */
  readonly file: string;
}

const OPCODE = { data: 3, ack: 4, oack: 6 } as const;
const HEADER_BYTES = 4;

type PacketsOf = (blksize: number) => readonly Buffer[];

function layOut(file: Buffer): PacketsOf {
  const known = new Map<number, readonly Buffer[]>();
  return (blksize) => {
    const packets =
      known.get(blksize) ??
      Array.from({ length: Math.floor(file.length / blksize) + 1 }, (_none, index) => {
        const packet = Buffer.alloc(HEADER_BYTES + Math.min(blksize, file.length - index * blksize));
        packet.writeUInt16BE(OPCODE.data, 0);
        packet.writeUInt16BE((index + 1) & 0xffff, 2);
        file.copy(packet, HEADER_BYTES, index * blksize, (index + 1) * blksize);
        return packet;
      });
    known.set(blksize, packets);
    return packets;
  };
}

function lookup(
  host: string,
  _options: object,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, host, 4);
}

function serve(
  request: Buffer,
  peer: RemoteInfo,
  address: string,
  fileBytes: number,
  packetsOf: PacketsOf,
): void {
  const words = request.subarray(2).toString('latin1').split('\0');
  const asked = (name: string): number => Number(words[words.indexOf(name) + 1]);
  const windowsize = words.includes('windowsize') ? asked('windowsize') : 1;
  const packets = packetsOf(asked('blksize'));
  const granted = [
    'blksize',
    asked('blksize'),
    'tsize',
    fileBytes,
    ...(windowsize > 1 ? ['windowsize', windowsize] : []),
  ];
  const oack = Buffer.concat([
    Buffer.from([0, OPCODE.oack]),
    Buffer.from(`${granted.join('\0')}\0`, 'latin1'),
  ]);
  const socket: Socket = createSocket({ type: 'udp4', lookup });
  let acked = 0;
  socket.on('message', (message) => {
    if (message.readUInt16BE(0) === OPCODE.ack) acked += (message.readUInt16BE(2) - acked) & 0xffff;
    else acked = packets.length;
    if (acked >= packets.length) socket.close();
    for (let block = acked; block < Math.min(acked + windowsize, packets.length); block += 1)
      socket.send(packets[block] ?? '');
  });
  socket.on('error', () => socket.close());
  socket.bind({ address, port: 0 }, () => socket.connect(peer.port, peer.address, () => socket.send(oack)));
}

function main({ address, port, file }: PlainNodeTftp): void {
  const bytes = readFileSync(file);
  const packetsOf = layOut(bytes);
  const socket = createSocket({ type: 'udp4', lookup });
  socket.on('message', (message, peer) => serve(message, peer, address, bytes.length, packetsOf));
  socket.bind({ address, port }, () => process.stdout.write('listening\n'));
}

if (require.main === module) main(JSON.parse(process.argv[2] ?? '{}') as PlainNodeTftp);
