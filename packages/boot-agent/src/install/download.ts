/**
 * The compressed image as one unbroken stream of bytes, whatever happens to its connections: resumed with Range and If-Range from
 * the byte where it broke. Digests are checked by the reader of the stream (write-image.ts).
 * Invariant: bytes come in order, none twice, none of another version of the file; silence and retries are bounded.
 */
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { backoffDelayMs, sleep } from '@lpmos/runtime';
import type { BackoffPolicy } from '@lpmos/runtime';
import { InstallFailure, reasonOf, safePoint } from './failure';

export interface DownloadRules {
  /** No byte for so long: the connection is given up and resumed. */
  readonly silenceMs: number;
  /** Failed tries in a row without a single new byte before the download is given up. */
  readonly mostTries: number;
  readonly backoff: BackoffPolicy;
}

/** A region restarts within seconds and fails over within half a minute: ten tries of up to 10 s cover both. */
export const DOWNLOAD_RULES: DownloadRules = {
  silenceMs: 30_000,
  mostTries: 10,
  backoff: { firstMs: 500, ceilingMs: 10_000 },
};

export interface DownloadOptions {
  readonly url: string;
  readonly sizeBytes: number;
  /** Lower-case hex. A server whose ETag names another digest has another file. */
  readonly sha256: string;
  readonly signal: AbortSignal;
  readonly rules: DownloadRules;
  readonly random: () => number;
  /** Said when a connection broke, for the console. */
  readonly onTrouble: (message: string) => void;
}

/** A broken connection: worth another try. Everything else is final. */
class Broken extends Error {}

export async function* downloadImage(options: DownloadOptions): AsyncGenerator<Buffer> {
  const { sizeBytes, signal, rules } = options;
  let offset = 0;
  let etag: string | undefined;
  let tries = 0;
  while (offset < sizeBytes) {
    safePoint(signal);
    try {
      const response = await request(options, offset, etag);
      etag ??= response.headers.etag;
      let skip = bytesToSkip(options, response, offset, etag);
      for await (const chunk of chunksOf(response, rules.silenceMs)) {
        const fresh = chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - fresh.length;
        if (fresh.length === 0) continue;
        offset += fresh.length;
        tries = 0;
        if (offset > sizeBytes) throw tooLong(options);
        yield fresh;
      }
      if (offset < sizeBytes) throw new Broken('the connection ended early');
    } catch (thrown) {
      if (!(thrown instanceof Broken)) throw thrown;
      tries += 1;
      const where = `at byte ${offset} of ${sizeBytes}`;
      if (tries >= rules.mostTries) {
        const message = `${options.url} could not be read (${thrown.message}, ${where}, ${tries} tries); check the region's HTTP service`;
        throw new InstallFailure('image_download', message, thrown);
      }
      options.onTrouble(`download interrupted ${where}: ${thrown.message}; resuming`);
      await sleep(backoffDelayMs(rules.backoff, tries - 1, options.random), signal);
    }
  }
}

const tooLong = ({ url, sizeBytes }: DownloadOptions): InstallFailure =>
  new InstallFailure(
    'image_digest',
    `${url} is longer than the ${sizeBytes} bytes ordered; publish the image again`,
  );

async function request(
  options: DownloadOptions,
  offset: number,
  etag: string | undefined,
): Promise<IncomingMessage> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (offset > 0) headers['range'] = `bytes=${offset}-`;
  if (offset > 0 && etag !== undefined) headers['if-range'] = etag;
  return new Promise((resolve, reject) => {
    // A connection of its own each time: the last one may be the broken one.
    const call = get(options.url, { headers, agent: false }, (response) => {
      clearTimeout(deadline);
      // Between two reads a reset has no reader; without a listener it would end the process.
      response.on('error', () => undefined);
      resolve(response);
    });
    const deadline = setTimeout(() => call.destroy(new Error('no answer in time')), options.rules.silenceMs);
    call.on('error', (error) => {
      clearTimeout(deadline);
      reject(new Broken(error.message));
    });
  });
}

/** How many bytes of the body are known already; refuses an answer that is not this file. */
function bytesToSkip(
  options: DownloadOptions,
  response: IncomingMessage,
  offset: number,
  etag: string | undefined,
): number {
  const status = response.statusCode ?? 0;
  const refuse = (failureClass: 'image_download' | 'image_digest', problem: string): InstallFailure => {
    response.destroy();
    return new InstallFailure(failureClass, `${options.url} ${problem}`);
  };
  if (status >= 500 || status === 408 || status === 429) {
    response.destroy();
    throw new Broken(`the server answers ${status}`);
  }
  if (status !== 200 && status !== 206)
    throw refuse('image_download', `is answered with ${status}; check that the region has the image`);
  if (response.headers.etag !== etag)
    throw refuse('image_digest', 'changed while it was read; order the installation again');
  const named = /[0-9a-f]{64}/i.exec(etag ?? '')?.[0]?.toLowerCase();
  if (named !== undefined && named !== options.sha256) {
    throw refuse(
      'image_digest',
      `has digest ${named}, ordered was ${options.sha256}; publish the image again`,
    );
  }
  if (status === 200) {
    const length = response.headers['content-length'];
    if (length === undefined || Number(length) === options.sizeBytes) return offset;
    throw refuse(
      'image_digest',
      `has ${length} bytes, ordered were ${options.sizeBytes}; publish the image again`,
    );
  }
  const range = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers['content-range'] ?? '');
  if (Number(range?.[1]) === offset && Number(range?.[2]) === options.sizeBytes) return 0;
  throw refuse(
    'image_download',
    `is answered with a wrong range (${response.headers['content-range'] ?? 'none'})`,
  );
}

/** Chunks until the end; silence and resets become Broken. The deadline runs only while we wait, not while the disk writes. */
async function* chunksOf(response: IncomingMessage, silenceMs: number): AsyncGenerator<Buffer> {
  const iterator = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextWithin(iterator, silenceMs);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    response.destroy();
  }
}

async function nextWithin(
  iterator: AsyncIterator<Buffer>,
  silenceMs: number,
): Promise<IteratorResult<Buffer>> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Broken(`no byte for ${silenceMs / 1000} s`)), silenceMs);
  });
  const next = iterator.next().catch((error: unknown) => {
    throw new Broken(reasonOf(error));
  });
  try {
    return await Promise.race([next, silence]);
  } finally {
    clearTimeout(timer);
    next.catch(() => undefined);
  }
}
