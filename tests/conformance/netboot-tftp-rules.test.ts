/**
 * TFTP rules that no ordinary client shows, told with raw packets on real sockets: transfer ids, repeated requests, aborts,
 * windows, limits, noise. The order is that of the rules; each test names what would go wrong on a real network.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import {
  createTftpServer,
  decodeTftpPacket,
  encodeTftpPacket,
  type BootEvent,
  type FileTable,
  type TftpPacket,
  type TftpServer,
} from '@lpmos/netboot';
import { patternBytes, systemClock, until } from './harness/netboot-foreign-clients';
import { rawTftp } from './harness/raw-tftp';

const BYTES = patternBytes(5000);
const published = new Map([['ipxe.efi', { bytes: new Uint8Array(BYTES) }]]);
const files: FileTable = { get: (name) => published.get(name), names: () => [...published.keys()] };
const events: BootEvent[] = [];
const sockets: Socket[] = [];
const LIMITS = { maxSessions: 40, maxSessionsPerPeer: 20 };
let server: TftpServer;
let port: number;

beforeAll(async () => {
  const onEvent = (event: BootEvent) => events.push(event);
  server = createTftpServer({
    address: '127.0.0.1',
    port: 0,
    files,
    onEvent,
    clock: systemClock,
    limits: LIMITS,
  });
  ({ port } = await server.start());
});
afterEach(async () => {
  // Closed ports answer with ICMP, so every transfer of a test ends with it.
  sockets.splice(0).forEach((socket) => socket.close());
  await stillEmpty();
});
afterAll(() => server.stop());

const stillEmpty = () => until('every transfer has ended', () => server.sessions() === 0);

interface RawClient {
  readonly inbox: { packet: TftpPacket | { kind: 'malformed' }; from: number; address: string }[];
  send(packet: TftpPacket | Uint8Array, to?: number): void;
  next(): Promise<{ packet: TftpPacket | { kind: 'malformed' }; from: number; address: string }>;
}

async function rawClient(): Promise<RawClient> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  const inbox: RawClient['inbox'] = [];
  socket.on('message', (bytes, from) =>
    inbox.push({ packet: decodeTftpPacket(bytes), from: from.port, address: from.address }),
  );
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    inbox,
    send: (packet, to = port) =>
      socket.send(packet instanceof Uint8Array ? packet : encodeTftpPacket(packet), to, '127.0.0.1'),
    async next() {
      await until('a packet came', () => inbox.length > 0);
      const first = inbox.shift();
      if (first === undefined) throw new Error('the packet vanished');
      return first;
    },
  };
}

const rrq = (...options: [string, string][]): TftpPacket => ({
  kind: 'RRQ',
  filename: 'ipxe.efi',
  mode: 'octet',
  options,
});
const data = (block: number, size = 512) => {
  const start = (block - 1) * size;
  return { kind: 'DATA', block, data: new Uint8Array(BYTES.subarray(start, start + size)) };
};
const plainly = (packet: unknown) =>
  packet !== null && typeof packet === 'object' && 'data' in packet
    ? { ...packet, data: new Uint8Array(packet.data as Uint8Array) }
    : packet;

/** Takes the rest of a transfer in lock-step; the blocks' data in order. */
async function takeAll(client: RawClient): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const { packet, from } = await client.next();
    if (packet.kind !== 'DATA') throw new Error(`expected DATA, got ${JSON.stringify(packet)}`);
    if (packet.block === parts.length + 1) parts.push(Uint8Array.from(packet.data));
    client.send({ kind: 'ACK', block: packet.block }, from);
    if (packet.data.length < 512) return Buffer.concat(parts);
  }
}

it('TF1: answers each request from a port of its own and from the address that was asked', async () => {
  const [one, two] = [await rawClient(), await rawClient()];
  one.send(rrq());
  two.send(rrq());
  const [first, second] = [await one.next(), await two.next()];
  expect(new Set([first.from, second.from, port]).size).toBe(3);
  expect(first.address).toBe('127.0.0.1');
  expect(plainly(first.packet)).toEqual(data(1));
});

