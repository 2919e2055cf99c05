/**
 * What an installed machine is told about itself, as files: host name, hosts line, SSH keys, network, first-boot check-in. Pure.
 * How they get there is personalise.ts; what reads check-in.json is a service of the image.
 */
import type { MacAddress, TaskId } from '@lpmos/core';
import type { HostOrder } from './install-order';
import type { InstalledFile } from './installed-tree';

export interface HostFacts {
  readonly settings: HostOrder;
  readonly mac: MacAddress;
  readonly taskId: TaskId;
  /** PEM of the region CA, for the check-in. */
  readonly caPem: string;
  /** /etc/hosts of the image, if it has one. */
  readonly hosts: string | undefined;
}

const CA_FILE = '/etc/lpmos/ca.pem';
const DEFAULT_HOSTS = '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n';

export function hostFiles(facts: HostFacts): InstalledFile[] {
  const { settings, mac } = facts;
  const files: InstalledFile[] = [
    { path: '/etc/hostname', mode: 0o644, content: `${settings.hostname}\n` },
    { path: '/etc/hosts', mode: 0o644, content: hostsText(facts.hosts, settings.hostname) },
    { path: '/etc/systemd/network/10-lpmos.network', mode: 0o644, content: networkText(mac) },
    { path: CA_FILE, mode: 0o644, content: facts.caPem },
  ];
  if (settings.sshAuthorizedKeys.length > 0) {
    const content = `${settings.sshAuthorizedKeys.join('\n')}\n`;
    files.push({ path: '/root/.ssh/authorized_keys', mode: 0o600, content, directoryMode: 0o700 });
  }
  if (settings.checkIn !== undefined) files.push(checkInFile(facts, settings.checkIn));
  return files;
}

/** Debian's convention: the machine's own name is 127.0.1.1. */
function hostsText(before: string | undefined, hostname: string): string {
  const kept = (before ?? DEFAULT_HOSTS).split('\n').filter((line) => !/^127\.0\.1\.1\s/.test(line));
  while (kept.at(-1) === '') kept.pop();
  const [short] = hostname.split('.');
  const names = short === hostname || short === undefined ? hostname : `${hostname} ${short}`;
  return [...kept, `127.0.1.1\t${names}`, ''].join('\n');
}

/** The port that booted, whatever the kernel calls it; its MAC as client id, so that a reservation fits it as it fitted firmware. */
function networkText(mac: MacAddress): string {
  return `[Match]\nMACAddress=${mac}\n\n[Network]\nDHCP=yes\n\n[DHCPv4]\nClientIdentifier=mac\n`;
}

function checkInFile(facts: HostFacts, checkIn: NonNullable<HostOrder['checkIn']>): InstalledFile {
  const document = {
    url: checkIn.url,
    ...(checkIn.partnerUrl === undefined ? {} : { partner_url: checkIn.partnerUrl }),
    ca_file: CA_FILE,
    tls_server_name: checkIn.tlsServerName,
    token: checkIn.token,
    mac_address: facts.mac,
    task_id: facts.taskId,
  };
  return { path: '/etc/lpmos/check-in.json', mode: 0o600, content: `${JSON.stringify(document, null, 2)}\n` };
}
