/** What the lab needs of this host, checked before a test begins: a reason in words when something is missing, with the fix. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { checkNamespace } from '../../../scripts/lab/namespace';

/** Program and the Debian package that has it. */
const PROGRAMS: Readonly<Record<string, string>> = {
  unshare: 'util-linux',
  ip: 'iproute2',
  dnsmasq: 'dnsmasq-base',
  etcd: 'etcd-server',
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
