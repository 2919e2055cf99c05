/**
 * What this region can serve: OS images and the ramdisk, read from their directories by manifest. A file counts only when it is there with
 * the size its manifest names; digests are checked once per file version, off the answer path. Looked at again on a timer, so that an
 * image copied in later is offered without a restart.
 * Files are opened the way HTTP boot opens them, so that nothing is offered that machines cannot fetch.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageManifest } from '@lpmos/core';
import type { OpenAsset } from '@lpmos/netboot';
import { lateDirectory } from '../boot/boot-files';

export interface RamdiskFiles {
  readonly kernelVersion: string;
  readonly files: Readonly<
    Record<'vmlinuz' | 'initramfs.img', { readonly sha256: string; readonly sizeBytes: number }>
  >;
}

export interface Catalogue {
  readonly images: readonly ImageManifest[];
  readonly ramdisk: RamdiskFiles | undefined;
  /** Why something found on disk is not offered, in words. */
  readonly problems: readonly string[];
  /** Reads the directories again; resolves to whether anything changed. */
  refresh(): Promise<boolean>;
}

export interface CatalogueOptions {
  readonly imagesDir: string;
  readonly ramdiskDir: string;
}

interface State {
  readonly images: readonly ImageManifest[];
  readonly ramdisk: RamdiskFiles | undefined;
  readonly problems: readonly string[];
}

/** By path: the validator and wanted digest last looked at, and whether it held; so a gigabyte, good or bad, is hashed once per version. */
type Verified = Map<string, { readonly version: string; readonly good: boolean }>;

const EMPTY: State = { images: [], ramdisk: undefined, problems: ['not read yet'] };
const PIECE_BYTES = 1024 * 1024;
const HEX64 = /^[0-9a-f]{64}$/;

export function createCatalogue(options: CatalogueOptions): Catalogue {
  let state = EMPTY;
  const verified: Verified = new Map();
  return {
    get images() {
      return state.images;
    },
    get ramdisk() {
      return state.ramdisk;
    },
    get problems() {
      return state.problems;
    },
    async refresh() {
      const images = await readImages(options.imagesDir, verified);
      const ramdisk = await readRamdisk(options.ramdiskDir, verified);
      const next: State = {
        images: images.found,
        ramdisk: ramdisk.found,
        problems: [...images.problems, ...ramdisk.problems],
      };
      const changed = JSON.stringify(next) !== JSON.stringify(state);
      state = next;
      return changed;
    },
  };
}

async function readImages(
  directory: string,
  verified: Verified,
): Promise<{ readonly found: ImageManifest[]; readonly problems: string[] }> {
  const found: ImageManifest[] = [];
  const problems: string[] = [];
  for (const name of await namesIn(directory, problems)) {
    if (!name.endsWith('manifest.json')) continue;
    const path = join(directory, name);
    try {
      const manifest = readImageManifest(JSON.parse(await readFile(path, 'utf8')));
      const wanted = { sizeBytes: manifest.compressed_size_bytes, sha256: manifest.compressed_sha256 };
      await verify(directory, manifest.file, wanted, verified);
      found.push(manifest);
    } catch (thrown) {
      problems.push(`image ${path}: ${messageOf(thrown)}`);
    }
  }
  return { found, problems };
}

async function readRamdisk(
  directory: string,
  verified: Verified,
): Promise<{ readonly found: RamdiskFiles | undefined; readonly problems: string[] }> {
  const path = join(directory, 'manifest.json');
  try {
    const manifest: unknown = JSON.parse(await readFile(path, 'utf8'));
    const kernel = fileEntry(manifest, 'vmlinuz');
    const initramfs = fileEntry(manifest, 'initramfs');
    await verify(directory, 'vmlinuz', kernel, verified);
    await verify(directory, 'initramfs.img', initramfs, verified);
    const version = (manifest as Record<string, unknown>)['kernel_version'];
    return {
      found: {
        kernelVersion: String(version ?? 'unknown'),
        files: { vmlinuz: kernel, 'initramfs.img': initramfs },
      },
      problems: [],
    };
  } catch (thrown) {
    return { found: undefined, problems: [`ramdisk ${path}: ${messageOf(thrown)}`] };
  }
}

