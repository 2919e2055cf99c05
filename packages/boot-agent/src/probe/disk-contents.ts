/**
 * What stands on a disk now, for the approver who has to see what will be destroyed: partition table, partitions, file systems.
 * Reads a bounded few hundred KiB per partition and never follows what a file system says.
 */
import type { DiskContents, PartitionContents } from '@lpmos/core';
import { HARDWARE_LIMITS } from '@lpmos/proto';
import { fileSystemAt } from '../disk/file-systems';
import { readGpt } from '../disk/gpt';
import type { ReadAt } from '../disk/gpt';
import { parseMbrSector, PROTECTIVE, readMbr } from '../disk/mbr';

export interface DiskToRead {
  readonly readAt: ReadAt;
  readonly sizeBytes: number;
  readonly sectorSize: number;
}

interface Found {
  readonly number: number;
  readonly type: string;
  readonly label: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

const EMPTY: DiskContents = { partition_table: 'none', file_system: '', partitions: [] };

export async function probeDiskContents(disk: DiskToRead): Promise<DiskContents> {
  const { readAt, sizeBytes, sectorSize } = disk;
  const sector = await readAt(0, sectorSize);
  if (sector === undefined || sector.length === 0) return { ...EMPTY, partition_table: 'unreadable' };
  const gpt = await readGpt(readAt, sizeBytes, sectorSize);
  if (gpt !== undefined) {
    const found = gpt.partitions.map((part) => ({ ...part, type: part.typeGuid }));
    return { ...EMPTY, partition_table: 'gpt', partitions: await describe(disk, found) };
  }
  // A protective MBR without a table that checks: somebody's data behind a broken table, which must not look empty.
  const protective = parseMbrSector(sector)?.some(({ type }) => type === PROTECTIVE) === true;
  if (protective) return { ...EMPTY, partition_table: 'unreadable' };
  const whole = await fileSystemAt(readAt, 0, sizeBytes);
  if (whole !== '') return { ...EMPTY, file_system: whole };
  const mbr = await readMbr(readAt, sizeBytes);
  if (mbr === undefined) return EMPTY;
  const found = mbr.map((part) => ({ ...part, label: '' }));
  return { ...EMPTY, partition_table: 'mbr', partitions: await describe(disk, found) };
}

async function describe(disk: DiskToRead, found: readonly Found[]): Promise<PartitionContents[]> {
  const described: PartitionContents[] = [];
  for (const part of found.slice(0, HARDWARE_LIMITS.partitions)) {
    described.push({
      number: part.number,
      size_bytes: part.sizeBytes,
      type: part.type,
      label: part.label,
      file_system: await fileSystemAt(disk.readAt, part.startBytes, part.sizeBytes),
    });
  }
  return described;
}
