/** What one connection can do to the server, over real sockets: requests behind a running answer, and bytes that are no request. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import type { BootEvent } from '../boot-event';
import type { AssetSource } from './asset-files';
import { createBootHttpServer, type BootHttpServer } from './server';

/** More than the buffers of two sockets take, so that a client that does not read really stalls. */
const SIZE = 32 * 1024 * 1024;
const GET = 'GET /images/big HTTP/1.1\r\nHost: x\r\n\r\n';

const opened = { now: 0, most: 0 };
const images: AssetSource = {
  async open() {
    opened.now += 1;
    opened.most = Math.max(opened.most, opened.now);
    return {
      sizeBytes: SIZE,
      etag: '"x"',
      immutable: false,
      read: async (buffer) => buffer.fill(0x41).length,
      unchanged: async () => true,
      close: async () => void (opened.now -= 1),
    };
  },
};
const none: AssetSource = { open: async () => undefined };

let aheadMs = 0;
let server: BootHttpServer;
let port: number;
const events: BootEvent[] = [];
beforeAll(async () => {
  server = createBootHttpServer({
    ...{ address: '127.0.0.1', port: 0, images, assets: none },
    decider: {
      decide: () => ({ kind: 'agent', purpose: 'report', taskId: EXAMPLE_TASK_ID, reason: 'ready' }),
    },
    scripts: { bootScript: ({ decision }) => `#!ipxe\necho ${decision.kind}\n` },
    limits: { busyDownloads: 8 },
    onEvent: (event) => events.push(event),
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() + aheadMs },
  });
  ({ port } = await server.start());
});
afterAll(() => server.stop());

async function client(): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

it('puts nothing into a running body when bytes follow that are no request', async () => {
  const socket = await client();
  const text: Buffer[] = [];
  socket.write(GET);
  socket.once('data', () => socket.write('\u0001 no request\r\n\r\n'));
  socket.on('data', (bytes: Buffer) => text.push(bytes));
  await once(socket, 'close');
  const all = Buffer.concat(text);
  const body = all.subarray(all.indexOf('\r\n\r\n') + 4);
  expect(body.length).toBeLessThan(SIZE);
  expect(body.every((byte) => byte === 0x41)).toBe(true);
});

it('still says what is wrong when nothing is being answered', async () => {
  const socket = await client();
  socket.write('\u0001\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/);
});

it('closes a connection that asks for many files at once and reads none, and gives back what it had opened', async () => {
  const socket = await client();
  const kept = await client();
  opened.most = 0;
  kept.write(GET.repeat(4));
  socket.write(GET.repeat(1000));
  await until(() => opened.now === 4);
  expect(opened.most).toBeLessThanOrEqual(12);
  expect(server.downloads()).toBe(4);
  kept.destroy();
  socket.destroy();
});

it('tells the size of the whole to HEAD, for which a range means nothing', async () => {
  const socket = await client();
  socket.write('HEAD /images/big HTTP/1.1\r\nHost: x\r\nRange: bytes=0-3\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1.1 200 OK\r\n/);
  expect(answer.toString()).toContain(`Content-Length: ${SIZE}\r\n`);
  socket.destroy();
});

it('makes no machine wait for clients that have stopped reading', async () => {
  const ask = async (): Promise<string> => {
    const socket = await client();
    socket.write('GET /boot/menu.ipxe?mac=52-54-00-12-34-56 HTTP/1.1\r\nHost: x\r\n\r\n');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return answer.toString().split('\r\n\r\n')[1] ?? '';
  };
  const lazy = await client();
  lazy.pause();
  lazy.write(GET.repeat(8));
  await until(() => server.downloads() === 8);
  expect(await ask()).toContain('echo wait');
  aheadMs += 11_000;
  expect(await ask()).toContain('echo agent');
  lazy.destroy();
});

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; tries < 100 && !holds(); tries += 1) await new Promise((done) => setTimeout(done, 20));
}
