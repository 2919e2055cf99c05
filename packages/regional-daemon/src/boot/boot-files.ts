/**
 * What the boot servers publish: ramdisk and site initramfs under /boot/assets/agent/, images under /images/, loaders by TFTP.
 * Everything that DHCP or a script names comes from the constants here, so that nothing is advertised that is not served.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDirectoryAssets, createFileTable, createMemoryAssets } from '@lpmos/netboot';
import type { AssetSource, FileTable } from '@lpmos/netboot';

export const AGENT_FOLDER = 'agent';
export const KERNEL_FILE = 'vmlinuz';
export const INITRAMFS_FILE = 'initramfs.img';
export const SITE_FILE = 'site.img';

/** Assets of the boot agent: two files of the ramdisk directory, and the site initramfs from memory. */
export function agentAssets(options: {
  readonly ramdiskDir: string;
  readonly siteInitramfs: Uint8Array;
}): AssetSource {
  const { ramdiskDir, siteInitramfs } = options;
  const etag = `"${createHash('sha256').update(siteInitramfs).digest('hex')}"`;
  const site = createMemoryAssets(new Map([[SITE_FILE, { bytes: siteInitramfs, etag }]]));
  const ramdisk = lateDirectory(ramdiskDir);
  return {
    async open(name) {
      const [folder, file, ...rest] = name.split('/');
      if (folder !== AGENT_FOLDER || file === undefined || rest.length > 0) return undefined;
      if (file === SITE_FILE) return site.open(file);
      return file === KERNEL_FILE || file === INITRAMFS_FILE ? ramdisk.open(file) : undefined;
    },
  };
}

/** A folder that may come into being after the start; until then nothing is published from it. */
export function lateDirectory(root: string): AssetSource {
  let source: AssetSource | undefined;
  return {
    async open(name) {
      source ??= await createDirectoryAssets({ root }).catch(() => undefined);
      return source?.open(name);
    },
  };
}

/** Which loader a firmware is given, in order of preference: snponly drives any NIC whose firmware does. */
const LOADERS = {
  bios: ['undionly.kpxe'],
  x64: ['snponly.efi', 'ipxe.efi'],
} as const;

export interface Loaders {
  readonly table: FileTable;
  /** TFTP name by what the firmware can run; only loaders that are there. */
  readonly names: Partial<Record<keyof typeof LOADERS, string>>;
  readonly problems: readonly string[];
}

export async function readLoaders(directory: string): Promise<Loaders> {
  const files: Record<string, Uint8Array> = {};
  const names: Loaders['names'] = {};
  const problems: string[] = [];
  for (const [firmware, candidates] of Object.entries(LOADERS)) {
    for (const name of candidates) {
      const bytes = await readFile(join(directory, name)).catch(() => undefined);
      if (bytes === undefined) continue;
      files[name] = bytes;
      names[firmware as keyof typeof LOADERS] ??= name;
    }
    if (names[firmware as keyof typeof LOADERS] === undefined) {
      problems.push(
        `no loader for ${firmware} firmware: none of ${candidates.join(', ')} is in ${directory}`,
      );
    }
  }
  return { table: createFileTable(files), names, problems };
}
