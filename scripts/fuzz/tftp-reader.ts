/**
 * A well-behaved TFTP reader for fuzzers, floods and fault wires: checks every byte against what it should be and keeps none.
 * Follows RFC 1350, 2347 and 7440 (windows); repeats what it sent last after a silence, as firmware does.
 */
import { createSocket, type RemoteInfo } from 'node:dgram';
import { once } from 'node:events';
import { decodeTftpPacket, encodeTftpPacket, type TftpOptionList, type TftpPacket } from '@lpmos/netboot';

export interface TftpReading {
  readonly port: number;
  readonly address?: string;
  readonly name: string;
  readonly options?: TftpOptionList;
  /** What must arrive. */
  readonly expected: Uint8Array;
  readonly deadlineMs?: number;
}

/** Of one silence, before the last packet is sent again. */
const REPEAT_MS = 1000;

/** @returns milliseconds that it took. @throws Error on any wrong byte, an ERROR packet, or when the deadline has passed. */
export async function readByTftp(reading: TftpReading): Promise<number> {
  const { port, address = '127.0.0.1', name, options = [], deadlineMs = 20_000 } = reading;
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const begun = performance.now();
  return new Promise<number>((resolve, reject) => {
    const progress = { blksize: 512, windowsize: 1, got: 0, unacknowledged: 0 };
    let over = false;
    let peer = { port, address };
    let last: TftpPacket = { kind: 'RRQ', filename: name, mode: 'octet', options };
    const send = (packet: TftpPacket, then?: () => void) => {
      last = packet;
      repeat.refresh();
      socket.send(encodeTftpPacket(packet), peer.port, peer.address, then);
    };
    const end = (fault?: string) => {
      if (over) return;
      over = true;
      clearInterval(repeat);
      clearTimeout(deadline);
      socket.close();
      if (fault === undefined) resolve(performance.now() - begun);
      else reject(new Error(`reading ${name} by TFTP: ${fault}`));
    };
    const repeat = setInterval(() => send(last), REPEAT_MS);
    const deadline = setTimeout(
      () => end(`block ${progress.got} was the last within ${deadlineMs} ms`),
      deadlineMs,
    );
    socket.on('error', (error) => end(error.message));
    socket.on('message', (datagram: Buffer, from: RemoteInfo) => {
      if (peer.port === port) peer = from;
      else if (from.port !== peer.port) return;
      const packet = decodeTftpPacket(datagram);
      if (packet.kind === 'OACK') {
        agree(packet.options, progress);
        send({ kind: 'ACK', block: 0 });
      } else if (packet.kind === 'DATA') {
        const verdict = take(packet, progress, reading.expected);
        // A socket that is closed at once drops what it was about to send: the server would wait for the last ACK.
        const then = verdict.end ? () => end() : undefined;
        if (verdict.fault !== undefined) end(verdict.fault);
        else if (verdict.ack) send({ kind: 'ACK', block: progress.got & 0xffff }, then);
      } else {
        end(`the server sent ${JSON.stringify(packet)}`);
      }
    });
    send(last);
  });
}

interface Progress {
  blksize: number;
  windowsize: number;
  /** Absolute number of the last block in order. */
  got: number;
  unacknowledged: number;
}

interface Verdict {
  readonly ack: boolean;
  readonly end: boolean;
  readonly fault?: string;
}

function agree(options: TftpOptionList, progress: Progress): void {
  for (const [name, value] of options) {
    if (name === 'blksize') progress.blksize = Number(value);
    if (name === 'windowsize') progress.windowsize = Number(value);
  }
}

function take(
  packet: Extract<TftpPacket, { kind: 'DATA' }>,
  progress: Progress,
  expected: Uint8Array,
): Verdict {
  // RFC 7440 section 4: a block out of order is answered with the last good one, which makes the server go back.
  if (packet.block !== ((progress.got + 1) & 0xffff)) {
    const already = ((progress.got - packet.block) & 0xffff) < progress.windowsize;
    return { ack: !already, end: false };
  }
  const start = progress.got * progress.blksize;
  progress.got += 1;
  progress.unacknowledged += 1;
  const wanted = expected.subarray(start, start + progress.blksize);
  if (Buffer.compare(packet.data, wanted) !== 0) {
    return { ack: false, end: false, fault: `block ${progress.got} holds other bytes than the file` };
  }
  const end = packet.data.length < progress.blksize;
  const ack = end || progress.unacknowledged >= progress.windowsize;
  if (ack) progress.unacknowledged = 0;
  return { ack, end };
}
