/** Blocks read once for all: right bytes, never filled anew under a user, bounded, forgotten. */
import type { OpenAsset } from './asset-files';
import { BLOCK_BYTES, createSharedBlocks, type Piece } from './shared-blocks';

const SIZE = 4 * BLOCK_BYTES + 100;

/** A file whose every byte says which block of which file it is of. */
function assetOf(name: string | undefined, mark = 1, sizeBytes = SIZE) {
  const reads: number[] = [];
  const asset: OpenAsset = {
    sizeBytes,
    etag: '"x"',
    immutable: false,
    ...(name === undefined ? {} : { sharedName: name }),
    read: async (buffer, position) => {
      reads.push(position);
      buffer.fill(mark * 10 + position / BLOCK_BYTES);
      return buffer.length;
    },
    unchanged: async () => true,
    close: async () => undefined,
  };
  return { asset, reads };
}

const joined = (blocks: ReturnType<typeof createSharedBlocks>, asset: OpenAsset) => {
  const reader = blocks.join(asset);
  if (reader === undefined) throw new Error('the asset is not shared');
  return reader;
};

describe('shared blocks', () => {
  it('are read once for all downloads of a file that run together', async () => {
    const blocks = createSharedBlocks();
    const { asset, reads } = assetOf('a');
    const readers = [joined(blocks, asset), joined(blocks, asset), joined(blocks, asset)];
    for (const reader of readers) {
      for (let position = 0; position < SIZE; position += BLOCK_BYTES) {
        const piece = await reader.take(position, SIZE - position);
        expect(piece?.bytes.every((byte) => byte === 10 + position / BLOCK_BYTES)).toBe(true);
        piece?.release();
      }
    }
    expect(reads).toEqual([0, 1, 2, 3, 4].map((index) => index * BLOCK_BYTES));
  });

  it('end where the block, the file or the wanted range ends', async () => {
    const reader = joined(createSharedBlocks(), assetOf('a').asset);
    expect((await reader.take(10, SIZE))?.bytes).toHaveLength(BLOCK_BYTES - 10);
    expect((await reader.take(10, 7))?.bytes).toHaveLength(7);
    expect((await reader.take(4 * BLOCK_BYTES + 60, SIZE))?.bytes).toHaveLength(40);
  });

  it('are nothing for an asset whose bytes cannot be told from others', () => {
    expect(createSharedBlocks().join(assetOf(undefined).asset)).toBeUndefined();
  });

  it('never mix two files, nor two versions of one', async () => {
    const blocks = createSharedBlocks();
    const [old, fresh] = [joined(blocks, assetOf('a-1', 1).asset), joined(blocks, assetOf('a-2', 2).asset)];
    expect((await old.take(0, 1))?.bytes[0]).toBe(10);
    expect((await fresh.take(0, 1))?.bytes[0]).toBe(20);
  });

  it('are not filled anew while anybody uses them, and are refused when all are in use', async () => {
    const blocks = createSharedBlocks(2);
    const { asset } = assetOf('a');
    const reader = joined(blocks, asset);
    joined(blocks, asset);
    const held = [await reader.take(0, SIZE), await reader.take(BLOCK_BYTES, SIZE)];
    expect(reader.take(2 * BLOCK_BYTES, SIZE)).toBeUndefined();
    held[1]?.release();
    const third = await reader.take(2 * BLOCK_BYTES, SIZE);
    expect([held[0]?.bytes[0], third?.bytes[0]]).toEqual([10, 12]);
    expect(reader.take(3 * BLOCK_BYTES, SIZE)).toBeUndefined();
  });

  it('are used again at once when all downloads of the file have passed them, and not before', async () => {
    const blocks = createSharedBlocks();
    const { asset, reads } = assetOf('a');
    const [ahead, behind] = [joined(blocks, asset), joined(blocks, asset)];
    const buffers = new Set<ArrayBufferLike>();
    /** As a download does: the next piece is taken before this one is given back. */
    const walk = async (reader: ReturnType<typeof joined>) => {
      let held: Piece | undefined;
      for (let index = 0; index < 4; index += 1) {
        const piece = await reader.take(index * BLOCK_BYTES, SIZE);
        buffers.add(piece?.bytes.buffer ?? new ArrayBuffer(0));
        held?.release();
        held?.release();
        held = piece;
      }
      held?.release();
    };
    (await behind.take(0, SIZE))?.release();
    await walk(ahead);
    expect(buffers.size).toBe(4);
    await walk(behind);
    expect(reads).toHaveLength(4);
    buffers.clear();
    await walk(joined(blocks, assetOf('b').asset));
    expect(buffers.size).toBe(2);
  });

  it('are forgotten with the last download of the file', async () => {
    const blocks = createSharedBlocks(2);
    const { asset, reads } = assetOf('a');
    const readers = [joined(blocks, asset), joined(blocks, asset)];
    (await readers[0]?.take(0, SIZE))?.release();
    for (const reader of readers) reader.leave();
    (await joined(blocks, asset).take(0, SIZE))?.release();
    expect(reads).toEqual([0, 0]);
  });

  it('tell all who wait of a failed read, and are read anew for who comes later', async () => {
    const blocks = createSharedBlocks();
    const { asset } = assetOf('a');
    let broken = true;
    const moody: OpenAsset = {
      ...asset,
      read: async (buffer, position) => {
        if (broken) throw new Error('EIO');
        return asset.read(buffer, position);
      },
    };
    const reader = joined(blocks, moody);
    const both: (Promise<Piece> | undefined)[] = [reader.take(0, 1), reader.take(0, 1)];
    for (const piece of both) await expect(piece).rejects.toThrow('EIO');
    broken = false;
    expect((await reader.take(0, 1))?.bytes[0]).toBe(10);
  });
});
