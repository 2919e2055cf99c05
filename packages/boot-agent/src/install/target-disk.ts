/**
 * The disk under installation: opened for this process alone, checked once more, written at offsets, read back.
 * Which disk it is was decided by the grant (verify-grant.ts); what is written by write-image.ts and gpt-repair.ts.
 * Invariant: a disk that is mounted, held by a volume or has another size than approved is refused before the first write.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Disk } from '@lpmos/core';
import type { HostReader } from '../host-reader';
import { logicalSectorSize, sizeOfBlockDevice } from '../probe/disks';
import { InstallFailure, reasonOf } from './failure';

export interface TargetDisk {
  readonly device: string;
  readonly sizeBytes: number;
  /** True from the first byte that went out. */
  readonly touched: () => boolean;
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Fills `into` from `offset`; fewer bytes only at the end of the disk. */
  read(into: Uint8Array, offset: number): Promise<number>;
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** What images are laid out for; a 4Kn disk would find no partition table at byte 512. */
export const IMAGE_SECTOR_BYTES = 512;

/** @throws InstallFailure `disk_refused`; nothing was written then. */
export async function openTargetDisk(options: {
  readonly reader: HostReader;
  readonly disk: Disk;
  readonly neededBytes: number;
}): Promise<TargetDisk> {
  const { reader, disk } = options;
  const problem = await problemOfDisk(options);
  if (problem !== undefined) {
    throw new InstallFailure(
      'disk_refused',
      `${disk.device} (serial ${disk.serial}) ${problem}. Nothing was written.`,
    );
  }
  try {
    // O_EXCL without O_CREAT on a block device: the kernel refuses when it, or a partition of it, is mounted or held.
    const handle = await open(reader.hostPath(disk.device), constants.O_RDWR | constants.O_EXCL);
    return targetDisk(handle, disk);
  } catch (thrown) {
    const message = `${disk.device} cannot be opened for writing (${reasonOf(thrown)}); is it in use? Nothing was written.`;
    throw new InstallFailure('disk_refused', message, thrown);
  }
}

async function problemOfDisk(options: {
  readonly reader: HostReader;
  readonly disk: Disk;
  readonly neededBytes: number;
}): Promise<string | undefined> {
  const { reader, disk, neededBytes } = options;
  const name = disk.device.replace('/dev/', '');
  const sizeBytes = await sizeOfBlockDevice(reader, name);
  if (sizeBytes !== disk.size_bytes)
    return `has ${sizeBytes} bytes now, approved were ${disk.size_bytes}; approve again`;
  if (sizeBytes < neededBytes) return `is smaller than the image (${neededBytes} bytes); use a larger disk`;
  if ((await logicalSectorSize(reader, name)) !== IMAGE_SECTOR_BYTES) {
    return 'has sectors of 4096 bytes, the image is laid out for 512; use another disk or format it to 512';
  }
  if ((await reader.readFile(`/sys/block/${name}/ro`)) === '1') return 'is write-protected';
  const mounts = (await reader.readFile('/proc/mounts')) ?? '';
  // /dev/sda and /dev/sda1, but not /dev/sdaa.
  const mounted = mounts.split('\n').find((line) => /^(?:p?\d+)? /.test(lineAfter(line, disk.device)));
  if (mounted !== undefined) return `is mounted (${mounted.split(' ').slice(0, 2).join(' at ')}); unmount it`;
  const holders = await reader.listDir(`/sys/block/${name}/holders`);
  return holders.length > 0 ? `is held by ${holders.join(', ')}; stop that volume first` : undefined;
}

const lineAfter = (line: string, prefix: string): string =>
  line.startsWith(prefix) ? line.slice(prefix.length) : 'another device';

function targetDisk(handle: FileHandle, disk: Disk): TargetDisk {
  let touched = false;
  const failed = (what: string, thrown: unknown): InstallFailure =>
    new InstallFailure(
      'disk_write',
      `${disk.device} (serial ${disk.serial}): ${what} failed (${reasonOf(thrown)}); check cabling, replace the disk`,
      thrown,
    );
  return {
    device: disk.device,
    sizeBytes: disk.size_bytes,
    touched: () => touched,
    async write(bytes, offset) {
      touched = true;
      try {
        for (let done = 0; done < bytes.length;) {
          const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
          if (bytesWritten === 0) throw new Error('the disk takes no more bytes');
          done += bytesWritten;
        }
      } catch (thrown) {
        throw failed(`writing at byte ${offset}`, thrown);
      }
    },
    async read(into, offset) {
      try {
        let done = 0;
        while (done < into.length) {
          const { bytesRead } = await handle.read(into, done, into.length - done, offset + done);
          if (bytesRead === 0) break;
          done += bytesRead;
        }
        return done;
      } catch (thrown) {
        throw failed(`reading at byte ${offset}`, thrown);
      }
    },
    flush: async () => {
      await handle.sync().catch((thrown: unknown) => {
        throw failed('flushing', thrown);
      });
    },
    close: async () => {
      await handle.close();
    },
  };
}
