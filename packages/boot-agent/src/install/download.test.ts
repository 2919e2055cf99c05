import { randomBytes } from 'node:crypto';
import { serveImage, sha256 } from '../testing/test-image';
import type { ImageServer } from '../testing/test-image';
import { downloadImage } from './download';

const body = randomBytes(3_000_000);
let server: ImageServer;
let troubles: string[];

beforeEach(async () => {
  server = await serveImage(body);
  troubles = [];
});
afterEach(async () => {
  await server.stop();
});

async function download(
  change: { signal?: AbortSignal; sizeBytes?: number; sha256?: string } = {},
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const stream = downloadImage({
    url: server.url,
    sizeBytes: body.length,
    sha256: sha256(body),
    signal: new AbortController().signal,
    rules: { silenceMs: 300, mostTries: 3, backoff: { firstMs: 1, ceilingMs: 2 } },
    random: () => 0,
    onTrouble: (message) => troubles.push(message),
    ...change,
  });
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

describe('download', () => {
  it('is whole after cuts, silence and refusals, byte for byte', async () => {
    server.behaviour.cutAfter = [1000, 500_000, 1];
    server.behaviour.failWith = [500, 503];
    expect((await download()).equals(body)).toBe(true);
    expect(troubles.length).toBeGreaterThanOrEqual(4);
    server.behaviour.stallAfter = 100_000;
    expect((await download()).equals(body)).toBe(true);
    expect(troubles.at(-1)).toContain('no byte for 0.3 s');
  });

  it('skips what it has when the server knows no ranges', async () => {
    server.behaviour.ignoreRange = true;
    server.behaviour.cutAfter = [700_000];
    expect((await download()).equals(body)).toBe(true);
  });

  it('gives up after so many tries without a byte, and says where', async () => {
    server.behaviour.failWith = [500, 500, 500, 500];
    await expect(download()).rejects.toMatchObject({
      failureClass: 'image_download',
      message: expect.stringContaining('at byte 0 of 3000000, 3 tries') as string,
    });
  });

  it.each([404, 403, 416])('does not insist on %i', async (status) => {
    server.behaviour.failWith = [status];
    await expect(download()).rejects.toMatchObject({ failureClass: 'image_download' });
    expect(server.ranges).toHaveLength(1);
  });

  it('never joins two versions of a file', async () => {
    server.behaviour.etag = '"v1"';
    server.behaviour.cutAfter = [1000];
    const wrapped = download();
    const swap = (): void => {
      if (server.ranges.length > 0) server.behaviour.etag = '"v2"';
      else setImmediate(swap);
    };
    swap();
    await expect(wrapped).rejects.toMatchObject({
      failureClass: 'image_digest',
      message: expect.stringContaining('changed') as string,
    });
  });

  it('refuses a longer body before it takes a byte, and stops when cancelled', async () => {
    await expect(download({ sizeBytes: 10 })).rejects.toMatchObject({ failureClass: 'image_digest' });
    await expect(download({ signal: AbortSignal.abort() })).rejects.toMatchObject({
      name: 'InstallCancelled',
    });
  });
});
