/**
 * Memory: modules as SMBIOS type 17 lists them; their sum is what was bought. Without them MemTotal, which lacks what
 * firmware and kernel keep, rounded up to whole gigabytes. Sizes in GB are binary here, as memory is sold.
 */
import type { Dimm, HardwareReport } from '@lpmos/core';
import type { HostReader } from '../host-reader';
import type { SmbiosFacts } from './smbios';

const MB_PER_GB = 1024;
const KB_PER_GB = 1024 * 1024;

export function memoryOf(smbios: SmbiosFacts, meminfo: string): HardwareReport['memory'] {
  const dimms = smbios.dimms.map(({ slot, sizeMb, type, speedMhz }): Dimm => ({
    slot,
    size_gb: sizeMb / MB_PER_GB,
    type,
    speed_mhz: speedMhz,
  }));
  const sum = dimms.reduce((total, dimm) => total + dimm.size_gb, 0);
  return { total_gb: sum > 0 ? sum : Math.ceil(memTotalKb(meminfo) / KB_PER_GB), dimms };
}

function memTotalKb(meminfo: string): number {
  return Number(/^MemTotal:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? 0);
}

export async function probeMemory(
  reader: HostReader,
  smbios: SmbiosFacts,
): Promise<HardwareReport['memory']> {
  return memoryOf(smbios, (await reader.readFile('/proc/meminfo')) ?? '');
}
