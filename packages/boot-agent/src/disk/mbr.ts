/**
 * MBR partition tables: four entries and the chain of logical ones. Pure but for the reads passed in.
 * Invariant: the chain is bounded and never followed backwards to where it was; entries outside the disk are no entries.
 */
import type { ReadAt } from './gpt';

export interface MbrPartition {
  readonly number: number;
  /** Two hex digits. */
  readonly type: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

const ENTRIES_AT = 446;
const ENTRY_BYTES = 16;
const EXTENDED = new Set([0x05, 0x0f, 0x85]);
export const PROTECTIVE = 0xee;
const SECTOR = 512;
/** Linux names at most 60 logical partitions. */
const MOST_LOGICAL = 60;

interface Entry {
  readonly type: number;
  readonly start: number;
  readonly sectors: number;
}

/** The four entries of a sector, or undefined when it is no partition sector at all. */
export function parseMbrSector(sector: Uint8Array | undefined): Entry[] | undefined {
  if (sector === undefined || sector.length < SECTOR || sector[510] !== 0x55 || sector[511] !== 0xaa)
    return undefined;
  const bytes = Buffer.from(sector);
  const entries: Entry[] = [];
  for (let at = ENTRIES_AT; at < 510; at += ENTRY_BYTES) {
    // Boot code of file systems also ends in 55 AA; there the status bytes are neither 0 nor 0x80.
    if ((bytes[at] ?? 1) & 0x7f) return undefined;
    entries.push({
      type: bytes[at + 4] ?? 0,
      start: bytes.readUInt32LE(at + 8),
      sectors: bytes.readUInt32LE(at + 12),
    });
  }
  return entries;
}

export async function readMbr(readAt: ReadAt, sizeBytes: number): Promise<MbrPartition[] | undefined> {
  const entries = parseMbrSector(await readAt(0, SECTOR));
  if (entries === undefined || entries.every(({ type, sectors }) => type === 0 || sectors === 0))
    return undefined;
  const partitions: MbrPartition[] = [];
  const fits = (start: number, sectors: number): boolean =>
    sectors > 0 && (start + sectors) * SECTOR <= sizeBytes;
  const add = (number: number, type: number, start: number, sectors: number): void => {
    const name = type.toString(16).padStart(2, '0');
    partitions.push({ number, type: name, startBytes: start * SECTOR, sizeBytes: sectors * SECTOR });
  };
  for (const [index, { type, start, sectors }] of entries.entries()) {
    if (type === 0 || !fits(start, sectors)) continue;
    add(index + 1, type, start, sectors);
    if (!EXTENDED.has(type)) continue;
    let at = start;
    for (let number = 5; number < 5 + MOST_LOGICAL; number += 1) {
      const [logical, next] = parseMbrSector(await readAt(at * SECTOR, SECTOR)) ?? [];
      if (logical === undefined || logical.type === 0 || !fits(at + logical.start, logical.sectors)) break;
      add(number, logical.type, at + logical.start, logical.sectors);
      if (next === undefined || next.type === 0 || start + next.start <= at) break;
      at = start + next.start;
    }
  }
  return partitions;
}
