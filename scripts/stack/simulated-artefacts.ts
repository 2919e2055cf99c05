/**
 * A ramdisk and an image for simulated machines: small, made here in a moment, with true manifests. The simulator reads kernel arguments, site
 * initramfs and image as a real machine would; only what is inside kernel and image does not matter to it.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { encodeCpio } from '@lpmos/netboot';

export interface SimulatedArtefacts {
  readonly ramdiskDir: string;
  readonly imagesDir: string;
}

const KERNEL_BYTES = 64 * 1024;
const INITRAMFS_BYTES = 256 * 1024;

/** @param imageBytes size of the raw image */
export function makeSimulatedArtefacts(options: {
  readonly dir: string;
  readonly imageBytes: number;
}): SimulatedArtefacts {
  const ramdiskDir = join(options.dir, 'ramdisk');
  const imagesDir = join(options.dir, 'images');
  mkdirSync(ramdiskDir, { recursive: true });
  mkdirSync(imagesDir, { recursive: true });
  const kernel = pattern(KERNEL_BYTES, 'kernel');
  const init = {
    kind: 'file',
    name: 'init',
    mode: 0o755,
    content: pattern(INITRAMFS_BYTES, 'initramfs'),
  } as const;
  const initramfs = Buffer.from(encodeCpio([init]));
  writeFileSync(join(ramdiskDir, 'vmlinuz'), kernel);
  writeFileSync(join(ramdiskDir, 'initramfs.img'), initramfs);
  write(ramdiskDir, {
    schema_version: 1,
    kernel_version: 'simulated',
    vmlinuz: facts(kernel),
    initramfs: facts(initramfs),
  });
  const raw = pattern(options.imageBytes, 'image');
  const compressed = gzipSync(raw, { level: 1 });
  writeFileSync(join(imagesDir, 'debian-12.raw.gz'), compressed);
  write(imagesDir, {
    schema_version: 1,
    name: 'debian-12',
    os_type: 'debian',
    os_version: '12',
    architecture: 'x86_64',
    format: 'raw+gzip',
    file: 'debian-12.raw.gz',
    raw_size_bytes: raw.length,
    raw_sha256: sha256(raw),
    compressed_size_bytes: compressed.length,
    compressed_sha256: sha256(compressed),
    firmware: ['bios', 'uefi'],
    root_partition_label: 'lpmos-root',
  });
  return { ramdiskDir, imagesDir };
}

/** Neither constant nor incompressible, and the same each time. */
function pattern(bytes: number, seed: string): Buffer {
  const block = createHash('sha512').update(seed).digest();
  const buffer = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at += block.length * 4) {
    block.writeUInt32LE(at, 0);
    block.copy(buffer, at);
  }
  return buffer;
}

function facts(bytes: Buffer): { readonly sha256: string; readonly size_bytes: number } {
  return { sha256: sha256(bytes), size_bytes: bytes.length };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function write(dir: string, manifest: unknown): void {
  writeFileSync(join(dir, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}
