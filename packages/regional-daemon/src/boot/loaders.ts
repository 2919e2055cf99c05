/**
 * The loaders of the region: which file each firmware is given, checked when the daemon starts and held in memory, published under the same
 * name by TFTP and by HTTP. What is advertised comes from the same table, so nothing is named that is not served.
 * A default that is not there leaves its architecture without a loader and is a warning; a file that the site names itself must be there
 * and be of the right kind, or the daemon does not start. All problems are told at once.
 */
import { createHash } from 'node:crypto';
import type { Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, isAbsolute, join } from 'node:path';
import { LpmosError } from '@lpmos/core';
import type { FieldProblem } from '@lpmos/core';
import { createFileTable, createMemoryAssets, LOADER_KEYS, LOADERS_PATH } from '@lpmos/netboot';
import type { AssetSource, FileTable, LoaderKey } from '@lpmos/netboot';
import type { UefiChain } from './grub-files';
import { loaderKindProblem } from './loader-kind';

export type LoaderFiles = Readonly<Partial<Record<LoaderKey, string>>>;

/**
 * What Debian's ipxe package has, in order of preference. snponly before ipxe.efi: it drives any card whose firmware does, by PXE and by
 * HTTP boot, and its `exit 1` comes back to the firmware, which that of bookworm's ipxe.efi does not. ARM64, RISC-V and LoongArch files
 * are in the package from trixie on; for IA32 Debian has none.
 */
const DEFAULTS: Readonly<Partial<Record<LoaderKey, readonly string[]>>> = {
  bios: ['undionly.kpxe'],
  x64: ['snponly.efi', 'ipxe.efi'],
  arm64: ['ipxe-arm64.efi'],
  riscv64: ['ipxe-riscv64.efi'],
  loong64: ['ipxe-loong64.efi'],
};
/** Nearly every hall has these two; their absence is worth a warning, that of the others is not. */
const EXPECTED: readonly LoaderKey[] = ['bios', 'x64'];
/** Loaders have up to a few MB and are held in memory; more is a disk image that somebody took for a loader. */
const MAX_BYTES = 32 * 1024 * 1024;
const NAME = /^[\w+.-]{1,127}$/;

/** What DHCP names. */
export interface OfferedLoaders {
  /** Published name by what the firmware can run; only loaders that are there. */
  readonly names: LoaderFiles;
  /** The same for HTTP boot; a loader that cannot go on by HTTP is not in it. */
  readonly httpNames: LoaderFiles;
}

export interface Loaders {
  readonly table: FileTable;
  /** The same files for HTTP boot. */
  readonly assets: AssetSource;
  /** @param chain what the link has chosen; the region's choice when it has not */
  offered(chain?: UefiChain): OfferedLoaders;
  readonly problems: readonly string[];
}

/** @throws LpmosError `invalid_argument` with every problem of the site's own files */
export async function readLoaders(options: {
  readonly directory: string;
  /** A file in `directory`, or an absolute path. */
  readonly site?: LoaderFiles;
}): Promise<Loaders> {
  const files = new Map<string, Uint8Array>();
  const names: Partial<Record<LoaderKey, string>> = {};
  const problems: string[] = [];
  const wrong: FieldProblem[] = [];
  for (const key of LOADER_KEYS) {
    const own = options.site?.[key];
    if (own === undefined) {
      const found = await defaultLoaders(options.directory, key);
      for (const { name, bytes } of found) files.set(name, bytes);
      if (found[0] !== undefined) names[key] = found[0].name;
      else if (EXPECTED.includes(key)) problems.push(missingDefault(options.directory, key));
      continue;
    }
    const found = await siteLoader({ ...options, key, own });
    const problem = 'problem' in found ? found.problem : nameProblem(files, found);
    if (problem !== undefined) wrong.push({ path: key, problem });
    else if ('name' in found) {
      files.set(found.name, found.bytes);
      names[key] = found.name;
    }
  }
  if (wrong.length > 0) throw refused(wrong);
  const table = createFileTable(Object.fromEntries(files));
  return { table, assets: assetsOf(files), offered: () => ({ names, httpNames: names }), problems };
}

