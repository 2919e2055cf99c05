/**
 * The signed loaders for a Secure Boot machine of the lab: Debian 12's shim and network GRUB, out of their packages, never installed on the
 * host, where the packages' own scripts may touch the boot loader; and on a host that is no Debian they are signed by another vendor,
 * whose shim refuses Debian's kernel.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { extractPackage, fetchPackages } from '../debian-packages';

export interface SecureBootLoaders {
  readonly shim: string;
  readonly grub: string;
}

const DEFAULT_CACHE_DIR = join(__dirname, '..', '..', '.cache');
const PACKAGES = ['shim-signed', 'grub-efi-amd64-signed'] as const;

/** Needs the network when the packages are not in the cache yet. */
export async function secureBootLoaders(cacheDir = DEFAULT_CACHE_DIR): Promise<SecureBootLoaders> {
  const packages = await fetchPackages({ names: PACKAGES, cacheDir });
  const parent = join(cacheDir, 'secure-boot');
  const folder = join(parent, packages.map(({ sha256 }) => sha256.slice(0, 12)).join('-'));
  if (!existsSync(folder)) {
    await mkdir(parent, { recursive: true });
    const fresh = await mkdtemp(join(parent, 'new-'));
    for (const one of packages) await extractPackage(one, fresh);
    // Another run may have been faster; its files are the same.
    await rename(fresh, folder).catch(() => rm(fresh, { recursive: true, force: true }));
  }
  return {
    shim: join(folder, 'usr/lib/shim/shimx64.efi.signed'),
    grub: join(folder, 'usr/lib/grub/x86_64-efi-signed/grubnetx64.efi.signed'),
  };
}
