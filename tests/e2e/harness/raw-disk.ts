/**
 * Disks of machines that are off, as raw files: one with somebody's data made before the test, and what an installation left on one, read
 * from the file system itself after replaying the journal on a copy. No mount and no privilege. Trusts no log and no agent.
 */
import { randomBytes } from 'node:crypto';
import {
  mkdirSync,
  openSync,
  closeSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
  readSync,
} from 'node:fs';
import { join } from 'node:path';
import { sha256OfText } from '../../../scripts/file-digest';
import { runCommand } from '../../../scripts/run-command';

const MIB = 1024 * 1024;
const SECTOR_BYTES = 512;
const OLD_DATA_LABEL = 'old-data';
/** What the boot sector of a disk with old data says on the serial line. */
export const OLD_DISK_WORDS = 'the old disk boots';

export interface OldDisk {
  readonly path: string;
  readonly sizeGiB: number;
  readonly label: string;
}

/** A bootable disk with a GPT, one ext4 file system and some random megabytes in it, as a machine may have that somebody still needs. */
export async function makeOldDisk(options: {
  readonly path: string;
  readonly sizeGiB: number;
}): Promise<OldDisk> {
  const { path, sizeGiB } = options;
  const files = `${path}.files`;
  mkdirSync(files);
  writeFileSync(join(files, 'ledger'), randomBytes(8 * MIB));
  writeFileSync(path, '');
  truncateSync(path, sizeGiB * 1024 * MIB);
  const sizeMiB = sizeGiB * 1024 - 2;
  const table = `label: gpt\nstart=2048, size=${sizeMiB}MiB, type=linux, name="${OLD_DATA_LABEL}"\n`;
  await runCommand('sfdisk', ['--quiet', '--no-reread', path], { input: table });
  const place = ['-E', `offset=${MIB}`, path, `${sizeMiB}M`];
  await runCommand('mkfs.ext4', ['-q', '-F', '-L', OLD_DATA_LABEL, '-d', files, ...place]);
  rmSync(files, { recursive: true });
  writeBootSector(path);
  return { path, sizeGiB, label: OLD_DATA_LABEL };
}

/**
 * Real-mode code at 0x7c00 that sends its text to the first serial port and halts:
 * xor ax,ax; mov ds,ax; mov si,text; mov dx,0x3f8; next: lodsb; test al,al; jz end; out dx,al; jmp next; end: hlt; jmp end.
 */
const BOOT_CODE = '31c08ed8be157cbaf803ac84c07403eeebf8f4ebfd';

function writeBootSector(path: string): void {
  const code = Buffer.concat([
    Buffer.from(BOOT_CODE, 'hex'),
    Buffer.from(`\r\n${OLD_DISK_WORDS}\r\n\0`, 'latin1'),
  ]);
  const file = openSync(path, 'r+');
  writeSync(file, code, 0, code.length, 0);
  closeSync(file);
}

/** Boot sector, partition table and what stands before the first partition: the first megabyte. */
export function headOfDisk(path: string): string {
  const head = Buffer.alloc(MIB);
  const file = openSync(path, 'r');
  readSync(file, head, 0, head.length, 0);
  closeSync(file);
  return sha256OfText(head.toString('hex'));
}

export interface InstalledRoot {
  /** Text of a file, or undefined when it does not exist. */
  read(path: string): Promise<string | undefined>;
  /** Permission bits and owner, as debugfs prints them: `Mode:  0600`, `User:     0`. */
  stat(path: string): Promise<string>;
  close(): void;
}

/** The root file system of an installed disk. The machine lost its power, so what it wrote last is in the journal only. */
export async function openInstalledRoot(disk: string): Promise<InstalledRoot> {
  const { start, size } = await rootPartition(disk);
  const copy = `${disk}.root`;
  const [skip, count] = [start * SECTOR_BYTES, size * SECTOR_BYTES];
  const place = [`skip=${skip}`, `count=${count}`, 'iflag=skip_bytes,count_bytes', 'bs=1M', 'conv=sparse'];
  await runCommand('dd', [`if=${disk}`, `of=${copy}`, ...place, 'status=none']);
  await runCommand('e2fsck', ['-y', '-E', 'journal_only', copy]);
  const ask = (request: string): Promise<string> => runCommand('debugfs', ['-R', request, copy]);
  return {
    async read(path) {
      const facts = await ask(`stat ${path}`);
      if (!facts.includes('Inode:')) return undefined;
      return ask(`cat ${path}`);
    },
    stat: (path) => ask(`stat ${path}`),
    close: () => rmSync(copy),
  };
}

async function rootPartition(path: string): Promise<{ readonly start: number; readonly size: number }> {
  const text = await runCommand('sfdisk', ['--json', path]);
  const { partitiontable } = JSON.parse(text) as {
    partitiontable: { partitions: { name?: string; start: number; size: number }[] };
  };
  const root = partitiontable.partitions.find(({ name }) => name === 'lpmos-root');
  if (root === undefined) throw new Error(`${path} has no partition lpmos-root: ${text}`);
  return root;
}
