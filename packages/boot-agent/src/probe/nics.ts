/**
 * Network ports: those with a device behind them (no bridges, bonds, loopback), with MAC, speed, link and driver.
 * Invariant: a port without a unicast MAC address is left out, because nothing could name it.
 */
import { readMacAddress } from '@lpmos/core';
import type { NetworkInterface } from '@lpmos/core';
import type { HostReader } from '../host-reader';

const NET = '/sys/class/net';
/** ARPHRD_ETHER; InfiniBand and others have longer addresses. */
const ETHERNET = '1';

export async function probeNics(reader: HostReader): Promise<NetworkInterface[]> {
  const ports: NetworkInterface[] = [];
  for (const name of await reader.listDir(NET)) {
    const port = await probeNic(reader, name);
    if (port !== undefined) ports.push(port);
  }
  return ports;
}

async function probeNic(reader: HostReader, name: string): Promise<NetworkInterface | undefined> {
  const at = `${NET}/${name}`;
  if (!(await reader.exists(`${at}/device`))) return undefined;
  if (((await reader.readFile(`${at}/type`)) ?? ETHERNET) !== ETHERNET) return undefined;
  const mac = readMacAddress((await reader.readFile(`${at}/address`)) ?? '');
  if (mac === undefined) return undefined;
  const driver = await reader.readLink(`${at}/device/driver`);
  return {
    interface: name,
    mac,
    // Reading speed or carrier of a port that is down fails with EINVAL: unknown and no link.
    speed: speedText(await reader.readFile(`${at}/speed`)),
    link: (await reader.readFile(`${at}/carrier`)) === '1',
    driver: driver?.split('/').at(-1) ?? '',
  };
}

/** Megabits as sysfs writes them; virtio says -1, some drivers 4294967295. */
export function speedText(text: string | undefined): string {
  const megabits = Number(text ?? '');
  if (!Number.isInteger(megabits) || megabits <= 0 || megabits >= 0xffffffff) return 'unknown';
  return megabits >= 1000 ? `${megabits / 1000}Gbps` : `${megabits}Mbps`;
}
