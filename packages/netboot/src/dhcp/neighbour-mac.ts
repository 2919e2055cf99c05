/**
 * The MAC behind an IPv4 address of a link, from the kernel's neighbour table (Linux). A look-up for reports, never for decisions:
 * the table is filled by whoever answers ARP. Asks nobody on the network.
 */
import type { MacAddress } from '@lpmos/core';
import { readMacAddress } from '@lpmos/core';
import { readFile } from 'node:fs/promises';

const NEIGHBOUR_TABLE = '/proc/net/arp';
const UNRESOLVED = '00:00:00:00:00:00';

/** Undefined when the kernel does not know it, or where there is no such table. */
export async function neighbourMac(address: string): Promise<MacAddress | undefined> {
  const table = await readFile(NEIGHBOUR_TABLE, 'latin1').catch(() => '');
  return macInTable(table, address);
}

/** Columns: IP address, HW type, Flags, HW address, Mask, Device. */
export function macInTable(table: string, address: string): MacAddress | undefined {
  for (const line of table.split('\n').slice(1)) {
    const [ip, , , mac] = line.trim().split(/\s+/);
    if (ip === address && mac !== undefined && mac !== UNRESOLVED) return readMacAddress(mac);
  }
  return undefined;
}
