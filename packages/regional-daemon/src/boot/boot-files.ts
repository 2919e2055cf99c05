/**
 * What HTTP boot publishes for the agent: ramdisk and site initramfs under /boot/assets/agent/, images under /images/. Loaders: loaders.ts.
 * Everything that DHCP or a script names comes from the constants here, so that nothing is advertised that is not served.
 */
import { createHash } from 'node:crypto';
import { createDirectoryAssets, createMemoryAssets } from '@lpmos/netboot';
import type { AssetSource } from '@lpmos/netboot';

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
