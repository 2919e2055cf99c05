/**
 * GUID partition tables (UEFI specification 2.10, chapter 5): reading them with every check sum, and laying one out again
 * for a disk that is larger than the image it came from. Pure but for the reads passed in; writing is install/gpt-repair.ts.
 * Invariant: a table with a wrong check sum or impossible numbers is no table; nothing beyond 256 KiB is read for one.
 */
import { crc32 } from 'node:zlib';

/** Reads `length` bytes at `offset`; shorter or undefined when the disk ends before. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array | undefined>;

export interface GptPartition {
  /** Counted from 1, as the kernel numbers its device. */
  readonly number: number;
  readonly typeGuid: string;
  readonly label: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

export interface Gpt {
  /** The header block as it stands on the disk. */
  readonly header: Uint8Array;
  /** All entries, used or not. */
  readonly entries: Uint8Array;
  readonly entrySize: number;
  readonly sectorSize: number;
  readonly partitions: readonly GptPartition[];
}

const SIGNATURE = 'EFI PART';
const HEADER_BYTES = 92;
const AT = {
  headerSize: 12,
  headerCrc: 16,
  myLba: 24,
  alternateLba: 32,
  lastUsable: 48,
  entriesLba: 72,
} as const;
const AT_COUNT = 80;
const AT_ENTRY_SIZE = 84;
const AT_ENTRIES_CRC = 88;
/** 128 entries of 128 bytes are the rule; some tools write 256 entries or 512-byte entries. */
const LARGEST_ENTRIES_BYTES = 256 * 1024;
const UNIQUE_GUID_AT = 16;
const GUID_BYTES = 16;
const NAME_AT = 56;
const NAME_BYTES = 72;

/** The table whose header stands in block `lba`, or undefined when there is none that checks. */
export async function readGptAt(readAt: ReadAt, lba: number, sectorSize: number): Promise<Gpt | undefined> {
  const block = await readAt(lba * sectorSize, sectorSize);
  if (block === undefined || block.length < sectorSize) return undefined;
  const header = Buffer.from(block);
  if (header.toString('latin1', 0, 8) !== SIGNATURE) return undefined;
  const headerSize = header.readUInt32LE(AT.headerSize);
  if (headerSize < HEADER_BYTES || headerSize > sectorSize) return undefined;
  if (headerCrc(header) !== header.readUInt32LE(AT.headerCrc)) return undefined;
  if (header.readBigUInt64LE(AT.myLba) !== BigInt(lba)) return undefined;
  const entrySize = header.readUInt32LE(AT_ENTRY_SIZE);
  const entriesBytes = header.readUInt32LE(AT_COUNT) * entrySize;
  if (entrySize < 128 || entrySize % 8 !== 0 || entriesBytes > LARGEST_ENTRIES_BYTES) return undefined;
  const entriesLba = header.readBigUInt64LE(AT.entriesLba);
  if (entriesLba > BigInt(Number.MAX_SAFE_INTEGER) / BigInt(sectorSize)) return undefined;
  const entries = await readAt(Number(entriesLba) * sectorSize, entriesBytes);
  if (entries === undefined || entries.length < entriesBytes) return undefined;
  if (crc32(entries) !== header.readUInt32LE(AT_ENTRIES_CRC)) return undefined;
  return {
    header,
    entries,
    entrySize,
    sectorSize,
    partitions: partitionsOf(Buffer.from(entries), entrySize, sectorSize),
  };
}

/** The primary table, else the backup in the last block of the disk. */
export async function readGpt(
  readAt: ReadAt,
  sizeBytes: number,
  sectorSize: number,
): Promise<Gpt | undefined> {
  const primary = await readGptAt(readAt, 1, sectorSize);
  return primary ?? (await readGptAt(readAt, Math.floor(sizeBytes / sectorSize) - 1, sectorSize));
}

