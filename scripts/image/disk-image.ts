/**
 * Puts the parts together: an empty disk file, GPT, boot loaders, EFI partition and an ext4 root filled from a tar file.
 * No loop device and no mount; files keep their owners because root, or a user namespace with subordinate ids, unpacks.
 */
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../run-command';
import type { BiosStages } from './boot-loaders';
import {
  partitionScript,
  patchBootSector,
  patchCoreImage,
  planLayout,
  ROOT_PARTITION_LABEL,
  SECTOR_BYTES,
  type DiskLayout,
} from './disk-layout';

const MIB = 1024 * 1024;
/** Room for logs and small packages before the first growth, and for ext4's own tables (about 5 %). */
const FREE_MIB = 64;
const FILE_SYSTEM_OVERHEAD = 1.07;
/** Named one by one: hosts differ in their defaults, and GRUB 2.06 cannot read the newest ones. */
const EXT4_FEATURES = [
  ...[
    'none',
    'has_journal',
    'ext_attr',
    'resize_inode',
    'dir_index',
    'filetype',
    'extent',
    '64bit',
    'flex_bg',
  ],
  ...['sparse_super', 'large_file', 'huge_file', 'dir_nlink', 'extra_isize', 'metadata_csum'],
].join(',');

/** Prefix of a command that must see the root's files with their true owners. */
function asRoot(argv: readonly [string, ...string[]]): [string, string[]] {
  const [command, ...args] = argv;
  if (process.getuid?.() === 0) return [command, args];
  return ['unshare', ['--user', '--map-root-user', '--map-auto', '--', command, ...args]];
}

async function runAsRoot(...argv: [string, ...string[]]): Promise<string> {
  const [command, args] = asRoot(argv);
  return runCommand(command, args);
}

/** Refuses a root that names the build machine: its mirror must not become the installed machine's. */
async function assertAnonymous(root: string, forbidden: readonly string[]): Promise<void> {
  for (const word of forbidden) {
    const found = await runAsRoot(
      'grep',
      '-rlIF',
      '--',
      word,
      join(root, 'etc'),
      join(root, 'var/lib'),
    ).catch(() => '');
    if (found.trim() !== '')
      throw new Error(`the image would name the build machine ("${word}") in ${found.trim()}`);
  }
}

async function writeAt(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.write(bytes, 0, bytes.length, offset);
  } finally {
    await file.close();
  }
}

async function makeRoot(root: string, image: string, layout: DiskLayout): Promise<void> {
  const options = [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-b',
    '4096',
    '-O',
    EXT4_FEATURES,
    '-L',
    ROOT_PARTITION_LABEL,
    '-m',
    '1',
  ];
  // Tables are written now: the installer may skip blocks of zeros, and a first boot should not write them later.
  const extended = `offset=${layout.rootSector * SECTOR_BYTES},lazy_itable_init=0,lazy_journal_init=0`;
  const size = `${(layout.rootSectors * SECTOR_BYTES) / 1024}k`;
  await runAsRoot('mke2fs', ...options, '-E', extended, '-d', root, image, size);
}

/** Bytes that the files take in blocks of 4 KiB. */
async function occupiedMiB(root: string): Promise<number> {
  const output = await runAsRoot('du', '-s', '-B4096', '--apparent-size', root);
  const plain = Number.parseInt(output, 10) * 4096;
  const blocks = Number.parseInt(await runAsRoot('du', '-s', '-B4096', root), 10) * 4096;
  return Math.ceil(Math.max(plain, blocks) / MIB);
}

export interface DiskImageOptions {
  readonly rootTar: string;
  readonly efiPartition: string;
  readonly bios: BiosStages;
  readonly workDir: string;
  /** Words of the build machine that must not be in the image. */
  readonly forbidden: readonly string[];
}

/** Writes the raw image into the work folder; returns its path and size. */
export async function assembleDiskImage(options: DiskImageOptions): Promise<{ path: string; bytes: number }> {
  const root = join(options.workDir, 'root');
  const image = join(options.workDir, 'disk.raw');
  await mkdir(root);
  try {
    await runAsRoot(
      'tar',
      '-x',
      '-p',
      '--numeric-owner',
      '--xattrs',
      '-f',
      options.rootTar,
      '-C',
      root,
      '--exclude=./dev/*',
    );
    await assertAnonymous(root, options.forbidden);
    const layout = planLayout(Math.ceil((await occupiedMiB(root)) * FILE_SYSTEM_OVERHEAD) + FREE_MIB);
    await writeFile(image, '');
    await runCommand('truncate', ['-s', String(layout.totalBytes), image]);
    await runCommand('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', image], {
      input: partitionScript(layout),
    });
    await writeAt(image, 0, patchBootSector(options.bios.bootImg, layout.biosBootSector));
    const core = patchCoreImage(options.bios.core, layout.biosBootSector);
    await writeAt(image, layout.biosBootSector * SECTOR_BYTES, core);
    await writeAt(image, layout.espSector * SECTOR_BYTES, await readFile(options.efiPartition));
    await makeRoot(root, image, layout);
    return { path: image, bytes: layout.totalBytes };
  } finally {
    await runAsRoot('rm', '-rf', '--one-file-system', root);
    await rm(options.rootTar, { force: true });
  }
}
