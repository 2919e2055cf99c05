/**
 * From compressed stream to disk: unpack, count, hash, write in large blocks, compare with what was ordered. Memory stays flat:
 * two blocks and what zlib holds, because machines may have 512 MB.
 * Invariant: the first block, with the partition table, is written last and only after every digest agreed; until then the
 * start and the end of the disk are zeros, so that a disk with an unfinished image never boots.
 */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { InstallFailure, reasonOf, safePoint } from './failure';
import type { ImageOrder } from './install-order';
import type { TargetDisk } from './target-disk';

/** 4 MiB: large enough for full speed on rotating disks, small enough to hold two. */
const BLOCK_BYTES = 4 * 1024 * 1024;
/** Where a backup GPT and old md superblocks stand. */
const TAIL_BYTES = 1024 * 1024;
const GUNZIP_CHUNK_BYTES = 256 * 1024;

export interface WriteOptions {
  readonly target: TargetDisk;
  readonly image: ImageOrder;
  readonly compressed: AsyncIterable<Buffer>;
  readonly signal: AbortSignal;
  /** Raw bytes written so far. */
  readonly onBytes: (done: number) => void;
}

/** @throws InstallFailure or InstallCancelled; `target.touched()` says whether a byte was written before. */
export async function writeImage(options: WriteOptions): Promise<void> {
  const { target, image, signal } = options;
  const compressed = new Meter();
  const raw = new Meter();
  const spare: [Buffer, Buffer] = [Buffer.allocUnsafe(BLOCK_BYTES), Buffer.allocUnsafe(BLOCK_BYTES)];
  let firstBlock: Buffer | undefined;
  let writing: Promise<void> = Promise.resolve();
  try {
    for await (const block of blocksOf(unpack(options.compressed, compressed, image), spare)) {
      await writing;
      safePoint(signal);
      if (raw.bytes + block.length > image.rawSizeBytes)
        throw wrongRaw(image, `is longer than ${image.rawSizeBytes} bytes`);
      const offset = raw.bytes;
      raw.update(block);
      if (firstBlock === undefined) {
        firstBlock = Buffer.from(block);
        await makeUnbootable(target, image.rawSizeBytes);
        continue;
      }
      // Two blocks are in turn: this one goes to the disk while the other is filled.
      writing = target.write(block, offset);
      writing.catch(() => undefined);
      options.onBytes(raw.bytes);
    }
  } finally {
    await writing.catch(() => undefined);
  }
  await writing;
  compressed.expect(image.compressedSizeBytes, image.compressedSha256, (problem) =>
    wrongCompressed(image, problem),
  );
  raw.expect(image.rawSizeBytes, image.rawSha256, (problem) => wrongRaw(image, problem));
  await target.flush();
  safePoint(signal);
  if (firstBlock !== undefined) await target.write(firstBlock, 0);
  await target.flush();
  options.onBytes(raw.bytes);
}

/** Zeros where firmware and kernels look first: the first block (or the whole of a smaller image) and the end of the disk. */
export async function makeUnbootable(target: TargetDisk, rawSizeBytes: number): Promise<void> {
  const firstBytes = Math.min(BLOCK_BYTES, rawSizeBytes);
  await target.write(Buffer.alloc(firstBytes), 0);
  const tail = Math.min(TAIL_BYTES, target.sizeBytes - firstBytes);
  if (tail > 0) await target.write(Buffer.alloc(tail), target.sizeBytes - tail);
  await target.flush();
}

async function* unpack(
  source: AsyncIterable<Buffer>,
  meter: Meter,
  image: ImageOrder,
): AsyncGenerator<Buffer> {
  let sourceError: Error | undefined;
  async function* metered(): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of source) {
        meter.update(chunk);
        yield chunk;
      }
    } catch (thrown) {
      sourceError = thrown instanceof Error ? thrown : new Error(reasonOf(thrown));
      throw sourceError;
    }
  }
  const input = Readable.from(metered());
  const gunzip = createGunzip({ chunkSize: GUNZIP_CHUNK_BYTES });
  input.on('error', (error) => gunzip.destroy(error));
  try {
    for await (const chunk of input.pipe(gunzip)) yield chunk as Buffer;
  } catch (thrown) {
    if (sourceError !== undefined) throw sourceError;
    throw wrongCompressed(image, `does not unpack (${reasonOf(thrown)})`);
  } finally {
    input.destroy();
    gunzip.destroy();
  }
}

/** The stream in blocks of BLOCK_BYTES, each in one of two buffers in turn; the last may be shorter. */
async function* blocksOf(
  chunks: AsyncIterable<Buffer>,
  spare: readonly [Buffer, Buffer],
): AsyncGenerator<Buffer> {
  let turn = 0;
  let filled = 0;
  for await (const chunk of chunks) {
    for (let taken = 0; taken < chunk.length;) {
      const block = turn === 0 ? spare[0] : spare[1];
      const size = chunk.copy(block, filled, taken, Math.min(chunk.length, taken + BLOCK_BYTES - filled));
      taken += size;
      filled += size;
      if (filled < BLOCK_BYTES) continue;
      yield block;
      filled = 0;
      turn = 1 - turn;
    }
  }
  if (filled > 0) yield (turn === 0 ? spare[0] : spare[1]).subarray(0, filled);
}

class Meter {
  bytes = 0;
  private readonly hash = createHash('sha256');

  update(chunk: Uint8Array): void {
    this.bytes += chunk.length;
    this.hash.update(chunk);
  }

  expect(bytes: number, sha256: string, fail: (problem: string) => InstallFailure): void {
    const found = this.hash.digest('hex');
    if (this.bytes !== bytes) throw fail(`has ${this.bytes} bytes, ordered were ${bytes}`);
    if (found !== sha256) throw fail(`has digest ${found}, ordered was ${sha256}`);
  }
}

const NEXT = 'The disk holds no bootable system; publish the image again and retry';

const wrongCompressed = (image: ImageOrder, problem: string): InstallFailure =>
  new InstallFailure('image_digest', `the image at ${image.url} ${problem}. ${NEXT}.`);

const wrongRaw = (image: ImageOrder, problem: string): InstallFailure =>
  new InstallFailure('image_digest', `the unpacked image of ${image.url} ${problem}. ${NEXT}.`);

/**
 * Reads the image back from the disk and compares it with its digest.
 * @throws InstallFailure `disk_write`, or InstallCancelled.
 */
export async function readBack(options: Omit<WriteOptions, 'compressed'>): Promise<void> {
  const { target, image, signal, onBytes } = options;
  const block = Buffer.allocUnsafe(BLOCK_BYTES);
  const meter = new Meter();
  while (meter.bytes < image.rawSizeBytes) {
    safePoint(signal);
    const wanted = block.subarray(0, Math.min(BLOCK_BYTES, image.rawSizeBytes - meter.bytes));
    const got = await target.read(wanted, meter.bytes);
    if (got === 0) break;
    meter.update(wanted.subarray(0, got));
    onBytes(meter.bytes);
  }
  meter.expect(image.rawSizeBytes, image.rawSha256, (problem) => {
    const words = `${target.device} does not hold what was written: it ${problem}; replace the disk`;
    return new InstallFailure('disk_write', words);
  });
}
