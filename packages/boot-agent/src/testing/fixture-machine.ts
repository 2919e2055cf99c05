/**
 * A machine made of files: a sysfs, procfs and /dev tree below a temporary folder, with plain files as disks. Probes and installs
 * run on it through the ordinary HostReader; only commands (blockdev, mount, reboot) are answered here.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createNodeHostReader } from '../host-reader';
import type { CommandResult, HostReader } from '../host-reader';
import { sampleServer } from './smbios-table';

export interface FixtureMachine {
  readonly root: string;
  readonly reader: HostReader;
  /** Every command asked for, in order. */
  readonly commands: string[];
  write(path: string, content: string | Uint8Array): void;
  link(path: string, target: string): void;
  /** Adds a disk of zeros and gives the file behind it. */
  addDisk(disk: FixtureDisk): string;
  remove(): void;
}

export interface FixtureDisk {
  readonly name: string;
  readonly bytes: number;
  /** sysfs attributes below /sys/block/NAME, such as `serial` or `queue/rotational`. */
  readonly attributes?: Readonly<Record<string, string | Uint8Array>>;
}

const CPUINFO = [0, 1, 2, 3]
  .map((id) => `processor\t: ${id}\nmodel name\t: Test  CPU\nphysical id\t: 0\ncore id\t\t: ${id >> 1}\n`)
  .join('\n');

export function createFixtureMachine(): FixtureMachine {
  const root = mkdtempSync(join(tmpdir(), 'lpmos-agent-'));
  const commands: string[] = [];
  const write = (path: string, content: string | Uint8Array): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  };
  const link = (path: string, target: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    symlinkSync(target, join(root, path));
  };
  const addDisk = ({ name, bytes, attributes }: FixtureDisk): string => {
    const file = join(root, 'dev', name);
    write(`/dev/${name}`, '');
    truncateSync(file, bytes);
    const all = {
      size: `${bytes / 512}\n`,
      removable: '0\n',
      'queue/logical_block_size': '512\n',
      ...attributes,
    };
    for (const [attribute, value] of Object.entries(all)) write(`/sys/block/${name}/${attribute}`, value);
    return file;
  };
  write('/proc/cpuinfo', CPUINFO);
  write('/proc/meminfo', 'MemTotal:         480000 kB\n');
  write('/proc/mounts', 'rootfs / rootfs rw 0 0\n');
  write('/sys/firmware/dmi/tables/DMI', sampleServer());
  mkdirSync(join(root, 'mnt'));
  const run = async (argv: readonly [string, ...string[]]): Promise<CommandResult> => {
    commands.push(argv.join(' '));
    return Promise.resolve(answer({ root, argv, write }));
  };
  const reader: HostReader = { ...createNodeHostReader({ root }), run };
  return {
    root,
    reader,
    commands,
    write,
    link,
    addDisk,
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
}

interface Asked {
  readonly root: string;
  readonly argv: readonly [string, ...string[]];
  readonly write: (path: string, content: string) => void;
}

function answer({ root, argv, write }: Asked): CommandResult {
  try {
    const last = argv.at(-1) ?? '';
    if (argv[0] === 'blockdev' && argv[1] === '--rereadpt') rereadTable(root, last, write);
    if (argv[0] === 'mount') mountPartition(root, argv.at(-2) ?? '', join(root, last));
    if (argv[0] === 'umount') execFileSync('umount', [join(root, last)], { stdio: 'pipe' });
    return { code: 0, output: '' };
  } catch (error) {
    return { code: 1, output: error instanceof Error ? error.message : String(error) };
  }
}

interface SfdiskPartition {
  readonly node: string;
  readonly start: number;
  readonly size: number;
}

function partitionsOf(file: string): SfdiskPartition[] {
  const text = execFileSync('sfdisk', ['--json', file], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return (JSON.parse(text) as { partitiontable: { partitions: SfdiskPartition[] } }).partitiontable
    .partitions;
}

/** What the kernel does on BLKRRPART: nodes and sysfs entries for each partition. */
function rereadTable(root: string, device: string, write: Asked['write']): void {
  for (const { node, start } of partitionsOf(join(root, device))) {
    const name = node.slice(node.lastIndexOf('/') + 1);
    write(`/sys/block/${device.replace('/dev/', '')}/${name}/start`, `${start}\n`);
    write(`/dev/${name}`, '');
  }
}

function mountPartition(root: string, device: string, mountPoint: string): void {
  const disk = join(root, device.replace(/p?\d+$/, ''));
  const partition = partitionsOf(disk).find(({ node }) => node === join(root, device));
  if (partition === undefined) throw new Error(`${device}: no such partition`);
  const options = `loop,offset=${partition.start * 512},sizelimit=${partition.size * 512}`;
  execFileSync('mount', ['-t', 'ext4', '-o', options, disk, mountPoint], { stdio: 'pipe' });
}

/** Whether this process may mount a loop device; installs are only testable to their end where it may. */
export function canMountLoop(): boolean {
  const dir = mkdtempSync(join(tmpdir(), 'lpmos-loop-'));
  try {
    const file = join(dir, 'image');
    writeFileSync(file, '');
    truncateSync(file, 4 * 1024 * 1024);
    mkdirSync(join(dir, 'mnt'));
    execFileSync('mkfs.ext4', ['-q', file], { stdio: 'pipe' });
    execFileSync('mount', ['-o', 'loop', file, join(dir, 'mnt')], { stdio: 'pipe' });
    execFileSync('umount', [join(dir, 'mnt')], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