it('TF1: is not disturbed by a stranger who writes to a transfer, and the stranger is told by ICMP', async () => {
  const client = await rawClient();
  client.send(rrq());
  const { from } = await client.next();
  const stranger = await rawTftp('127.0.0.1', from);
  stranger.send({ kind: 'ERROR', code: 0, message: 'die' }, from);
  stranger.send({ kind: 'ACK', block: 1 }, from);
  client.send({ kind: 'ACK', block: 1 }, from);
  expect(plainly((await client.next()).packet)).toEqual(data(2));
  await until('the stranger was told', () => stranger.errors.includes('ECONNREFUSED'));
  expect(stranger.inbox).toEqual([]);
  stranger.close();
});

it('TF16: starts no second transfer when a slow client repeats its request', async () => {
  const client = await rawClient();
  for (let copy = 0; copy < 5; copy += 1) client.send(rrq());
  const { from } = await client.next();
  client.send({ kind: 'ACK', block: 1 }, from);
  expect((await client.next()).from).toBe(from);
  expect(server.sessions()).toBe(1);
});

it('TF17: starts a fresh transfer for the same request from the same port once the first has ended', async () => {
  const client = await rawClient();
  client.send(rrq());
  expect((await takeAll(client)).equals(BYTES)).toBe(true);
  await stillEmpty();
  client.send(rrq());
  expect((await takeAll(client)).equals(BYTES)).toBe(true);
});

it('lets another request from the same port replace the first', async () => {
  const client = await rawClient();
  client.send(rrq());
  const old = await client.next();
  client.send(rrq(['blksize', '1000']));
  const fresh = await client.next();
  expect(fresh.packet).toEqual({ kind: 'OACK', options: [['blksize', '1000']] });
  expect(fresh.from).not.toBe(old.from);
  expect(server.sessions()).toBe(1);
});

it('TF14: takes the way of EDK2: ask for the size, abort with error 8, come again from the next port', async () => {
  events.length = 0;
  const [probe, reader] = [await rawClient(), await rawClient()];
  probe.send(rrq(['tsize', '0'], ['blksize', '1468'], ['windowsize', '4']));
  const { packet, from } = await probe.next();
  expect(packet).toEqual({
    kind: 'OACK',
    options: [
      ['tsize', '5000'],
      ['blksize', '1468'],
      ['windowsize', '4'],
    ],
  });
  probe.send({ kind: 'ERROR', code: 8, message: 'User aborted the transfer' }, from);
  await stillEmpty();
  expect(events.map((event) => event.outcome)).toEqual(['answered', 'answered']);
  reader.send(rrq(['blksize', '1468'], ['windowsize', '4']));
  reader.send({ kind: 'ACK', block: 0 }, (await reader.next()).from);
  const blocks = [await reader.next(), await reader.next(), await reader.next(), await reader.next()];
  expect(blocks.map((block) => plainly(block.packet))).toEqual(
    [1, 2, 3, 4].map((block) => data(block, 1468)),
  );
  reader.send({ kind: 'ACK', block: 4 }, blocks[0]?.from);
  await stillEmpty();
  expect(events.at(-1)).toMatchObject({ outcome: 'completed', bytes: 5000 });
});

it('TF13: goes back to the gap when a block inside the window is acknowledged', async () => {
  const client = await rawClient();
  client.send(rrq(['windowsize', '4'], ['blksize', '512']));
  const { from } = await client.next();
  client.send({ kind: 'ACK', block: 0 }, from);
  for (let count = 0; count < 4; count += 1) await client.next();
  client.send({ kind: 'ACK', block: 2 }, from);
  const again = [await client.next(), await client.next(), await client.next(), await client.next()];
  expect(again.map(({ packet }) => (packet.kind === 'DATA' ? packet.block : packet))).toEqual([3, 4, 5, 6]);
});

it('TF5: sends at most three packets to an address that never answers, then nothing', async () => {
  const client = await rawClient();
  client.send(rrq());
  await until('the transfer is given up', () => client.inbox.length > 0 && server.sessions() === 0, 15_000);
  expect(client.inbox.map(({ packet }) => packet.kind)).toEqual(['DATA', 'DATA', 'DATA']);
}, 20_000);

