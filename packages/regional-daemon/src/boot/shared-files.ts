/**
 * Whole files in memory for TFTP, which sends from memory: one copy of a file, whoever and however many load it, and none once nobody does.
 * HTTP needs none of this; it streams from the disk.
 * Invariant: a transfer keeps the bytes that it began with; a file that was replaced is read anew for the next one.
 */
import { LpmosError } from '@lpmos/core';
import type { AssetSource, OpenAsset } from '@lpmos/netboot';

/** An initramfs with every driver has some 60 MB; TFTP block numbers wrap several times long before this. */
const MAX_BYTES = 512 * 1024 * 1024;
const PIECE_BYTES = 4 * 1024 * 1024;

interface Copy {
  readonly etag: string;
  /** Transfers hold the bytes; with the last of them they may go. */
  readonly bytes: WeakRef<Uint8Array>;
}

export interface SharedFiles {
  /** @returns undefined when nothing is published under that name. @throws LpmosError when the file is too large or changed under us. */
  read(name: string): Promise<Uint8Array | undefined>;
}

export function createSharedFiles(source: AssetSource): SharedFiles {
  const copies = new Map<string, Copy>();
  const running = new Map<string, Promise<Uint8Array | undefined>>();

  const load = async (name: string): Promise<Uint8Array | undefined> => {
    const asset = await source.open(name);
    if (asset === undefined) return undefined;
    try {
      const known = copies.get(name);
      const held = known?.etag === asset.etag ? known.bytes.deref() : undefined;
      if (held !== undefined) return held;
      const bytes = await readWhole(name, asset);
      copies.set(name, { etag: asset.etag, bytes: new WeakRef(bytes) });
      return bytes;
    } finally {
      await asset.close();
    }
  };
  return {
    read(name) {
      const before = running.get(name);
      if (before !== undefined) return before;
      const reading = load(name).finally(() => running.delete(name));
      running.set(name, reading);
      return reading;
    },
  };
}

async function readWhole(name: string, asset: OpenAsset): Promise<Uint8Array> {
  if (asset.sizeBytes > MAX_BYTES) {
    throw new LpmosError({
      code: 'invalid_argument',
      message: `${name} has ${asset.sizeBytes} bytes, more than TFTP serves from memory; let GRUB load by HTTP`,
    });
  }
  const bytes = new Uint8Array(asset.sizeBytes);
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
    const piece = bytes.subarray(at, at + PIECE_BYTES);
    if ((await asset.read(piece, at)) !== piece.length) throw changed(name);
  }
  if (!(await asset.unchanged())) throw changed(name);
  return bytes;
}

function changed(name: string): LpmosError {
  return new LpmosError({ code: 'unavailable', message: `${name} changed while it was read` });
}
