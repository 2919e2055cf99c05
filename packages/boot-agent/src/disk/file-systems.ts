/**
 * What a partition or a whole disk holds, by the magic numbers of its first bytes: a table, so that a new format is a row.
 * Good enough to tell an approver what would be destroyed; no check of consistency. Pure but for the reads passed in.
 */
import type { ReadAt } from './gpt';

interface Magic {
  readonly name: string;
  readonly at: number;
  readonly bytes: string;
}

const latin1 = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1');

/** In order: containers before what they may contain, because their magic stands before the rest. */
const MAGICS: readonly Magic[] = [
  { name: 'luks', at: 0, bytes: latin1('4c554b53babe') },
  { name: 'bitlocker', at: 3, bytes: '-FVE-FS-' },
  { name: 'xfs', at: 0, bytes: 'XFSB' },
  { name: 'squashfs', at: 0, bytes: 'hsqs' },
  { name: 'ntfs', at: 3, bytes: 'NTFS    ' },
  { name: 'exfat', at: 3, bytes: 'EXFAT   ' },
  { name: 'vfat', at: 82, bytes: 'FAT32   ' },
  { name: 'vfat', at: 54, bytes: 'FAT16   ' },
  { name: 'vfat', at: 54, bytes: 'FAT12   ' },
  // The label of LVM stands in any of the first four sectors; pvcreate uses the second.
  { name: 'lvm2', at: 512, bytes: 'LABELONE' },
  { name: 'lvm2', at: 0, bytes: 'LABELONE' },
  { name: 'lvm2', at: 1024, bytes: 'LABELONE' },
  { name: 'lvm2', at: 1536, bytes: 'LABELONE' },
  // md superblock 1.1 at the start, 1.2 after 4 KiB.
  { name: 'md', at: 0, bytes: latin1('fc4e2ba9') },
  { name: 'md', at: 4096, bytes: latin1('fc4e2ba9') },
  { name: 'swap', at: 4086, bytes: 'SWAPSPACE2' },
  { name: 'swap', at: 4086, bytes: 'SWAP-SPACE' },
  { name: 'iso9660', at: 0x8001, bytes: 'CD001' },
  { name: 'btrfs', at: 0x10040, bytes: '_BHRfS_M' },
];

/** Covers btrfs, the farthest of the fixed magics. */
const HEAD_BYTES = 0x10048;
const EXT_SUPERBLOCK = 1024;
const EXT_MAGIC = 0xef53;
const HAS_JOURNAL = 0x4;
/** Extents, 64bit, flex_bg, metadata_csum: any of them makes it ext4. */
const EXT4_INCOMPATIBLE = 0x40 | 0x80 | 0x200;
const ZFS_LABEL_BYTES = 128 * 1024;
/** The uberblock ring of the first vdev label; its magic is host-endian. */
const ZFS_UBERBLOCKS_AT = 128 * 1024;
const ZFS_MAGICS = ['0cb1ba0000000000', '0000000000bab10c'].map(latin1);
const ZFS_UBERBLOCK_BYTES = 1024;

/** Recognised name, or empty. `startBytes` is where the volume begins on what `readAt` reads. */
export async function fileSystemAt(readAt: ReadAt, startBytes: number, sizeBytes: number): Promise<string> {
  const head = Buffer.from((await readAt(startBytes, Math.min(HEAD_BYTES, sizeBytes))) ?? new Uint8Array(0));
  const fixed = MAGICS.find(({ at, bytes }) => head.toString('latin1', at, at + bytes.length) === bytes);
  if (fixed !== undefined) return fixed.name;
  const ext = extVersion(head);
  if (ext !== '') return ext;
  // md 1.0 and 0.90 stand at the end of the device, in 64 KiB steps.
  if (await hasMdAtEnd(readAt, startBytes, sizeBytes)) return 'md';
  if (sizeBytes < ZFS_UBERBLOCKS_AT + ZFS_LABEL_BYTES) return '';
  const ring = Buffer.from(
    (await readAt(startBytes + ZFS_UBERBLOCKS_AT, ZFS_LABEL_BYTES)) ?? new Uint8Array(0),
  );
  return isZfsRing(ring) ? 'zfs' : '';
}

function extVersion(head: Buffer): string {
  if (head.length < EXT_SUPERBLOCK + 0x68 || head.readUInt16LE(EXT_SUPERBLOCK + 0x38) !== EXT_MAGIC)
    return '';
  const compatible = head.readUInt32LE(EXT_SUPERBLOCK + 0x5c);
  const incompatible = head.readUInt32LE(EXT_SUPERBLOCK + 0x60);
  if ((incompatible & EXT4_INCOMPATIBLE) !== 0) return 'ext4';
  return (compatible & HAS_JOURNAL) !== 0 ? 'ext3' : 'ext2';
}

async function hasMdAtEnd(readAt: ReadAt, startBytes: number, sizeBytes: number): Promise<boolean> {
  const oldStyle = Math.floor(sizeBytes / 65_536) * 65_536 - 65_536;
  const version10 = Math.floor((sizeBytes - 8192) / 4096) * 4096;
  for (const at of [oldStyle, version10]) {
    if (at <= 0) continue;
    const magic = await readAt(startBytes + at, 4);
    if (magic !== undefined && Buffer.from(magic).toString('latin1') === latin1('fc4e2ba9')) return true;
  }
  return false;
}

function isZfsRing(ring: Buffer): boolean {
  for (let at = 0; at + 8 <= ring.length; at += ZFS_UBERBLOCK_BYTES) {
    if (ZFS_MAGICS.includes(ring.toString('latin1', at, at + 8))) return true;
  }
  return false;
}
