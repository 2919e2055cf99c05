/**
 * Where the bytes of a virtual disk are: in memory, or in a sparse file. Both read back zeros where nothing was written, so that
 * a disk of terabytes costs what an image fills. No rule about who may write stands here; that is virtual-disk.ts.
 */
import { open } from 'node:fs/promises';

export interface DiskStorage {
  readonly sizeBytes: number;
  read(offset: number, length: number): Promise<Uint8Array>;
  write(offset: number, bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

const CHUNK_BYTES = 256 * 1024;

export function createMemoryStorage(sizeBytes: number): DiskStorage {
  const chunks = new Map<number, Uint8Array>();
  const eachChunk = (
    offset: number,
    length: number,
    visit: (index: number, start: number, at: number, count: number) => void,
  ): void => {
    for (let at = 0; at < length;) {
      const index = Math.floor((offset + at) / CHUNK_BYTES);
      const start = (offset + at) % CHUNK_BYTES;
      const count = Math.min(CHUNK_BYTES - start, length - at);
      visit(index, start, at, count);
      at += count;
    }
  };
  return {
    sizeBytes,
    read(offset, length) {
      const bytes = new Uint8Array(length);
      eachChunk(offset, length, (index, start, at, count) => {
        const chunk = chunks.get(index);
        if (chunk !== undefined) bytes.set(chunk.subarray(start, start + count), at);
      });
      return Promise.resolve(bytes);
    },
    write(offset, bytes) {
      eachChunk(offset, bytes.length, (index, start, at, count) => {
        const part = bytes.subarray(at, at + count);
        const chunk = chunks.get(index);
        if (chunk === undefined && part.every((byte) => byte === 0)) return;
        const target = chunk ?? new Uint8Array(CHUNK_BYTES);
        target.set(part, start);
        chunks.set(index, target);
      });
      return Promise.resolve();
    },
    close() {
      chunks.clear();
      return Promise.resolve();
    },
  };
}

/** @param path created when absent; what it holds is what the disk holds. */
export async function openFileStorage(path: string, sizeBytes: number): Promise<DiskStorage> {
  const file = await open(path, 'a').then(async (created) => {
    await created.close();
    return open(path, 'r+');
  });
  await file.truncate(sizeBytes);
  return {
    sizeBytes,
    async read(offset, length) {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length;) {
        const { bytesRead } = await file.read(bytes, at, length - at, offset + at);
        if (bytesRead === 0) throw new Error(`${path} ends at ${offset + at}, inside the disk`);
        at += bytesRead;
      }
      return bytes;
    },
    async write(offset, bytes) {
      for (let at = 0; at < bytes.length;) {
        const { bytesWritten } = await file.write(bytes, at, bytes.length - at, offset + at);
        at += bytesWritten;
      }
    },
    close: () => file.close(),
  };
}
