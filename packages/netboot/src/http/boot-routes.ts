/**
 * The URL map of HTTP boot, and what a script request says about its machine: pure tables and readers.
 * boot-menu.ts answers script requests, asset-answer.ts and download.ts the files.
 */
import { readMacAddress, type MacAddress } from '@lpmos/core';

export const MENU_PATH = '/boot/menu.ipxe';
export const ASSETS_PATH = '/boot/assets/';
export const IMAGES_PATH = '/images/';
/** The loaders of UEFI HTTP boot. */
export const LOADERS_PATH = '/boot/loaders/';

export type BootRoute =
  | { readonly kind: 'menu' }
  | { readonly kind: 'file'; readonly source: 'assets' | 'images' | 'loaders'; readonly name: string }
  /** What GRUB asks for, at the root wherever it was loaded from. `name` has the `grub/` in front. */
  | { readonly kind: 'grub'; readonly name: string }
  | { readonly kind: 'not-found' };

export interface BootMachine {
  readonly mac: MacAddress;
  /** Lower case. Absent when the firmware has none or sent something else. */
  readonly uuid?: string;
  /** Untrusted text of SMBIOS: printable ASCII, at most 64 characters. */
  readonly serial?: string;
  /** The card that iPXE says it uses; differs from `mac` when somebody copied the URL, or a chain changed the card. */
  readonly nic?: MacAddress;
  /** iPXE's `${platform}`. */
  readonly platform?: 'efi' | 'pcbios';
  /** iPXE's `${buildarch}`, such as `x86_64` or `arm64`; `i386` on every BIOS. */
  readonly architecture?: string;
}

/** @param segments the decoded path of a request. */
export function findRoute(segments: readonly string[]): BootRoute {
  const [first, second, ...rest] = segments;
  if (first === 'images' && second !== undefined) {
    return { kind: 'file', source: 'images', name: [second, ...rest].join('/') };
  }
  if (first === 'grub' && second !== undefined) return { kind: 'grub', name: segments.join('/') };
  if (first !== 'boot') return { kind: 'not-found' };
  if (second === 'menu.ipxe' && rest.length === 0) return { kind: 'menu' };
  if ((second === 'assets' || second === 'loaders') && rest.length > 0) {
    return { kind: 'file', source: second, name: rest.join('/') };
  }
  return { kind: 'not-found' };
}

/** The machine that asks, or what is wrong with its words. Everything but the MAC address is a hint only. */
export function readBootMachine(
  query: ReadonlyMap<string, string>,
): { readonly machine: BootMachine } | { readonly problem: string } {
  const text = query.get('mac');
  if (text === undefined || text === '') {
    return {
      problem: 'the request names no machine: "mac" is missing (the loader should ask with its own address)',
    };
  }
  const mac = readMacAddress(text);
  if (mac === undefined) {
    return {
      problem: `"mac" is ${text.slice(0, 40)}, which is no unicast MAC address such as 00:1a:2b:3c:4d:5e`,
    };
  }
  const uuid = query.get('uuid')?.toLowerCase();
  const serial = query.get('serial');
  const platform = query.get('platform');
  const architecture = query.get('arch');
  const nic = readMacAddress(query.get('nic') ?? '');
  return {
    machine: {
      mac,
      ...(uuid !== undefined && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(uuid) ? { uuid } : {}),
      ...(serial !== undefined && /^[\x20-\x7e]{1,64}$/.test(serial) ? { serial } : {}),
      ...(nic === undefined ? {} : { nic }),
      ...(platform === 'efi' || platform === 'pcbios' ? { platform } : {}),
      ...(architecture !== undefined && /^[a-z0-9_]{1,16}$/.test(architecture) ? { architecture } : {}),
    },
  };
}
