/** A hall of machines at once: slow readers beside fast ones, more of them than there are shared blocks, and who comes then waits. */
import { createHash } from 'node:crypto';
import { utimesSync } from 'node:fs';
import { get } from 'node:http';
import { connect, type Socket } from 'node:net';
import { createBootHttpServer, type BootEvent, type BootHttpServer } from '@lpmos/netboot';
import { parseTaskId } from '@lpmos/core';
import { patternBytes, until } from './harness/netboot-foreign-clients';
import { BIG_BYTES, startHttpLab, type HttpLab } from './harness/netboot-http-lab';

const TRICKLING = 30;
const SCATTERED = 200;
const FAST = 4;
const BUSY = 20;
/** Shared blocks and own buffers, and the smallest two for each reader beyond them. */
const MAX_BUFFER_BYTES = 96 * 1024 * 1024 + SCATTERED * 2 * 64 * 1024;

let lab: HttpLab;
let server: BootHttpServer;
let port: number;
let wanted: string;
let events: BootEvent[];
const sockets: Socket[] = [];

beforeAll(async () => {
  lab = await startHttpLab([]);
  wanted = sha256(patternBytes(BIG_BYTES));
  // A file that has just been written is not shared.
  utimesSync(`${lab.root}/big.bin`, 1e9, 1e9);
});
beforeEach(async () => {
  events = [];
  server = createBootHttpServer({
    ...lab.options,
    limits: { busyDownloads: BUSY },
    onEvent: (event) => events.push(event),
  });
  ({ port } = await server.start());
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await server.stop();
});
afterAll(() => lab.stop());

const begun = () => events.filter(({ outcome }) => outcome === 'answered').length;
const completed = () => events.filter(({ outcome }) => outcome === 'completed').length;

it('H7: thirty trickling readers do not starve four fast ones, nor these them; who would load the agent waits', async () => {
  const slow = Array.from({ length: TRICKLING }, () => trickle('big.bin'));
  await until('the slow downloads have begun', () => begun() === TRICKLING);
  lab.decision = {
    kind: 'agent',
    purpose: 'report',
    taskId: parseTaskId('f7c9d3a2-8f4b-8d2e-b1c3-5a6b7c8d9e0f'),
    reason: 'the machine is new',
  };
  const held = await lab.raw(menuRequest, port);
  expect(held).toContain(`why: ${TRICKLING} downloads run already, then the machine is new`);
  expect(held).toMatch(/asks again in \d+ seconds\nsleep \d+/);
  const before = slow.map(({ bytes }) => bytes());
  expect(await Promise.all(Array.from({ length: FAST }, () => download('big.bin')))).toEqual(
    Array.from({ length: FAST }, () => wanted),
  );
  expect(completed()).toBe(FAST);
  await until('every slow reader has got more', () =>
    slow.every(({ bytes }, index) => bytes() > (before[index] ?? 0)),
  );
  for (const socket of sockets.splice(0)) socket.destroy();
  await until(
    'the slow ones are gone',
    () => events.filter(({ outcome }) => outcome === 'failed').length === TRICKLING,
  );
  expect(await lab.raw(menuRequest, port)).toContain('boots: the boot agent');
}, 120_000);

it('H7: two hundred readers that stand at as many places leave memory bounded and a fast one whole', async () => {
  const step = Math.floor(BIG_BYTES / SCATTERED);
  for (let index = 0; index < SCATTERED; index += 1) standStill('big.bin', index * step);
  await until('all have begun', () => begun() === SCATTERED);
  expect(await download('big.bin')).toBe(wanted);
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(MAX_BUFFER_BYTES + ownBytes);
}, 120_000);

const menuRequest = 'GET /boot/menu.ipxe?mac=52-54-00-12-34-56 HTTP/1.0\r\n\r\n';
/** What this process held before: the pattern of the file, which may not be collected yet. */
const ownBytes = process.memoryUsage().arrayBuffers + BIG_BYTES;

function standStill(name: string, from: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.pause();
  socket.write(`GET /images/${name} HTTP/1.1\r\nHost: x\r\nRange: bytes=${from}-\r\n\r\n`);
  sockets.push(socket);
  return socket;
}

/** Takes 16 KiB each 20 ms. */
function trickle(name: string): { bytes(): number } {
  const socket = standStill(name, 0);
  let bytes = 0;
  const timer = setInterval(() => {
    bytes += (socket.read(16 * 1024) as Buffer | null)?.length ?? 0;
  }, 20);
  socket.on('readable', () => undefined);
  socket.on('close', () => clearInterval(timer));
  return { bytes: () => bytes };
}

function download(name: string): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: `/images/${name}`, agent: false }, (response) => {
      const hash = createHash('sha256');
      response.on('data', (part: Buffer) => hash.update(part));
      response.on('error', reject);
      response.on('end', () => resolve(hash.digest('hex')));
    }).on('error', reject);
  });
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
