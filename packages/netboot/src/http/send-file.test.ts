/** The pump: exact bytes through any chunk size, back-pressure, and no short success. */
import { Writable } from 'node:stream';
import fc from 'fast-check';
import type { OpenAsset } from './asset-files';
import { chunkBytes, createPieces, sendBody } from './send-file';
import { BLOCK_BYTES, createSharedBlocks } from './shared-blocks';

function assetOf(bytes: Buffer, more: Partial<OpenAsset> = {}): OpenAsset {
  return {
    sizeBytes: bytes.length,
    etag: '"x"',
    immutable: false,
    read: async (buffer, position) => bytes.copy(buffer, 0, position, position + buffer.length),
    unchanged: async () => true,
    close: async () => undefined,
    ...more,
  };
}

/** Keeps what it was given only at the end of its write, as a kernel does: a buffer reused too early shows. */
function lateSink() {
  const taken: Buffer[] = [];
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      setImmediate(() => {
        taken.push(Buffer.from(chunk));
        done();
      });
    },
  });
  return { sink, bytes: () => Buffer.concat(taken) };
}

interface Cut {
  readonly first: number;
  readonly lengthBytes: number;
  readonly chunkBytes: number;
}
function send(asset: OpenAsset, to: Writable, cut: Cut, gone = new AbortController().signal): Promise<void> {
  const pieces = createPieces({
    asset,
    shared: undefined,
    chunkBytes: () => cut.chunkBytes,
    slow: () => false,
  });
  return sendBody({ asset, pieces, ...cut, to, gone, onSent: () => undefined });
}

describe('sendBody', () => {
  it('sends the exact range, whatever its size and that of the chunks', async () => {
    const cut = fc.record({
      size: fc.nat(3000),
      first: fc.nat(3000),
      length: fc.nat(3000),
      chunk: fc.integer({ min: 1, max: 700 }),
    });
    await fc.assert(
      fc.asyncProperty(cut, async ({ size, first, length, chunk }) => {
        const bytes = Buffer.from(
          Array.from({ length: size }, (_none, index) => (index * 31 + (index >> 8)) & 0xff),
        );
        const start = Math.min(first, size);
        const part = Math.min(length, size - start);
        const { sink, bytes: taken } = lateSink();
        await send(assetOf(bytes), sink, { first: start, lengthBytes: part, chunkBytes: chunk });
        expect(taken().equals(bytes.subarray(start, start + part))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it('never has more than two chunks outside', async () => {
    let inside = 0;
    let most = 0;
    const sink = new Writable({
      highWaterMark: 1 << 30,
      write(_chunk, _encoding, done) {
        setImmediate(() => {
          inside -= 1;
          done();
        });
      },
    });
    const bytes = Buffer.alloc(1000);
    const asset = assetOf(bytes, {
      read: async (buffer) => {
        inside += 1;
        most = Math.max(most, inside);
        return buffer.length;
      },
    });
    await send(asset, sink, { first: 0, lengthBytes: 1000, chunkBytes: 10 });
    expect(most).toBe(2);
  });

  it.each([
    [
      'became shorter',
      assetOf(Buffer.alloc(100), { read: async (_buffer, position) => Math.max(0, 45 - position) }),
      'the file became shorter while it was sent',
    ],
    [
      'changed',
      assetOf(Buffer.alloc(100), { unchanged: async () => false }),
      'the file changed while it was sent',
    ],
  ])('fails before the last byte when the file %s', async (_what, asset, message) => {
    const { sink, bytes } = lateSink();
    await expect(send(asset, sink, { first: 0, lengthBytes: 100, chunkBytes: 30 })).rejects.toThrow(message);
    expect(bytes().length).toBeLessThan(100);
  });

  it('ends when the client leaves while a write is pending, also when the stream never says so', async () => {
    const leaving = new AbortController();
    const sink = new Writable({ write: () => setImmediate(() => leaving.abort()) });
    const cut = { first: 0, lengthBytes: 100, chunkBytes: 10 };
    const asset = assetOf(Buffer.alloc(100));
    await expect(send(asset, sink, cut, leaving.signal)).rejects.toThrow('the client closed the connection');
    await expect(send(asset, sink, cut, leaving.signal)).rejects.toThrow('the client closed the connection');
  });
});

describe('pieces', () => {
  const bytes = Buffer.from(
    Array.from({ length: 3 * BLOCK_BYTES + 17 }, (_none, index) => (index * 31) & 0xff),
  );
  const shareable = () => assetOf(bytes, { sharedName: 'a' });
  const both = (slow: () => boolean) => {
    const asset = shareable();
    const shared = createSharedBlocks().join(asset);
    return createPieces({ asset, shared, chunkBytes: () => 1000, slow });
  };

  it('come from shared blocks while the client is fast, and from own buffers once it is slow', async () => {
    let slow = false;
    const pieces = both(() => slow);
    expect((await pieces.next(5, 1e9)).bytes).toHaveLength(BLOCK_BYTES - 5);
    expect(pieces.ownBytes()).toBe(0);
    slow = true;
    const piece = await pieces.next(BLOCK_BYTES + 3, 1e9);
    expect(Buffer.from(piece.bytes).equals(bytes.subarray(BLOCK_BYTES + 3, BLOCK_BYTES + 1003))).toBe(true);
    expect(pieces.ownBytes()).toBe(2000);
  });

  it('make the same body whichever way each of them comes', async () => {
    let turn = 0;
    const { sink, bytes: taken } = lateSink();
    const pieces = both(() => (turn += 1) % 3 === 0);
    const cut = { first: 7, lengthBytes: bytes.length - 7 };
    const gone = new AbortController().signal;
    await sendBody({ asset: shareable(), pieces, ...cut, to: sink, gone, onSent: () => undefined });
    expect(taken().equals(bytes.subarray(7))).toBe(true);
  });

  it('are all given back, also when the client leaves', async () => {
    let lent = 0;
    const leaving = new AbortController();
    const pieces = {
      next: async () => {
        lent += 1;
        return { bytes: Buffer.alloc(10), release: () => void (lent -= 1) };
      },
    };
    const sink = new Writable({ write: () => setImmediate(() => leaving.abort()) });
    const cut = { first: 0, lengthBytes: 100 };
    const whole = {
      asset: shareable(),
      pieces,
      ...cut,
      to: sink,
      gone: leaving.signal,
      onSent: () => undefined,
    };
    await expect(sendBody(whole)).rejects.toThrow('the client closed the connection');
    expect(lent).toBe(0);
  });
});

describe('chunkBytes', () => {
  it('gives half a megabyte to few, less to many, never less than 64 KiB, and no more than the file needs', () => {
    expect(chunkBytes(0, 1e9)).toBe(512 * 1024);
    expect(chunkBytes(44 * 1024 * 1024, 1e9)).toBe(128 * 1024);
    expect(chunkBytes(1e9, 1e9)).toBe(64 * 1024);
    expect(chunkBytes(0, 1000)).toBe(1000);
  });

  it('keeps the sum within the budget and the smallest buffers, however many come', () => {
    const smallest = 2 * 64 * 1024;
    let held = 0;
    for (let count = 1; count <= 4096; count += 1) {
      held += 2 * chunkBytes(held, 1e9);
      expect(held).toBeLessThanOrEqual(48 * 1024 * 1024 + count * smallest);
    }
  });
});
