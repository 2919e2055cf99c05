/** Disks with everything that is on them, for somebody who must decide whether to destroy it. Pure. */
import type { Disk, PartitionContents } from '@lpmos/core';
import { describeBytes } from './sizes';
import { printable } from '../terminal';
import type { Paint } from '../terminal';

export type DiskMark = 'will-be-destroyed' | 'approved' | 'untouched';

const MARKS: Readonly<Record<DiskMark, string>> = {
  'will-be-destroyed': '<<< WILL BE DESTROYED if this task is approved',
  approved: '<<< APPROVED FOR OVERWRITING',
  untouched: '',
};

export function diskLines(disk: Disk, mark: DiskMark, paint: Paint): string[] {
  const head = printable(
    `${disk.device}  ${describeBytes(disk.size_bytes)}  ${disk.type}  ${disk.model || '(no model)'}${disk.removable ? '  removable' : ''}`,
  );
  const identity = printable(`serial ${disk.serial || '(none)'}   wwn ${disk.wwn || '(none)'}`);
  const marked = MARKS[mark] === '' ? '' : `  ${paint('red', MARKS[mark])}`;
  return [
    `  ${paint('bold', head)}${marked}`,
    `      ${identity}`,
    ...contentsLines(disk).map((line) => `      ${printable(line)}`),
  ];
}

/** What is on it, in words; "empty" is said only when it was looked for and nothing was recognised. */
export function contentsLines({ contents }: Pick<Disk, 'contents'>): string[] {
  if (contents.partition_table === 'unreadable') {
    return ['contents: COULD NOT BE READ; the disk may hold anything'];
  }
  if (contents.partition_table === 'none') {
    return contents.file_system === ''
      ? ['contents: nothing recognised']
      : [`contents: whole disk is ${contents.file_system}`];
  }
  const count = contents.partitions.length;
  const table = `contents: ${contents.partition_table.toUpperCase()} with ${count} partition${count === 1 ? '' : 's'}`;
  return [table, ...contents.partitions.map(partitionLine)];
}

function partitionLine(partition: PartitionContents): string {
  const label = partition.label === '' ? '' : `  "${partition.label}"`;
  const holds =
    partition.file_system === '' ? `nothing recognised (type ${partition.type})` : partition.file_system;
  return `  ${partition.number}  ${describeBytes(partition.size_bytes)}  ${holds}${label}`;
}
