/**
 * The boot loaders of the image, taken from Debian packages without installing them: GRUB's BIOS stages, and for UEFI
 * shim and the GRUB that Debian signed, so that the image also boots with Secure Boot on.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { extractPackage, type DebianPackage } from '../debian-packages';
import { runCommand } from '../run-command';
import { ESP_MIB } from './disk-layout';

export const BOOT_LOADER_PACKAGES = [
  'grub-common',
  'grub-pc-bin',
  'grub-efi-amd64-signed',
  'shim-signed',
  'shim-helpers-amd64-signed',
] as const;

/** What the menu needs between the first sector and the kernel; the image carries no folder of GRUB modules. */
const CORE_MODULES = [
  ...[
    'biosdisk',
    'part_gpt',
    'ext2',
    'normal',
    'configfile',
    'linux',
    'probe',
    'test',
    'echo',
    'search',
    'search_label',
  ],
  ...['serial', 'terminal', 'sleep', 'ls', 'cat', 'reboot', 'halt', 'minicmd', 'all_video'],
] as const;

export interface BiosStages {
  readonly bootImg: Uint8Array;
  readonly core: Uint8Array;
}

/** Unpacks the packages into one folder, which the other functions take. */
export async function unpackBootLoaders(packages: readonly DebianPackage[], folder: string): Promise<void> {
  for (const debianPackage of packages) await extractPackage(debianPackage, folder);
}

/** boot.img and a core image whose prefix is on the disk it was started from, partition 3. */
export async function makeBiosStages(folder: string, workDir: string): Promise<BiosStages> {
  const modules = join(folder, 'usr/lib/grub/i386-pc');
  const core = join(workDir, 'core.img');
  const target = ['-O', 'i386-pc', '-d', modules, '-p', '(,gpt3)/boot/grub', '-o', core];
  await runCommand(join(folder, 'usr/bin/grub-mkimage'), [...target, ...CORE_MODULES]);
  return { bootImg: await readFile(join(modules, 'boot.img')), core: await readFile(core) };
}

/** The EFI system partition as a file, filled with mtools: no mount, no root, no vfat in the host's kernel. */
export async function makeEfiPartition(folder: string, workDir: string): Promise<string> {
  const image = join(workDir, 'esp.img');
  await writeFile(image, '');
  await runCommand('truncate', ['-s', `${ESP_MIB}M`, image]);
  await runCommand('mkfs.vfat', ['-F', '32', '-s', '1', '-n', 'LPMOS-EFI', '-i', '4c504d53', image]);
  await runCommand('mmd', ['-i', image, '::EFI', '::EFI/BOOT', '::EFI/debian']);
  const shim = join(folder, 'usr/lib/shim/shimx64.efi.signed');
  const grub = join(folder, 'usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed');
  const copies = [
    [shim, '::EFI/BOOT/BOOTX64.EFI'],
    [grub, '::EFI/BOOT/grubx64.efi'],
    [join(folder, 'usr/lib/shim/mmx64.efi.signed'), '::EFI/BOOT/mmx64.efi'],
    [shim, '::EFI/debian/shimx64.efi'],
    [grub, '::EFI/debian/grubx64.efi'],
    [join(__dirname, 'esp-grub.cfg'), '::EFI/debian/grub.cfg'],
  ] as const;
  for (const [from, to] of copies) await runCommand('mcopy', ['-i', image, from, to]);
  return image;
}
