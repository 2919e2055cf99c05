/**
 * Builds the demo image: a small Debian 12 that boots on BIOS and UEFI, with a serial console, SSH by key only and a
 * first-boot check-in, as a gzip file with a manifest that names it by digest.
 * Invariant: a finished folder is complete, because its manifest is written last; a second call with the same inputs
 * does nothing.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { aptState, DEBIAN_CODENAME, hostsOf, publicSources } from '../apt-state';
import { fetchPackages, kernelPackageName, type DebianPackage } from '../debian-packages';
import { digestOfFolder, digestOfInputs, readJsonFile, sha256OfFile } from '../file-digest';
import { BOOT_LOADER_PACKAGES, makeBiosStages, makeEfiPartition, unpackBootLoaders } from './boot-loaders';
import { ROOT_PARTITION_LABEL } from './disk-layout';
import type { ImageManifest } from '@lpmos/core';
import { assembleDiskImage } from './disk-image';
import { buildRootTar } from './root-file-system';

export interface DemoImageOptions {
  /** Receives debian-12.raw.gz and manifest.json. */
  readonly outDir: string;
  readonly onProgress?: (message: string) => void;
  /** Where fetched packages are kept; default: `.cache` of the repository. */
  readonly cacheDir?: string;
}

const DEFAULT_CACHE_DIR = join(__dirname, '..', '..', '.cache');
const FILE = 'debian-12.raw.gz';
/** Kept beside the manifest, whose fields are a contract with the region. */
const STAMP = '.input-digest.json';
/** Level 9 saves 1 % over 6 and takes three times as long. */
const GZIP_LEVEL = 6;

async function inputDigest(packages: readonly DebianPackage[], cacheDir: string): Promise<string> {
  const kernel = await kernelPackageName(cacheDir);
  const scripts = join(__dirname, '..');
  const inputs: Record<string, string> = {
    kernel,
    codename: DEBIAN_CODENAME,
    recipe: await digestOfFolder(__dirname),
    modules: await sha256OfFile(join(scripts, 'ramdisk', 'modules.ts')),
  };
  const overlay = [
    'boot/grub',
    'etc',
    'etc/initramfs-tools/conf.d',
    'etc/initramfs-tools/hooks',
    'etc/repart.d',
    'etc/ssh/sshd_config.d',
  ];
  overlay.push('etc/systemd/network', 'etc/systemd/system', 'usr/lib/lpmos');
  for (const folder of overlay) inputs[folder] = await digestOfFolder(join(__dirname, 'overlay', folder));
  for (const debianPackage of packages) inputs[debianPackage.name] = debianPackage.sha256;
  return digestOfInputs(inputs);
}

async function finishedBuild(outDir: string, digest: string): Promise<ImageManifest | undefined> {
  const stamp = readJsonFile(join(outDir, STAMP)) as { input_digest?: string } | undefined;
  const manifest = readJsonFile(join(outDir, 'manifest.json')) as ImageManifest | undefined;
  if (stamp?.input_digest !== digest || manifest === undefined) return undefined;
  const facts = await stat(join(outDir, manifest.file)).catch(() => undefined);
  return facts?.size === manifest.compressed_size_bytes ? manifest : undefined;
}

/** Compresses and digests both sides in one pass. */
async function compress(from: string, to: string): Promise<{ rawSha256: string; compressedSha256: string }> {
  const raw = createHash('sha256');
  const compressed = createHash('sha256');
  const through = (hash: typeof raw): Transform =>
    new Transform({
      transform(chunk: Buffer, _encoding, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
  const source = createReadStream(from, { highWaterMark: 1024 * 1024 });
  const gzip = createGzip({ level: GZIP_LEVEL });
  await pipeline(source, through(raw), gzip, through(compressed), createWriteStream(to));
  return { rawSha256: raw.digest('hex'), compressedSha256: compressed.digest('hex') };
}

/** Names of this machine and of its mirrors, as far as they are not everybody's. */
async function buildMachineWords(cacheDir: string, workDir: string): Promise<string[]> {
  const { sources } = await aptState(cacheDir);
  // A host called "debian" or "localhost" is no secret and would be found everywhere.
  const host = /\d|-/.test(hostname()) ? [hostname()] : [];
  const everybodys = hostsOf(publicSources());
  const words = [...hostsOf(sources), ...host, workDir].filter((word) => !everybodys.includes(word));
  return [...new Set(words)];
}

async function build(
  options: DemoImageOptions,
  packages: DebianPackage[],
  workDir: string,
): Promise<ImageManifest> {
  const cacheDir = options.cacheDir ?? DEFAULT_CACHE_DIR;
  const report = options.onProgress ?? ((): void => undefined);
  report('image: boot loaders');
  const loaders = join(workDir, 'loaders');
  await unpackBootLoaders(packages, loaders);
  const bios = await makeBiosStages(loaders, workDir);
  const efiPartition = await makeEfiPartition(loaders, workDir);
  report('image: bootstrapping Debian 12 (about a minute)');
  const rootTar = await buildRootTar({ workDir, cacheDir });
  report('image: writing the disk image');
  const forbidden = await buildMachineWords(cacheDir, workDir);
  const disk = await assembleDiskImage({ rootTar, efiPartition, bios, workDir, forbidden });
  report('image: compressing');
  const target = join(workDir, FILE);
  const digests = await compress(disk.path, target);
  return {
    schema_version: 1,
    name: 'debian-12',
    os_type: 'debian',
    os_version: '12',
    architecture: 'x86_64',
    format: 'raw+gzip',
    file: FILE,
    raw_size_bytes: disk.bytes,
    raw_sha256: digests.rawSha256,
    compressed_size_bytes: (await stat(target)).size,
    compressed_sha256: digests.compressedSha256,
    firmware: ['bios', 'uefi'],
    root_partition_label: ROOT_PARTITION_LABEL,
  };
}

/** Builds the image, or finds it built from exactly these inputs before. Returns its manifest. */
export async function buildDemoImage(options: DemoImageOptions): Promise<ImageManifest> {
  const cacheDir = options.cacheDir ?? DEFAULT_CACHE_DIR;
  const packages = await fetchPackages({ names: BOOT_LOADER_PACKAGES, cacheDir });
  const digest = await inputDigest(packages, cacheDir);
  const finished = await finishedBuild(options.outDir, digest);
  if (finished !== undefined) return finished;

  await mkdir(options.outDir, { recursive: true });
  const workDir = await mkdtemp(join(options.outDir, '.build-'));
  try {
    const manifest = await build(options, packages, workDir);
    await rm(join(options.outDir, 'manifest.json'), { force: true });
    await rename(join(workDir, FILE), join(options.outDir, FILE));
    await writeFile(join(options.outDir, STAMP), JSON.stringify({ input_digest: digest }));
    await writeFile(join(workDir, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    await rename(join(workDir, 'manifest.json'), join(options.outDir, 'manifest.json'));
    return manifest;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
