/**
 * The region's loaders with the Secure Boot chain beside iPXE for x86-64 UEFI: on links that have chosen it DHCP names shim, and GRUB is
 * there because shim asks for it. Every other firmware keeps its loader. What the files are and whether they are usable is grub-files.ts.
 */
import { createHash } from 'node:crypto';
import { createMemoryAssets } from '@lpmos/netboot';
import { GRUB_NAME, SHIM_NAME } from './grub-files';
import type { GrubFiles, UefiChain } from './grub-files';
import type { LinkSettings } from './link-settings';
import type { Loaders, OfferedLoaders } from './loaders';

/** @param regionChain for links that have not chosen */
export function withGrubChain(
  loaders: Loaders,
  { shim, grub, transfer }: GrubFiles,
  regionChain: UefiChain,
): Loaders {
  const files = new Map([
    [SHIM_NAME, shim],
    [GRUB_NAME, grub],
  ]);
  const assets = createMemoryAssets(new Map([...files].map(([name, bytes]) => [name, withEtag(bytes)])));
  const { names, httpNames } = loaders.offered();
  const { x64: _ipxe, ...others } = httpNames;
  const signed: OfferedLoaders = {
    names: { ...names, x64: SHIM_NAME },
    // A GRUB that came by HTTP and cannot speak it stops at its prompt; better no loader, with a reason in the boot event.
    httpNames: transfer === 'http' ? { ...others, x64: SHIM_NAME } : others,
  };
  return {
    ...loaders,
    table: {
      get: (name) => {
        const bytes = files.get(name);
        return bytes === undefined ? loaders.table.get(name) : { bytes };
      },
      names: () => [...new Set([...loaders.table.names(), ...files.keys()])],
    },
    assets: { open: (name) => (files.has(name) ? assets : loaders.assets).open(name) },
    offered: (chain = regionChain) => (chain === 'grub' ? signed : { names, httpNames }),
  };
}

interface ChosenChain {
  readonly settings: Pick<LinkSettings, 'name' | 'mode' | 'uefi_chain'>;
  readonly serviceAddress: string;
}

/**
 * GRUB knows the server that leases and nothing of a proxy: it asks for its menu where the lease says. Measured with EDK2, GRUB 2.06 and dnsmasq.
 * @returns what the owner of that server has to set, by link, in words for the health page; whether it is set cannot be seen from here
 */
export function proxyNotices(links: readonly ChosenChain[], regionChain: UefiChain): string[] {
  return links
    .filter(({ settings }) => settings.mode === 'proxy' && (settings.uefi_chain ?? regionChain) === 'grub')
    .map(
      ({ settings, serviceAddress }) =>
        `link ${settings.name}: GRUB asks the server that leases for its menu, not the proxy; that server must name ${serviceAddress} as next server (siaddr), in dnsmasq dhcp-boot=,,${serviceAddress}`,
    );
}

function withEtag(bytes: Uint8Array): { readonly bytes: Uint8Array; readonly etag: string } {
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('hex')}"` };
}
