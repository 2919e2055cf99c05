/**
 * TFTP under attack: mutated requests and replies at the well-known port and at the ports of running transfers, from many
 * client ports that come and go. A run of marked requests shows that the server has read everything before it.
 * Wrong is: an answer that is no TFTP packet, more sessions than allowed, an internal fault, a good client not served.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import {
  createFileTable,
  createTftpServer,
  decodeTftpPacket,
  encodeTftpPacket,
  type TftpOptionList,
  type TftpPacket,
} from '@lpmos/netboot';
import type { FuzzTarget } from './harness';
import { mutate } from './mutate';
import type { SeededRandom } from './seeded-random';
import { readByTftp } from './tftp-reader';

const FILE = Buffer.from(Array.from({ length: 40_000 }, (_none, index) => (index ^ (index >> 8)) & 0xff));
const NAMES = ['ipxe.efi', '/ipxe.efi', 'pxelinux.cfg/default', 'sub/text', 'empty', '../ipxe.efi', 'absent'];
const VALUES = ['0', '1', '8', '7', '64', '255', '256', '512', '1468', '65464', '65465', '65535', '65536'];
const ODD_VALUES = ['-1', '0x10', 'abc', '', ' 1', '1.5', '9999999999', '99999999999999999999', '\u00ff'];
const OPTION_NAMES = [
  'blksize',
  'BLKSIZE',
  'tsize',
  'timeout',
  'windowsize',
  'multicast',
  'blksize2',
  '',
  'x',
];
const LIMITS = { maxSessions: 96, maxSessionsPerPeer: 96 };
const CLIENTS = 24;
/** After so many batches a client's port is closed under the server, which then hears ICMP. */
const BATCHES_PER_CLIENT = 6;
const READ_WITHIN_MS = 10_000;

export async function openTftpFuzz(): Promise<FuzzTarget> {
  const faults: string[] = [];
  const tally: Record<string, number> = {};
  const count = (what: string) => (tally[what] = (tally[what] ?? 0) + 1);
  const server = createTftpServer({
    address: '127.0.0.1',
    port: 0,
    files: createFileTable({ 'ipxe.efi': FILE, 'sub/text': Buffer.from('a\nb\rc'), empty: new Uint8Array() }),
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    limits: LIMITS,
    onEvent: (event) => {
      count(event.outcome);
      if (!/^[\x20-\x7e]*$/.test(event.request)) faults.push('an event holds unprintable text of the peer');
      if (/internal|TypeError|RangeError/.test(event.reason))
        faults.push(`an internal fault: ${event.reason}`);
    },
  });
  const { port } = await server.start();
  const clients: FuzzClient[] = [];
  for (let index = 0; index < CLIENTS; index += 1) clients.push(await openClient(port, faults, count));
  const marker = await openMarker(port);
  let batches = 0;
  return {
    async attack(_first, packets, random) {
      for (let index = 0; index < packets; index += 1) {
        const client = random.pick(clients);
        client.send(nextPacket(random), random.chance(0.5) ? port : client.transferPort(random, port));
      }
      await marker.passed();
      if (server.sessions() > LIMITS.maxSessions) faults.push(`${server.sessions()} sessions are too many`);
      batches += 1;
      if (batches % BATCHES_PER_CLIENT === 0) {
        const at = (batches / BATCHES_PER_CLIENT) % CLIENTS;
        clients[at]?.close();
        clients[at] = await openClient(port, faults, count);
      }
    },
    async serveGoodClient() {
      // Its request must not fall victim to the limit that the attackers have used up.
      for (let at = 0; at < CLIENTS; at += 1) {
        clients[at]?.close();
        clients[at] = await openClient(port, faults, count);
      }
      const options: TftpOptionList = [
        ['blksize', '1468'],
        ['windowsize', '4'],
        ['tsize', '0'],
      ];
      await readByTftp({ port, name: 'ipxe.efi', options, expected: FILE });
    },
    faults: () => faults,
    tally: () => tally,
    async stop() {
      clients.forEach((client) => client.close());
      marker.close();
      await server.stop();
    },
  };
}

function nextPacket(random: SeededRandom): Uint8Array {
  return random.chance(0.4) ? combined(random) : mutate(CORPUS, random);
}

