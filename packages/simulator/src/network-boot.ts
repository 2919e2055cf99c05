/**
 * The part of a boot that happens on the wire before a kernel runs: lease, loader by TFTP when the ROM is no iPXE, a lease again
 * for the loaded iPXE, then its script. Joins the clients; decides only what a ROM decides.
 */
import type { IpxeSettings } from '@lpmos/netboot';
import type { BootOptions } from './boot';
import { obtainLease } from './dhcp-exchange';
import type { DhcpLease } from './dhcp-client';
import { runIpxe } from './ipxe-client';
import type { IpxeOutcome } from './ipxe-client';
import { downloadByTftp } from './tftp-client';

const TFTP_PORT = 69;
/** EDK2 asks for windows (RFC 7440), PC ROMs do not know them. */
const TFTP_WISHES = {
  bios: { blksize: 1456, windowsize: 1 },
  uefi: { blksize: 1468, windowsize: 4 },
} as const;

type Failed = Extract<IpxeOutcome, { kind: 'failed' }>;

/** @throws the signal's reason when power goes. */
export async function networkBoot(options: BootOptions): Promise<IpxeOutcome> {
  if (options.rom === 'pxe') {
    const failed = await loadLoader(options);
    if (failed !== undefined) return failed;
  }
  const lease = await lease4(options, 'ipxe');
  if ('kind' in lease) return lease;
  if (!/^https?:\/\//.test(lease.bootFile)) {
    return {
      kind: 'failed',
      reason: `iPXE was offered ${JSON.stringify(lease.bootFile)}, which is no script URL`,
    };
  }
  await options.at('script-run');
  return runIpxe({
    scriptUrl: lease.bootFile,
    settings: settingsOf(options, lease),
    clientAddress: options.network.clientAddress,
    timeScale: options.timeScale,
    signal: options.signal,
    isDiskBootable: () => options.machine.disk.system() !== undefined,
    tell: (detail, data) => options.log({ stage: 'script', detail, ...(data === undefined ? {} : { data }) }),
  });
}

async function loadLoader(options: BootOptions): Promise<Failed | undefined> {
  const { log, network } = options;
  const lease = await lease4(options, 'pxe');
  if ('kind' in lease) return lease;
  if (lease.bootFile === '') return { kind: 'failed', reason: 'DHCP named no boot file' };
  const result = await downloadByTftp({
    server: { address: lease.nextServer, port: network.tftpPort ?? TFTP_PORT },
    clientAddress: network.clientAddress,
    filename: lease.bootFile,
    ...TFTP_WISHES[options.firmware],
    timeScale: options.timeScale,
    signal: options.signal,
  });
  if ('failure' in result) {
    return { kind: 'failed', reason: `TFTP ${lease.nextServer} ${lease.bootFile}: ${result.failure}` };
  }
  log({ stage: 'loader', detail: `loaded ${lease.bootFile}`, data: { ...result } });
  await options.at('loader-loaded');
  return undefined;
}

async function lease4(options: BootOptions, program: 'pxe' | 'ipxe'): Promise<DhcpLease | Failed> {
  const { machine, log } = options;
  log({ stage: 'dhcp', detail: `${program} asks` });
  await options.at('dhcp-start');
  const result = await obtainLease({
    client: { program, firmware: options.firmware, mac: machine.mac, uuid: machine.hardware().system.uuid },
    xid: options.random.below(2 ** 32),
    relay: options.relay,
    server: options.network.dhcpServer,
    timeScale: options.timeScale,
    signal: options.signal,
    onOffer: (address) => log({ stage: 'dhcp', detail: `offered ${address}` }),
  });
  if ('failure' in result) return { kind: 'failed', reason: result.failure };
  const { lease } = result;
  log({ stage: 'dhcp', detail: `bound ${lease.address}, boot file ${JSON.stringify(lease.bootFile)}` });
  await options.at('dhcp-bound');
  return lease;
}

/** The settings that scripts of the house read, under the names that iPXE gives them. */
function settingsOf(options: BootOptions, lease: DhcpLease): IpxeSettings {
  const { machine, firmware } = options;
  const { system } = machine.hardware();
  const perNic = { mac: machine.mac, ip: lease.address };
  return new Map([
    ...Object.entries(perNic).flatMap(([name, value]): [string, string][] => [
      [name, value],
      [`net0/${name}`, value],
      [`netX/${name}`, value],
    ]),
    ['next-server', lease.nextServer],
    ['filename', lease.bootFile],
    ['hostname', lease.hostname],
    ['uuid', system.uuid],
    ['serial', system.service_tag],
    ['manufacturer', system.manufacturer],
    ['product', system.product],
    ['asset', system.asset_tag],
    ['platform', firmware === 'uefi' ? 'efi' : 'pcbios'],
    ['buildarch', firmware === 'uefi' ? 'x86_64' : 'i386'],
  ]);
}
