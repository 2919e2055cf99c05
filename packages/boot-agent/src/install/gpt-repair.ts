/**
 * An image is smaller than the disk, so its backup partition table stands in the middle: moved to the end here, with both headers
 * made right. Firmware that finds no backup at the end calls the disk damaged. UEFI specification 5.3.2.
 * Invariant: only blocks of the table are written, backup before primary.
 */
import { readGptAt, spanDisk, spanProtectiveMbr } from '../disk/gpt';
import type { Gpt } from '../disk/gpt';
import { InstallFailure } from './failure';
import { IMAGE_SECTOR_BYTES } from './target-disk';
import type { TargetDisk } from './target-disk';

/** The table of the image as it now stands on the disk. @throws InstallFailure `personalisation` when the image has none. */
export async function spanGptOverDisk(target: TargetDisk): Promise<Gpt> {
  const readAt = async (offset: number, length: number): Promise<Uint8Array> => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, await target.read(bytes, offset));
  };
  const gpt = await readGptAt(readAt, 1, IMAGE_SECTOR_BYTES);
  if (gpt === undefined) {
    throw new InstallFailure('personalisation', 'the image has no valid GPT; publish an image with one');
  }
  for (const { offset, bytes } of spanDisk(gpt, target.sizeBytes)) await target.write(bytes, offset);
  const mbr = spanProtectiveMbr(await readAt(0, IMAGE_SECTOR_BYTES), target.sizeBytes, IMAGE_SECTOR_BYTES);
  if (mbr !== undefined) await target.write(mbr, 0);
  await target.flush();
  return gpt;
}