/** @returns the URL of each loader, for HTTP boot */
export function loaderUrls(names: LoaderFiles, baseUrl: string): LoaderFiles {
  const urls = Object.entries(names).map(([key, name]) => [key, `${baseUrl}${LOADERS_PATH}${name}`]);
  return Object.fromEntries(urls);
}

/** LPMOS_LOADERS as it was parsed from JSON. */
export function readLoaderSettings(
  value: unknown,
): { readonly value: LoaderFiles } | { readonly problems: readonly string[] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { problems: ['must be a mapping such as {"arm64": "ipxe-arm64.efi"}'] };
  }
  const problems = Object.entries(value).flatMap(([key, file]) => {
    if (!(LOADER_KEYS as readonly string[]).includes(key))
      return [`${key} is not known; known are ${LOADER_KEYS.join(', ')}`];
    if (
      typeof file === 'string' &&
      NAME.test(basename(file)) &&
      (isAbsolute(file) || basename(file) === file)
    )
      return [];
    return [
      `${key} must be a file name in LPMOS_LOADER_DIR or an absolute path, of letters, digits and _ . + -`,
    ];
  });
  return problems.length > 0 ? { problems } : { value };
}

interface LoaderFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** All that are there are published, because a site's own DHCP server may name any; the first is the one that we name. */
async function defaultLoaders(directory: string, key: LoaderKey): Promise<readonly LoaderFile[]> {
  const found: LoaderFile[] = [];
  for (const name of DEFAULTS[key] ?? []) {
    const bytes = await readFile(join(directory, name)).catch(() => undefined);
    if (bytes !== undefined && loaderKindProblem(key, bytes) === undefined) found.push({ name, bytes });
  }
  return found;
}

function missingDefault(directory: string, key: LoaderKey): string {
  const candidates = DEFAULTS[key]?.join(', ') ?? '';
  return `no loader for ${key} firmware: none of ${candidates} is whole in ${directory}; install the Debian package ipxe or set LPMOS_LOADERS`;
}

/** Two files of one name would be one file to the firmware. */
function nameProblem(
  files: ReadonlyMap<string, Uint8Array>,
  { name, bytes }: LoaderFile,
): string | undefined {
  const taken = files.get(name);
  if (taken === undefined || Buffer.from(taken).equals(bytes)) return undefined;
  return `${name} is the name of another loader too; rename one of the files`;
}

async function siteLoader(options: {
  readonly directory: string;
  readonly key: LoaderKey;
  readonly own: string;
}): Promise<LoaderFile | { readonly problem: string }> {
  const path = isAbsolute(options.own) ? options.own : join(options.directory, options.own);
  try {
    const problem = fileProblem(await stat(path));
    if (problem !== undefined) return { problem: `${path} ${problem}` };
    const bytes = await readFile(path);
    const kind = loaderKindProblem(options.key, bytes);
    return kind === undefined ? { name: basename(path), bytes } : { problem: `${path} ${kind}` };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT')
      return { problem: `${path} does not exist; put the loader there or correct the name` };
    return { problem: `${path} cannot be read: ${message}` };
  }
}

function fileProblem(found: Stats): string | undefined {
  if (!found.isFile()) return 'is no regular file; name the loader itself';
  return found.size > MAX_BYTES ? `has ${found.size} bytes, which no loader has` : undefined;
}

function assetsOf(files: ReadonlyMap<string, Uint8Array>): AssetSource {
  const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
  return createMemoryAssets(
    new Map([...files].map(([name, bytes]) => [name, { bytes, etag: `"${digest(bytes)}"` }])),
  );
}

function refused(fields: readonly FieldProblem[]): LpmosError {
  const told = fields.map(({ path, problem }) => `${path}: ${problem}`).join('; ');
  return new LpmosError({ code: 'invalid_argument', message: `LPMOS_LOADERS: ${told}`, fields });
}
