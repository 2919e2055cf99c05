/**
 * Debian packages as files: fetch a .deb by name, verify it against the signed archive index, unpack it without
 * installing it. Also the lists of packages that must be installed on the host for each step of the build and lab.
 * Invariant: a file handed out has the SHA-256 that apt's verified index names, now or when it was first fetched;
 * with the network away the files of the last run still serve.
 */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { aptState, type AptState } from './apt-state';
import { readJsonFile, sha256OfFile } from './file-digest';
import { runCommand } from './run-command';

export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly sha256: string;
  readonly path: string;
}

interface ArchiveEntry {
  readonly url: string;
  readonly fileName: string;
  readonly sha256: string;
}

const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;

/** Reads what `apt-get download --print-uris` writes, by package name; lines without a SHA-256 are no answer. */
export function parsePrintUris(output: string): Map<string, ArchiveEntry> {
  const entries = new Map<string, ArchiveEntry>();
  for (const [, url, fileName, sha256] of output.matchAll(/^'([^']+)' (\S+) \d+ SHA256:([0-9a-f]{64})$/gm)) {
    if (url === undefined || fileName === undefined || sha256 === undefined) continue;
    entries.set(fileName.split('_')[0] ?? '', { url, fileName, sha256 });
  }
  return entries;
}

function versionOf(fileName: string): string {
  return decodeURIComponent(fileName.split('_')[1] ?? 'unknown');
}

function recordedPackage(name: string, debsDir: string): DebianPackage | undefined {
  const record = readJsonFile(join(debsDir, `${name}.json`)) as Omit<DebianPackage, 'path'> & {
    file?: string;
  };
  if (record?.file === undefined) return undefined;
  return { name, version: record.version, sha256: record.sha256, path: join(debsDir, record.file) };
}

async function hasDigest(path: string, sha256: string): Promise<boolean> {
  return existsSync(path) && (await sha256OfFile(path)) === sha256;
}

async function download(name: string, entry: ArchiveEntry, debsDir: string, apt: AptState): Promise<void> {
  const partial = join(debsDir, `partial-${process.pid}-${name}`);
  await mkdir(partial, { recursive: true });
  try {
    // The sandbox user of apt may not write into a folder of ours; what comes is verified by digest anyway.
    const options = [...apt.options, '-o', 'APT::Sandbox::User=root', '-qq', 'download', name];
    await runCommand('apt-get', options, { cwd: partial, timeoutMs: DOWNLOAD_TIMEOUT_MS });
    const arrived = join(partial, entry.fileName);
    if (!(await hasDigest(arrived, entry.sha256))) {
      throw new Error(`${entry.fileName}: the downloaded bytes do not have the SHA-256 of the archive index`);
    }
    await rename(arrived, join(debsDir, entry.fileName));
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}

async function fetchOne(
  name: string,
  entry: ArchiveEntry | undefined,
  debsDir: string,
  apt: AptState,
): Promise<DebianPackage> {
  const recorded = recordedPackage(name, debsDir);
  if (entry === undefined && recorded === undefined) {
    throw new Error(
      `Debian package ${name} is not known to apt: run apt-get update, with the network connected`,
    );
  }
  if (entry !== undefined) {
    const path = join(debsDir, entry.fileName);
    try {
      if (!(await hasDigest(path, entry.sha256))) await download(name, entry, debsDir, apt);
      const version = versionOf(entry.fileName);
      const record = { version, sha256: entry.sha256, file: entry.fileName };
      await writeFile(join(debsDir, `${name}.json`), JSON.stringify(record));
      return { name, version, sha256: entry.sha256, path };
    } catch (error) {
      if (recorded === undefined) throw error;
    }
  }
  if (recorded !== undefined && (await hasDigest(recorded.path, recorded.sha256))) return recorded;
  throw new Error(`Debian package ${name} could not be fetched and no earlier download of it is intact`);
}

interface Resolution {
  readonly stamp: string;
  readonly entries: Record<string, ArchiveEntry>;
}

/** What apt names for each package. Asked once per state of apt's lists: each question costs it a second. */
async function resolve(
  names: readonly string[],
  debsDir: string,
  apt: AptState,
): Promise<Map<string, ArchiveEntry>> {
  const path = join(debsDir, 'resolved.json');
  const known = readJsonFile(path) as Resolution | undefined;
  const entries = new Map(known?.stamp === apt.stamp ? Object.entries(known.entries) : []);
  const unknown = names.filter((name) => !entries.has(name));
  if (unknown.length === 0) return entries;
  const ask = async (list: readonly string[]): Promise<string> =>
    runCommand('apt-get', [...apt.options, 'download', '--print-uris', ...list]).catch(() => '');
  parsePrintUris(await ask(unknown)).forEach((entry, name) => entries.set(name, entry));
  const resolution: Resolution = { stamp: apt.stamp, entries: Object.fromEntries(entries) };
  await writeFile(path, JSON.stringify(resolution));
  return entries;
}

/** Fetches each package into `cacheDir/debs`; a file that is there with the right digest is not fetched again. */
export async function fetchPackages(options: {
  readonly names: readonly string[];
  readonly cacheDir: string;
}): Promise<DebianPackage[]> {
  const debsDir = join(options.cacheDir, 'debs');
  await mkdir(debsDir, { recursive: true });
  const apt = await aptState(options.cacheDir);
  const entries = await resolve(options.names, debsDir, apt);
  const packages: DebianPackage[] = [];
  for (const name of options.names) packages.push(await fetchOne(name, entries.get(name), debsDir, apt));
  return packages;
}

/** Name of the concrete kernel package behind Debian's `linux-image-amd64`, such as linux-image-6.1.0-56-amd64. */
export async function kernelPackageName(cacheDir: string): Promise<string> {
  const debsDir = join(cacheDir, 'debs');
  const meta = (await fetchPackages({ names: ['linux-image-amd64'], cacheDir }))[0];
  const depends = meta === undefined ? '' : await runCommand('dpkg-deb', ['-f', meta.path, 'Depends']);
  const name = /linux-image-\d[\w.+-]*-amd64/.exec(depends)?.[0];
  if (name === undefined) throw new Error(`linux-image-amd64 in ${debsDir} names no kernel: ${depends}`);
  return name;
}

/** Unpacks the files of a package into a folder (created when absent); nothing of it is run. */
export async function extractPackage(debianPackage: DebianPackage, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await runCommand('dpkg-deb', ['-x', debianPackage.path, folder]);
}
