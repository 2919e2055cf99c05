/**
 * Where boot files and images come from: the port `AssetSource`, a folder of published files, and a Map for tests.
 * An asset is opened before its size is told, so size, ETag and bytes are of one and the same file, to the end of the
 * download, even when the name is given to another file meanwhile.
 * Only regular files inside the folder are served: no symbolic link anywhere on the way, no FIFO, no device.
 */
import { constants } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { LpmosError } from '@lpmos/core';

export interface OpenAsset {
  readonly sizeBytes: number;
  /** A strong validator with its quotes: by digest where it is known, else by what the file system tells. */
  readonly etag: string;
  /** The name is bound to these bytes for ever (named by digest): caches need never ask again. */
  readonly immutable: boolean;
  /** Assets of one such name have the same bytes, for sure; absent when that cannot be told. */
  readonly sharedName?: string;
  /** Fills `buffer` from `position`; fewer bytes only at the end of the file. @returns how many. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  /** False when the bytes were changed under us since the asset was opened. */
  unchanged(): Promise<boolean>;
  close(): Promise<void>;
}

export interface AssetSource {
  /** @param name segments joined by `/`. @returns undefined when nothing is published under that name. */
  open(name: string): Promise<OpenAsset | undefined>;
}

export interface DirectoryAssetsOptions {
  readonly root: string;
  /** SHA-256 in hexadecimal of files that never change under their name. */
  readonly digests?: ReadonlyMap<string, string>;
}

/** One name of a file system has at most 255 bytes; boot files lie a few folders deep. */
const SEGMENT = /^[A-Za-z0-9_+@:=,~.-]{1,255}$/;
const MAX_SEGMENTS = 16;
/** What `open` says when there is no such file, or none that may be served. */
const ABSENT: ReadonlySet<string> = new Set([
  'ENOENT',
  'ENOTDIR',
  'ELOOP',
  'EACCES',
  'EISDIR',
  'ENXIO',
  'ENAMETOOLONG',
]);
/** A file may be written twice within one tick of the file system's clock; only what is older has a trustworthy time. */
const SETTLED_AFTER_MS = 2000;
/** O_NONBLOCK: opening a FIFO without a writer would otherwise block a thread for ever. */
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** @throws LpmosError `invalid_argument` when the folder does not exist. */
export async function createDirectoryAssets(options: DirectoryAssetsOptions): Promise<AssetSource> {
  await realpath(options.root).catch((cause: unknown) => {
    const problem = `the folder ${options.root} cannot be read; create it or name another one`;
    const fields = [{ path: 'root', problem }];
    throw new LpmosError({ code: 'invalid_argument', message: problem, fields, cause });
  });
  return {
    async open(name) {
      if (!isPublishable(name)) return undefined;
      // The folder itself may be a link, which a site switches to publish another release.
      const root = await orAbsent(realpath(options.root));
      if (root === undefined) return undefined;
      const path = join(root, name);
      const handle = await orAbsent(open(path, READ_FLAGS));
      if (handle === undefined) return undefined;
      try {
        const asset = await readAsset(handle, path, options.digests?.get(name));
        if (asset === undefined) await handle.close();
        return asset;
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
  };
}

/** Published bytes by name. */
export function createMemoryAssets(
  files: ReadonlyMap<string, { bytes: Uint8Array; etag: string }>,
): AssetSource {
  return {
    async open(name) {
      const file = files.get(name);
      if (file === undefined) return undefined;
      const { bytes, etag } = file;
      return {
        sizeBytes: bytes.length,
        etag,
        immutable: false,
        read: async (buffer, position) => {
          const slice = bytes.subarray(position, position + buffer.length);
          buffer.set(slice);
          return slice.length;
        },
        unchanged: async () => files.get(name)?.bytes === bytes,
        close: async () => undefined,
      };
    },
  };
}

function isPublishable(name: string): boolean {
  const segments = name.split('/');
  if (segments.length > MAX_SEGMENTS) return false;
  return segments.every((segment) => SEGMENT.test(segment) && !segment.startsWith('.'));
}

async function orAbsent<T>(reaching: Promise<T>): Promise<T | undefined> {
  try {
    return await reaching;
  } catch (error) {
    if (ABSENT.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** O_NOFOLLOW guards the last segment only; the real path guards the folders on the way. */
async function readAsset(
  handle: FileHandle,
  path: string,
  digest: string | undefined,
): Promise<OpenAsset | undefined> {
  const opened = await handle.stat({ bigint: true });
  if (!opened.isFile() || (await orAbsent(realpath(path))) !== path) return undefined;
  const validator = digest ?? [opened.ino, opened.size, opened.mtimeNs].map((n) => n.toString(16)).join('-');
  return {
    sizeBytes: Number(opened.size),
    etag: `"${validator}"`,
    immutable: digest !== undefined,
    ...(Date.now() - Number(opened.mtimeMs) > SETTLED_AFTER_MS
      ? { sharedName: [opened.dev, opened.ino, opened.size, opened.mtimeNs].join('-') }
      : {}),
    read: (buffer, position) => readFully(handle, buffer, position),
    async unchanged() {
      const now = await handle.stat({ bigint: true });
      return now.size === opened.size && now.mtimeNs === opened.mtimeNs;
    },
    close: () => handle.close(),
  };
}

/** A read may return less than asked before the end, on network file systems for instance. */
async function readFully(handle: FileHandle, buffer: Uint8Array, position: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
}
