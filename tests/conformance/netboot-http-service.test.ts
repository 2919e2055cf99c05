/** The HTTP file service with what firmware and halls of machines do: connections, names, caches, slow readers, capability URLs. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { createBootHttpServer, createDirectoryAssets } from '@lpmos/netboot';
import { describeWhen } from '../integration/harness/it-when';
import { missingClient, patternBytes, runClient, until } from './harness/netboot-foreign-clients';
import { startHttpLab, type HttpLab } from './harness/netboot-http-lab';

const SIZE = 3 * 1024 * 1024 + 7;
const SLOW_READERS = 500;
/** 96 MiB that all share, 128 KiB for each reader beyond it, and what curl is sent. */
const MAX_BUFFER_BYTES = 176 * 1024 * 1024;

let lab: HttpLab;
beforeAll(async () => {
  lab = await startHttpLab([1, SIZE]);
  writeFileSync(`${lab.root}/ipxe.efi`, 'efi');
  writeFileSync(`${lab.root}/boot.iso`, 'iso');
});
beforeEach(() => {
  lab.events.length = 0;
});
afterAll(() => lab.stop());

describeWhen(missingClient('curl', 'curl'))('curl', () => {
  const curl = (...args: string[]) => runClient('curl', ['-sS', ...args]);

  it.each([
    ['boot/assets/ipxe.efi', 'application/efi'],
    ['boot/assets/boot.iso', 'application/vnd.efi-iso'],
    [`images/${SIZE}.bin`, 'application/octet-stream'],
  ])('H3: gets %s as it is, whatever it would accept', async (path, type) => {
    const accepts = ['--compressed', '-H', 'Accept-Encoding: gzip, br', '-H', 'TE: trailers, chunked'];
    const run = await curl('-D', '-', '-o', '/dev/null', ...accepts, lab.url(`/${path}`));
    expect(run.output).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    expect(run.output).toContain(`Content-Type: ${type}\r\n`);
    expect(run.output).toMatch(/Content-Length: \d+\r\n/);
    expect(run.output).not.toMatch(/Transfer-Encoding|Content-Encoding|Location/i);
  });

  it('H3: gets two files on one kept connection, and one on a connection that closes', async () => {
    const kept = await curl(
      '-v',
      '-o',
      '/dev/null',
      lab.url('/images/1.bin'),
      '-o',
      '/dev/null',
      lab.url('/images/1.bin'),
    );
    expect(kept.output).toMatch(/Re-using existing connection/i);
    const closing = await curl('-v', '-o', '/dev/null', '-H', 'Connection: close', lab.url('/images/1.bin'));
    expect(closing.output).toMatch(/Connection: close/i);
    expect(closing.output).toMatch(/Closing connection/i);
  });

  it('H5: gets a file by address and by name, in the Host header too', async () => {
    for (const host of ['127.0.0.1', 'boot.lab.example']) {
      const resolve = ['--resolve', `boot.lab.example:${lab.port}:127.0.0.1`];
      const to = lab.scratch(`by-${host}`);
      expect((await curl('-f', ...resolve, '-o', to, `http://${host}:${lab.port}/images/1.bin`)).code).toBe(
        0,
      );
      expect(readFileSync(to).equals(patternBytes(1))).toBe(true);
    }
  });

  it('H7: gets a file whole beside 500 readers that do not read, in bounded memory', async () => {
    const slow: Socket[] = Array.from({ length: SLOW_READERS }, () => lab.lazyClient());
    await until('all slow downloads have begun', () => lab.events.length >= SLOW_READERS);
    const to = lab.scratch('fast');
    const begun = performance.now();
    const run = await curl('-f', '-o', to, lab.url(`/images/${SIZE}.bin`));
    const fastMs = performance.now() - begun;
    const { arrayBuffers } = process.memoryUsage();
    expect(run).toEqual({ code: 0, output: '' });
    expect(readFileSync(to).equals(patternBytes(SIZE))).toBe(true);
    expect(lab.events.filter((event) => event.outcome === 'failed')).toEqual([]);
    expect(arrayBuffers).toBeLessThan(MAX_BUFFER_BYTES);
    process.stdout.write(
      `\n${SIZE} bytes beside ${SLOW_READERS} readers that do not read: ${fastMs.toFixed(0)} ms, buffers ${(arrayBuffers / 1e6).toFixed(0)} MB\n`,
    );
    slow.forEach((socket) => socket.destroy());
    const failed = () => lab.events.filter((event) => event.outcome === 'failed').length;
    await until('every slow reader is reported', () => failed() === SLOW_READERS, 60_000);
  }, 120_000);
});

it('H9: an image that is named by its digest is cacheable for ever, another must be asked for again', async () => {
  const digest = createHash('sha256').update('image').digest('hex');
  writeFileSync(`${lab.root}/${digest}.raw`, 'image');
  const images = await createDirectoryAssets({
    root: lab.root,
    digests: new Map([[`${digest}.raw`, digest]]),
  });
  const server = createBootHttpServer({ ...lab.options, images });
  const { port } = await server.start();
  const get = (name: string) => lab.raw(`GET /images/${name} HTTP/1.0\r\n\r\n`, port);
  expect(await get(`${digest}.raw`)).toMatch(/Cache-Control: public, max-age=31536000, immutable\r\n/);
  expect(await get(`${digest}.raw`)).toContain(`ETag: "${digest}"\r\n`);
  expect(await get('1.bin')).toMatch(/Cache-Control: no-cache\r\n/);
  await server.stop();
});

it('H11: every capability URL is refused by one generic 404 that tells nothing', async () => {
  const token = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
  const paths = [
    `/boot/configs/debian/52-54-00-12-34-56?token=${token}`,
    `/boot/configs/debian/52-54-00-12-34-56?token=${token.toUpperCase()}`,
    `/boot/configs/debian/52-54-00-12-34-57/${token}`,
    '/boot/configs/debian/52-54-00-12-34-56',
    `/boot/assets/${token}/vmlinuz`,
    `/images/${token}`,
  ];
  const answers = await Promise.all(paths.map((path) => lab.get(path)));
  const stable = answers.map((answer) => answer.replace(/^Date: .*\r\n/m, ''));
  expect(new Set(stable).size).toBe(1);
  expect(stable[0]).toMatch(/^HTTP\/1.1 404 Not Found\r\n/);
  expect(stable[0]).not.toContain(token);
});