function partitionsOf(entries: Buffer, entrySize: number, sectorSize: number): GptPartition[] {
  const partitions: GptPartition[] = [];
  for (let index = 0; (index + 1) * entrySize <= entries.length; index += 1) {
    const entry = entries.subarray(index * entrySize, (index + 1) * entrySize);
    if (entry.subarray(0, 16).every((byte) => byte === 0)) continue;
    const first = Number(entry.readBigUInt64LE(32));
    const last = Number(entry.readBigUInt64LE(40));
    const startBytes = first * sectorSize;
    const sizeBytes = (last - first + 1) * sectorSize;
    if (last < first || !Number.isSafeInteger(startBytes + sizeBytes)) continue;
    partitions.push({
      number: index + 1,
      typeGuid: guidText(entry),
      label: entry.toString('utf16le', NAME_AT, NAME_AT + NAME_BYTES).replace(/\0[^]*$/, ''),
      startBytes,
      sizeBytes,
    });
  }
  return partitions;
}

/** The partition's own GUID, as its 16 bytes stand in the table. */
export function partitionGuid({ entries, entrySize }: Gpt, { number }: GptPartition): Uint8Array {
  const at = (number - 1) * entrySize + UNIQUE_GUID_AT;
  return entries.subarray(at, at + GUID_BYTES);
}

/** The first three groups of a GUID are little-endian on disk. */
function guidText(bytes: Buffer): string {
  const group = (...at: number[]): string =>
    at.map((i) => (bytes[i] ?? 0).toString(16).padStart(2, '0')).join('');
  const tail = bytes.toString('hex', 10, 16);
  return `${group(3, 2, 1, 0)}-${group(5, 4)}-${group(7, 6)}-${group(8, 9)}-${tail}`;
}

/** CRC of the header with its own field as zero. */
function headerCrc(header: Buffer): number {
  const copy = Buffer.from(header.subarray(0, header.readUInt32LE(AT.headerSize)));
  copy.writeUInt32LE(0, AT.headerCrc);
  return crc32(copy);
}

export interface Placement {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * The writes that make a table valid on a disk of `sizeBytes`: backup entries and backup header at the end, then the primary header.
 * In this order, so that a power failure leaves the primary of before. Empty when the table already spans the disk.
 */
export function spanDisk(gpt: Gpt, sizeBytes: number): Placement[] {
  const { sectorSize, entries } = gpt;
  const lastLba = Math.floor(sizeBytes / sectorSize) - 1;
  const primary = Buffer.from(gpt.header);
  if (primary.readBigUInt64LE(AT.myLba) !== 1n) return [];
  if (primary.readBigUInt64LE(AT.alternateLba) === BigInt(lastLba)) return [];
  const entriesSectors = Math.ceil(entries.length / sectorSize);
  const backupEntriesLba = lastLba - entriesSectors;
  primary.writeBigUInt64LE(BigInt(lastLba), AT.alternateLba);
  primary.writeBigUInt64LE(BigInt(backupEntriesLba - 1), AT.lastUsable);
  primary.writeUInt32LE(headerCrc(primary), AT.headerCrc);
  const backup = Buffer.from(primary);
  backup.writeBigUInt64LE(BigInt(lastLba), AT.myLba);
  backup.writeBigUInt64LE(1n, AT.alternateLba);
  backup.writeBigUInt64LE(BigInt(backupEntriesLba), AT.entriesLba);
  backup.writeUInt32LE(headerCrc(backup), AT.headerCrc);
  const padded = Buffer.alloc(entriesSectors * sectorSize);
  padded.set(entries);
  return [
    { offset: backupEntriesLba * sectorSize, bytes: padded },
    { offset: lastLba * sectorSize, bytes: backup },
    { offset: sectorSize, bytes: primary },
  ];
}

/**
 * The protective MBR with its 0xEE entry grown to the disk, as some firmware insists; undefined when there is none.
 * Sizes beyond 32 bits are written as all ones (UEFI specification 5.2.3).
 */
export function spanProtectiveMbr(
  mbr: Uint8Array,
  sizeBytes: number,
  sectorSize: number,
): Uint8Array | undefined {
  const copy = Buffer.from(mbr);
  const entry = 446;
  if (copy.length < 512 || copy[510] !== 0x55 || copy[511] !== 0xaa || copy[entry + 4] !== 0xee)
    return undefined;
  copy.writeUInt32LE(Math.min(Math.floor(sizeBytes / sectorSize) - 1, 0xffffffff), entry + 12);
  return copy;
}
