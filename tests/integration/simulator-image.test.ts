/** Image downloads over connections that break: the bytes that arrive, and how often the server was asked. */
import { createHash, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { createMachine, openFileStorage } from '@lpmos/simulator';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startScriptedRegion } from './harness/scripted-region';
import type { ScriptedRegion } from './harness/scripted-region';

let region: ScriptedRegion | undefined;
let server: Server | undefined;

afterEach(async () => {
  await region?.stop();
  server?.closeAllConnections();
  await new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)));
  region = undefined;
  server = undefined;
});

/** Serves with ranges, and breaks each of the first `breaks` connections in the middle of its body. */
async function flakyImage(raw: Buffer, breaks: number) {
  const bytes = gzipSync(raw, { level: 1 });
  const asked: string[] = [];
  const started = createServer((request, response) => {
    const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const from = range === null ? 0 : Number(range[1]);
    asked.push(`${from > 0 ? 'resumed' : 'whole'} ${String(request.headers['if-range'] ?? '-')}`);
    const body = bytes.subarray(from);
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': body.length, etag: '"v1"' });
    if (asked.length > breaks) response.end(body);
    else response.write(body.subarray(0, 300_000), () => response.destroy());
  });
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  const digest = (data: Buffer): string => createHash('sha256').update(data).digest('hex');
  const image = {
    url: `http://127.0.0.1:${(started.address() as AddressInfo).port}/image`,
    rawSha256: digest(raw),
    rawSizeBytes: String(raw.length),
    compressedSha256: digest(bytes),
    compressedSizeBytes: String(bytes.length),
    rootPartitionLabel: 'root',
  };
  return { asked, image };
}

async function installFrom(breaks: number) {
  const raw = randomBytes(2_500_000);
  const flaky = await flakyImage(raw, breaks);
  const folder = mkdtempSync(join(tmpdir(), 'lpmos-simulator-image-'));
  const lab = await startScriptedRegion({ image: flaky.image });
  region = lab;
  const storage = await openFileStorage(join(folder, 'disk'), 4_000_000);
  const mac = '02:00:00:00:03:01';
  const task = lab.addTask(mac);
  const machine = createMachine({
    mac,
    seed: 4,
    diskBytes: 4_000_000,
    storage: () => storage,
    network: lab.network,
    relay: lab.relay,
    timeScale: 0.02,
    lifeMs: 25_000,
  });
  const outcome = await machine.powerOn();
  const same = Buffer.compare(await machine.disk.read(0, raw.length), raw) === 0;
  await machine.close();
  rmSync(folder, { recursive: true, force: true });
  return { outcome, task, same, asked: flaky.asked, history: machine.disk.history() };
}

it('resumes from the byte where a connection broke, into a file', async () => {
  const { outcome, task, same, asked } = await installFrom(3);
  expect(outcome.kind).toBe('host-up');
  expect(same).toBe(true);
  expect(asked).toEqual(['whole -', 'resumed "v1"', 'resumed "v1"', 'resumed "v1"']);
  expect(task.attempt).toBe(1);
});

it('gives up after five broken connections and says that the disk was touched', async () => {
  const { outcome, task, asked, history } = await installFrom(100);
  expect(outcome.kind).toBe('no-bootable-device');
  expect(asked).toHaveLength(5);
  expect(task.results).toMatchObject([{ failureClass: 'image_download', diskTouched: true }]);
  expect(history).toMatchObject([{ ended: 'abandoned' }]);
});