it('meets a peer over its limit with silence, and serves it again afterwards', async () => {
  const clients = await Promise.all(Array.from({ length: LIMITS.maxSessionsPerPeer + 5 }, rawClient));
  events.length = 0;
  clients.forEach((client) => client.send(rrq()));
  await until('all requests were seen', () => events.length === clients.length);
  expect(server.sessions()).toBe(LIMITS.maxSessionsPerPeer);
  expect(events.filter((event) => event.outcome === 'ignored')).toHaveLength(5);
});

it('TF25: keeps the old bytes to the end when a file is replaced during a transfer', async () => {
  const client = await rawClient();
  client.send(rrq());
  const first = await client.next();
  published.set('ipxe.efi', { bytes: new Uint8Array(5000) });
  client.inbox.unshift(first);
  const received = await takeAll(client);
  published.set('ipxe.efi', { bytes: new Uint8Array(BYTES) });
  expect(received.equals(BYTES)).toBe(true);
});

it('TF20: says once that a file is missing, for fifty names that loaders probe', async () => {
  const client = await rawClient();
  for (let probe = 0; probe < 50; probe += 1) {
    client.send({ kind: 'RRQ', filename: `pxelinux.cfg/${probe}`, mode: 'octet', options: [] });
    expect((await client.next()).packet).toEqual({ kind: 'ERROR', code: 1, message: 'file not found' });
  }
  expect(client.inbox).toEqual([]);
});

it('survives noise of every kind and serves a good client after it', async () => {
  const noisy = await rawClient();
  events.length = 0;
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647);
  for (let count = 0; count < 3000; count += 1) {
    const bytes = Uint8Array.from({ length: random() % 60 }, () => random() & 0xff);
    // Two thirds begin like a packet of TFTP, so that they get past the first look.
    if (count % 3 !== 0 && bytes.length > 2) bytes.set([0, random() % 8]);
    noisy.send(bytes);
    // In step with the server, or the kernel would drop what this test is about.
    if (count % 50 === 49) await until('the noise was read', () => events.length === count + 1);
  }
  expect(events.filter((event) => event.outcome === 'failed')).toEqual([]);
  const client = await rawClient();
  client.send(rrq());
  expect((await takeAll(client)).equals(BYTES)).toBe(true);
});

it('carries 40 transfers at once, each whole', async () => {
  const more = createTftpServer({
    address: '127.0.0.1',
    port: 0,
    files,
    onEvent: () => undefined,
    clock: systemClock,
    limits: { maxSessionsPerPeer: 40 },
  });
  const started = await more.start();
  const clients = await Promise.all(Array.from({ length: 40 }, rawClient));
  clients.forEach((client) => client.send(rrq(), started.port));
  const received = await Promise.all(clients.map(takeAll));
  expect(received.every((bytes) => bytes.equals(BYTES))).toBe(true);
  await until('every transfer has ended', () => more.sessions() === 0);
  await more.stop();
});

it('says who may hold the port when it cannot have it', async () => {
  const second = createTftpServer({
    address: '127.0.0.1',
    port,
    files,
    onEvent: () => undefined,
    clock: systemClock,
  });
  await expect(second.start()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining(
      `TFTP cannot listen on UDP 127.0.0.1 port ${port}: another program holds it`,
    ),
  });
});

it('asks the admission rule and stays silent for those it does not know', async () => {
  const seen: BootEvent[] = [];
  const strict = createTftpServer({
    address: '127.0.0.1',
    port: 0,
    files,
    onEvent: (event) => seen.push(event),
    clock: systemClock,
    admits: () => false,
  });
  const started = await strict.start();
  const client = await rawClient();
  client.send(rrq(), started.port);
  await until('the request was seen', () => seen.length === 1);
  expect(seen[0]?.outcome).toBe('ignored');
  expect(client.inbox).toEqual([]);
  await strict.stop();
});

it('ends running transfers when it stops', async () => {
  const ended: BootEvent[] = [];
  const onEvent = (event: BootEvent) => ended.push(event);
  const brief = createTftpServer({ address: '127.0.0.1', port: 0, files, onEvent, clock: systemClock });
  const started = await brief.start();
  const client = await rawClient();
  client.send(rrq(), started.port);
  await client.next();
  await brief.stop();
  expect(brief.sessions()).toBe(0);
  expect(ended.at(-1)).toMatchObject({ outcome: 'failed', reason: 'the server stops' });
});