interface WantedFile {
  readonly sha256: string;
  readonly sizeBytes: number;
}

function fileEntry(manifest: unknown, name: string): WantedFile {
  const entries = manifest as Record<string, { sha256?: unknown; size_bytes?: unknown } | undefined> | null;
  const entry = entries?.[name];
  const sha256 = String(entry?.sha256);
  const sizeBytes = Number(entry?.size_bytes);
  if (!HEX64.test(sha256) || !Number.isSafeInteger(sizeBytes)) {
    throw new Error(`the manifest does not name size and digest of ${name}`);
  }
  return { sha256, sizeBytes };
}

/** The manifest's fields checked one by one: it is a file that people write. */
export function readImageManifest(value: unknown): ImageManifest {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('must be a JSON object');
  const raw = value as Partial<Record<keyof ImageManifest, unknown>>;
  const problems: string[] = [];
  const need = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  const isSize = (size: unknown): boolean => Number.isSafeInteger(size) && Number(size) > 0;
  const isText = (text: unknown): boolean => typeof text === 'string' && text !== '';
  need(raw.schema_version === 1, 'schema_version must be 1');
  need(isText(raw.name), 'name is missing');
  need(isText(raw.os_type) && isText(raw.os_version), 'os_type and os_version are required');
  need(
    raw.architecture === 'x86_64' || raw.architecture === 'aarch64',
    'architecture must be x86_64 or aarch64',
  );
  need(raw.format === 'raw+gzip', 'format must be raw+gzip');
  need(isText(raw.file) && !String(raw.file).includes('/'), 'file must be a name beside the manifest');
  need(
    isSize(raw.raw_size_bytes) && isSize(raw.compressed_size_bytes),
    'sizes must be positive whole numbers',
  );
  need(
    HEX64.test(String(raw.raw_sha256)) && HEX64.test(String(raw.compressed_sha256)),
    'digests must be 64 hex digits',
  );
  need(isText(raw.root_partition_label), 'root_partition_label is missing');
  if (problems.length > 0) throw new Error(problems.join('; '));
  return raw as ImageManifest;
}

async function verify(
  directory: string,
  file: string,
  { sizeBytes, sha256 }: WantedFile,
  verified: Verified,
): Promise<void> {
  const path = join(directory, file);
  const asset = await lateDirectory(directory).open(file);
  if (asset === undefined) {
    throw new Error(
      `${path} is not there or cannot be served: it must be a regular file and no link, with a name of letters, digits and _ + @ : = , ~ . -`,
    );
  }
  try {
    if (asset.sizeBytes !== sizeBytes)
      throw new Error(`${path} has ${asset.sizeBytes} bytes, its manifest says ${sizeBytes}`);
    const version = `${asset.etag} ${sha256}`;
    if (verified.get(path)?.version !== version) {
      const good = (await digestOf(asset)) === sha256;
      verified.set(path, { version, good });
    }
  } finally {
    await asset.close();
  }
  if (verified.get(path)?.good !== true) throw new Error(`${path} does not have the digest of its manifest`);
}

async function digestOf(asset: OpenAsset): Promise<string> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(PIECE_BYTES);
  for (let at = 0; at < asset.sizeBytes; at += PIECE_BYTES) {
    hash.update(buffer.subarray(0, await asset.read(buffer, at)));
  }
  return hash.digest('hex');
}

async function namesIn(directory: string, problems: string[]): Promise<string[]> {
  try {
    return (await readdir(directory)).sort();
  } catch (thrown) {
    problems.push(`directory ${directory}: ${messageOf(thrown)}`);
    return [];
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
