/**
 * Streams a compressed image from its URL to a disk: one gzip stream over any number of connections (Range from the compressed
 * offset), whole blocks written in order, both digests and sizes checked on the way. Memory stays flat whatever the image's size.
 * Reading back and every permission to write are installer.ts and virtual-disk.ts.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import type { FailureClass } from '@lpmos/core';
import type { Image } from '@lpmos/proto';
import { backoffDelayMs, sleep } from '@lpmos/runtime';
import { openDownload } from './http-download';
import { InstallFailure } from './install-failure';

export interface ImageWriterOptions {
  readonly image: Image;
  readonly clientAddress: string;
  readonly signal: AbortSignal;
  readonly timeScale: number;
  readonly random: () => number;
  /** Called once, when the first bytes of the image are at hand and before any is written. */
  readonly begin: () => void;
  readonly write: (offset: number, bytes: Uint8Array) => Promise<void>;
  /** After each block; may throw to stop at this safe point. */
  readonly onBlock: (bytesDone: number) => Promise<void>;
}

const BLOCK_BYTES = 1024 * 1024;
const SILENCE_MS = 30_000;
const MOST_CONNECTIONS = 5;
const BACKOFF = { firstMs: 500, ceilingMs: 10_000 };
const USER_AGENT = 'lpmos-simulator';

/** @throws InstallFailure `image_download`, `image_digest`, and what `write` and `onBlock` throw. */
export async function writeImage(options: ImageWriterOptions): Promise<void> {
  const first = await open(options, { fromByte: 0, failures: 0 });
  try {
    options.begin();
  } catch (thrown) {
    first.destroy();
    throw thrown;
  }
  const compressed = { hash: createHash('sha256'), bytes: 0 };
  const raw = { hash: createHash('sha256'), bytes: 0 };
  /** pipeline() may report the abort of a neighbour instead of what went wrong first. */
  const causes: unknown[] = [];
  const remember = (thrown: unknown): never => {
    causes.push(thrown);
    throw thrown;
  };
  const gunzip = createGunzip();
  gunzip.once('error', (error) => causes.push(error));
  try {
    await pipeline(
      Readable.from(compressedChunks(options, first, compressed), { objectMode: false }),
      gunzip,
      (chunks: AsyncIterable<Buffer>) => writeBlocks(options, chunks, raw).catch(remember),
      { signal: options.signal },
    );
  } catch (thrown) {
    options.signal.throwIfAborted();
    throw explained(causes[0] ?? thrown);
  }
  checkDigest('compressed', compressed, {
    bytes: options.image.compressedSizeBytes,
    sha256: options.image.compressedSha256,
  });
  checkDigest('raw', raw, { bytes: options.image.rawSizeBytes, sha256: options.image.rawSha256 });
}

/** By its code, not by its class: zlib's errors come from Node's own realm. */
function explained(thrown: unknown): unknown {
  const { code } = (thrown ?? {}) as { readonly code?: unknown };
  return typeof code === 'string' && code.startsWith('Z_')
    ? failure('image_digest', `the image is no intact gzip stream (${code})`)
    : thrown;
}

interface Counter {
  readonly hash: Hash;
  bytes: number;
}

async function* compressedChunks(
  options: ImageWriterOptions,
  first: IncomingMessage,
  counter: Counter,
): AsyncGenerator<Buffer> {
  const total = Number(options.image.compressedSizeBytes);
  const etag = first.headers.etag;
  let response = first;
  for (let connections = 1; ; connections += 1) {
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        counter.bytes += chunk.length;
        if (counter.bytes > total)
          throw failure('image_digest', `more than the announced ${total} bytes came`);
        counter.hash.update(chunk);
        yield chunk;
      }
      if (counter.bytes >= total) return;
    } catch (thrown) {
      options.signal.throwIfAborted();
      if (thrown instanceof InstallFailure) throw thrown;
    }
    if (connections >= MOST_CONNECTIONS) {
      throw failure(
        'image_download',
        `broken off ${connections} times, at byte ${counter.bytes} of ${total}`,
      );
    }
    const at = { fromByte: counter.bytes, failures: connections };
    response = await open(options, etag === undefined ? at : { ...at, ifRange: etag });
  }
}

async function open(
  options: ImageWriterOptions,
  at: { readonly fromByte: number; readonly failures: number; readonly ifRange?: string },
): Promise<IncomingMessage> {
  const { failures, ...range } = at;
  for (let tries = failures; ; tries += 1) {
    try {
      return await openDownload({
        url: options.image.url,
        signal: options.signal,
        silenceMs: SILENCE_MS,
        clientAddress: options.clientAddress,
        userAgent: USER_AGENT,
        ...range,
      });
    } catch (thrown) {
      options.signal.throwIfAborted();
      const words = thrown instanceof Error ? thrown.message : String(thrown);
      if (tries + 1 >= MOST_CONNECTIONS) throw failure('image_download', words);
      await sleep(backoffDelayMs(BACKOFF, tries, options.random) * options.timeScale, options.signal);
      options.signal.throwIfAborted();
    }
  }
}

async function writeBlocks(
  options: ImageWriterOptions,
  chunks: AsyncIterable<Buffer>,
  counter: Counter,
): Promise<void> {
  const limit = Number(options.image.rawSizeBytes);
  const block = Buffer.alloc(BLOCK_BYTES);
  let filled = 0;
  const flush = async (): Promise<void> => {
    await options.write(counter.bytes, block.subarray(0, filled));
    counter.bytes += filled;
    filled = 0;
    await options.onBlock(counter.bytes);
  };
  for await (const chunk of chunks) {
    counter.hash.update(chunk);
    for (let at = 0; at < chunk.length;) {
      const count = chunk.copy(block, filled, at);
      at += count;
      filled += count;
      if (counter.bytes + filled > limit) {
        throw failure('image_digest', `the image unpacks to more than its ${limit} bytes`);
      }
      if (filled === BLOCK_BYTES) await flush();
    }
  }
  if (filled > 0) await flush();
}

function checkDigest(
  what: string,
  found: Counter,
  wanted: { readonly bytes: string; readonly sha256: string },
): void {
  if (found.bytes !== Number(wanted.bytes)) {
    throw failure(
      'image_digest',
      `the ${what} image has ${found.bytes} bytes, its manifest says ${wanted.bytes}`,
    );
  }
  const sha256 = found.hash.digest('hex');
  if (sha256 !== wanted.sha256) {
    throw failure('image_digest', `the ${what} image is ${sha256}, its manifest says ${wanted.sha256}`);
  }
}

function failure(failureClass: FailureClass, message: string): InstallFailure {
  return new InstallFailure(failureClass, message);
}
