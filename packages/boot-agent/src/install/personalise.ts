/**
 * Applies the settings of one machine to the system just installed: mounts its root file system, writes files, unmounts.
 * Nothing of the image is executed and none of its links is followed (installed-tree.ts).
 * Invariant: the file system is unmounted again, also after a failure; a result is only good once it is.
 */
import { mkdir } from 'node:fs/promises';
import type { MacAddress, TaskId } from '@lpmos/core';
import type { HostReader } from '../host-reader';
import { InstallFailure, reasonOf } from './failure';
import { hostFiles } from './host-files';
import type { HostOrder } from './install-order';
import { readInstalledFile, writeInstalledFile } from './installed-tree';

const MOUNT_POINT = '/mnt';
const COMMAND_MS = 60_000;
/** Journal replay and flushing of a slow disk. */
const UNMOUNT_MS = 120_000;

export async function personalise(options: {
  readonly reader: HostReader;
  /** Device node of the root file system. */
  readonly device: string;
  readonly settings: HostOrder;
  readonly mac: MacAddress;
  readonly taskId: TaskId;
  readonly caPem: string;
}): Promise<void> {
  const { reader, device } = options;
  const mount = ['mount', '-t', 'ext4', '-o', 'rw,nosuid,nodev,noexec', device, MOUNT_POINT] as const;
  // The ramdisk has no such folder until somebody mounts something.
  await mkdir(reader.hostPath(MOUNT_POINT), { recursive: true });
  await must(reader, mount, COMMAND_MS);
  let failure: unknown;
  try {
    const root = reader.hostPath(MOUNT_POINT);
    const hosts = await readInstalledFile(root, '/etc/hosts');
    for (const file of hostFiles({ ...options, hosts })) await writeInstalledFile(root, file);
  } catch (thrown) {
    failure = thrown;
  }
  await must(reader, ['umount', MOUNT_POINT], UNMOUNT_MS);
  if (failure !== undefined) {
    const message = `settings could not be written to the installed system: ${reasonOf(failure)}; fix the image`;
    throw new InstallFailure('personalisation', message, failure);
  }
}

async function must(
  reader: HostReader,
  argv: readonly [string, ...string[]],
  deadlineMs: number,
): Promise<void> {
  const { code, output } = await reader.run(argv, deadlineMs);
  if (code === 0) return;
  throw new InstallFailure(
    'personalisation',
    `${argv.join(' ')} failed: ${output || `code ${code}`}; is the image's root ext4?`,
  );
}
