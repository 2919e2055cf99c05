/**
 * Blocks of files that several downloads need at about the same time, read once for all of them: in a boot storm every
 * machine loads the same kernel, ramdisk and image, and half of what a download costs is reading what another one has
 * just read. Bounded by BLOCKS; who gets none reads into buffers of its own (send-file.ts), so nobody ever waits for one.
 * Invariant: a buffer is filled once, and is filled anew only when nobody uses it. Blocks are forgotten with the last
 * download of their file: this is no cache of files, which the kernel has already.
 */
import type { OpenAsset } from './asset-files';

/** Some bytes of a file; they stay what they are until `release`. */
export interface Piece {
  readonly bytes: Uint8Array;
  release(): void;
}

export interface BlockReader {
  /**
   * The bytes at `position` up to the end of their block, at most `most`; fewer where the file ends too early.
   * Undefined when every block is in use.
   */
  take(position: number, most: number): Promise<Piece> | undefined;
  leave(): void;
}

export interface SharedBlocks {
  /** Undefined for an asset whose bytes nobody else may have. */
  join(asset: OpenAsset): BlockReader | undefined;
}

/** Larger ones leave the processor's cache between read and write, smaller ones cost system calls (measured). */
export const BLOCK_BYTES = 512 * 1024;
/** 48 MiB: a whole ramdisk, or a window in which downloads of a large image that began together stay together. */
export const BLOCKS = 96;

/** The block that a download took last; before the first, none. */
interface Place {
  index: number;
}

interface Block {
  readonly buffer: Uint8Array;
  readonly filled: Promise<number>;
  users: number;
}

export function createSharedBlocks(most = BLOCKS): SharedBlocks {
  /** By file and index, least recently used first. */
  const blocks = new Map<string, Block>();
  /** By file, where each download is. */
  const readers = new Map<string, Set<Place>>();
  /** Buffers between two uses; the last one first, because the processor still has it in its cache. */
  let spare: Uint8Array[] = [];

  const idle = (name: string, block: Block) => {
    if (blocks.delete(name)) spare.push(block.buffer);
  };
  const emptyBuffer = (): Uint8Array | undefined => {
    if (spare.length === 0 && blocks.size >= most) {
      for (const [name, block] of blocks) {
        if (block.users > 0) continue;
        idle(name, block);
        break;
      }
    }
    return spare.pop() ?? (blocks.size < most ? Buffer.allocUnsafeSlow(BLOCK_BYTES) : undefined);
  };
  const fill = (name: string, asset: OpenAsset, start: number): Block | undefined => {
    const buffer = emptyBuffer();
    if (buffer === undefined) return undefined;
    const length = Math.min(BLOCK_BYTES, asset.sizeBytes - start);
    const block = { buffer, users: 0, filled: asset.read(buffer.subarray(0, length), start) };
    // Who waits for it hears of a failure; who comes after that reads anew.
    block.filled.catch(() => blocks.get(name) === block && blocks.delete(name));
    return block;
  };
  const leave = (file: string, place: Place) => {
    const others = readers.get(file);
    others?.delete(place);
    if (others === undefined || others.size > 0) return;
    readers.delete(file);
    for (const [name, block] of blocks) if (name.startsWith(`${file} `)) idle(name, block);
    if (readers.size === 0) spare = [];
  };
  /** A block that all have passed is filled anew at once, while the processor has it in its cache. */
  const isPassed = (file: string, index: number) => {
    for (const place of readers.get(file) ?? []) if (place.index <= index) return false;
    return true;
  };

  return {
    join(asset) {
      const file = asset.sharedName;
      if (file === undefined) return undefined;
      const place: Place = { index: -1 };
      readers.set(file, (readers.get(file) ?? new Set()).add(place));
      return {
        take(position, atMost) {
          const index = Math.floor(position / BLOCK_BYTES);
          const start = index * BLOCK_BYTES;
          const name = `${file} ${index}`;
          const block = blocks.get(name) ?? fill(name, asset, start);
          if (block === undefined) return undefined;
          blocks.delete(name);
          blocks.set(name, block);
          place.index = index;
          const unused = () => blocks.get(name) === block && isPassed(file, index) && idle(name, block);
          return pieceOf(block, { offset: position - start, atMost, unused });
        },
        leave: () => leave(file, place),
      };
    },
  };
}

async function pieceOf(
  block: Block,
  {
    offset,
    atMost,
    unused,
  }: { readonly offset: number; readonly atMost: number; readonly unused: () => void },
): Promise<Piece> {
  let mine = true;
  const release = () => {
    if (!mine) return;
    mine = false;
    block.users -= 1;
    if (block.users === 0) unused();
  };
  block.users += 1;
  try {
    const end = Math.min(offset + atMost, await block.filled);
    return { bytes: block.buffer.subarray(offset, Math.max(offset, end)), release };
  } catch (error) {
    release();
    throw error;
  }
}
