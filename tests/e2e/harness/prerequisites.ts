/** What the lab needs of this host, checked before a test begins: a reason in words when something is missing, with the fix. */
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkNamespace } from '../../../scripts/lab/namespace';

/** Program and the Debian package that has it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  ip: 'iproute2',
  dnsmasq: 'dnsmasq-base',
  etcd: 'etcd-server',
  nft: 'nftables',
  openssl: 'openssl',
  'qemu-system-x86_64': 'qemu-system-x86',
  sfdisk: 'fdisk',
  'mkfs.ext4': 'e2fsprogs',
  e2fsck: 'e2fsprogs',
  debugfs: 'e2fsprogs',
};
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export function missingForLab(): string | undefined {
  const missing = Object.keys(PROGRAMS).filter((program) => !isInstalled(program));
  if (missing.length > 0) {
    const packages = [...new Set(missing.map((program) => PROGRAMS[program]))].join(' ');
    return `no ${missing.join(', ')} on this host; as root: apt-get install ${packages}`;
  }
  return checkNamespace();
}

/** OVMF with Secure Boot, and its variables with Microsoft's keys. */
const SECURE_BOOT_FIRMWARE = [
  '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd',
  '/usr/share/OVMF/OVMF_VARS_4M.ms.fd',
];

export function missingForSecureBoot(): string | undefined {
  const missing = SECURE_BOOT_FIRMWARE.filter((file) => !existsSync(file));
  return missing.length === 0
    ? undefined
    : `no ${missing.join(', ')} on this host; as root: apt-get install ovmf`;
}

function isInstalled(program: string): boolean {
  return FOLDERS.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
