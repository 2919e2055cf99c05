/** What a real machine boots and installs: ramdisk and demo image, built once and kept in .cache until their inputs change. */
import { join } from 'node:path';
import { programPath } from '../build';
import { buildDemoImage } from '../image/build';
import { buildRamdisk } from '../ramdisk/build';
import type { Steps } from './steps';

export interface MachineArtefacts {
  readonly ramdiskDir: string;
  readonly imagesDir: string;
  readonly kernel: string;
}

const CACHE = join(__dirname, '..', '..', '.cache');

export async function buildMachineArtefacts(steps: Steps): Promise<MachineArtefacts> {
  const ramdiskDir = join(CACHE, 'ramdisk');
  const imagesDir = join(CACHE, 'images');
  const onProgress = (text: string): void => steps.note(text);
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
  steps.begin('the ramdisk with the boot agent (built once)');
  const ramdisk = await buildRamdisk({
    agentBundle: programPath('lpmos-boot-agent'),
    outDir: ramdiskDir,
    onProgress,
  });
  steps.end(`kernel and initramfs ${megabytes(ramdisk.vmlinuz.size_bytes + ramdisk.initramfs.size_bytes)}`);
  steps.begin('the Debian image to install (built once, takes minutes)');
  const image = await buildDemoImage({ outDir: imagesDir, onProgress });
  steps.end(
    `${megabytes(image.compressed_size_bytes)} compressed, ${megabytes(image.raw_size_bytes)} on disk`,
  );
  return { ramdiskDir, imagesDir, kernel: join(ramdiskDir, 'vmlinuz') };
}