/** Well-formed requests with every combination of options, names, modes and values. */
function combined(random: SeededRandom): Uint8Array {
  const options = Array.from({ length: random.below(random.chance(0.1) ? 40 : 5) }, () => {
    const value = random.pick(random.chance(0.3) ? ODD_VALUES : VALUES);
    return [random.pick(OPTION_NAMES), value] as const;
  });
  return encodeTftpPacket({
    kind: random.chance(0.9) ? 'RRQ' : 'WRQ',
    filename: random.pick(NAMES),
    mode: random.pick(['octet', 'OCTET', 'netascii', 'mail', 'x']),
    options,
  });
}

const packet = (value: TftpPacket) => encodeTftpPacket(value);
const CORPUS: readonly Uint8Array[] = [
  // EDK2's two requests, iPXE, PXELINUX, a write, and every answer of a client.
  packet({
    kind: 'RRQ',
    filename: 'ipxe.efi',
    mode: 'octet',
    options: [
      ['tsize', '0'],
      ['blksize', '1468'],
      ['windowsize', '4'],
    ],
  }),
  packet({ kind: 'RRQ', filename: 'ipxe.efi', mode: 'octet', options: [['blksize', '1432']] }),
  packet({ kind: 'RRQ', filename: 'sub\\text', mode: 'netascii', options: [] }),
  packet({
    kind: 'RRQ',
    filename: 'pxelinux.cfg/01-52-54-00-12-34-56',
    mode: 'octet',
    options: [['tsize', '0']],
  }),
  packet({ kind: 'WRQ', filename: 'upload', mode: 'octet', options: [['tsize', '99']] }),
  packet({ kind: 'ACK', block: 0 }),
  packet({ kind: 'ACK', block: 1 }),
  packet({ kind: 'ACK', block: 79 }),
  packet({ kind: 'ACK', block: 65_535 }),
  packet({ kind: 'ERROR', code: 8, message: 'User aborted the transfer' }),
  packet({ kind: 'OACK', options: [['blksize', '1468']] }),
  packet({ kind: 'DATA', block: 1, data: new Uint8Array(512) }),
];

interface FuzzClient {
  send(bytes: Uint8Array, to: number): void;
  /** The port of a transfer that answered lately. */
  transferPort(random: SeededRandom, otherwise: number): number;
  close(): void;
}

/** Longest text of an ERROR: firmware prints it on one line. */
const MAX_ERROR_TEXT = 64;

async function openClient(
  serverPort: number,
  faults: string[],
  count: (what: string) => void,
): Promise<FuzzClient> {
  const socket = await openSocket();
  const ports: number[] = [];
  socket.on('message', (bytes, from) => {
    const answer = decodeTftpPacket(bytes);
    count(`sent ${answer.kind}`);
    // What comes from elsewhere may be another fuzz client that was given a port which a transfer had before.
    if (from.port === serverPort && answer.kind !== 'ERROR')
      faults.push(`the well-known port sent ${answer.kind}`);
    if (answer.kind === 'ERROR' && answer.message.length > MAX_ERROR_TEXT)
      faults.push('an ERROR text is long');
    if (ports.at(-1) !== from.port) ports.push(from.port);
    if (ports.length > 8) ports.shift();
    // A transfer that goes on reaches deeper states than one that is only shouted at.
    if (answer.kind === 'DATA' && answer.block % 3 !== 0) {
      socket.send(encodeTftpPacket({ kind: 'ACK', block: answer.block }), from.port, from.address);
    }
  });
  return {
    send: (bytes, to) => socket.send(bytes, to, '127.0.0.1'),
    transferPort: (random, otherwise) => (ports.length === 0 ? otherwise : random.pick(ports)),
    close: () => socket.close(),
  };
}

/** Datagrams of one socket are read in order: when the answer to the marker comes, all before it were read. */
async function openMarker(port: number): Promise<{ passed(): Promise<void>; close(): void }> {
  const socket = await openSocket();
  const request = encodeTftpPacket({ kind: 'RRQ', filename: 'marker', mode: 'octet', options: [] });
  return {
    async passed() {
      const answer = once(socket, 'message', { signal: AbortSignal.timeout(READ_WITHIN_MS) });
      socket.send(request, port, '127.0.0.1');
      await answer.catch(() => {
        throw new Error(`the server answered nothing within ${READ_WITHIN_MS} ms`);
      });
    },
    close: () => socket.close(),
  };
}

async function openSocket(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.on('error', () => undefined);
  return socket;
}
