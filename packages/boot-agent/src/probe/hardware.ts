/**
 * The whole hardware report of this machine, in the form that every reader of it will see: it passes the wire mapping once,
 * so that the digest the agent computes is the digest the region and the control plane compute.
 */
import { LpmosError } from '@lpmos/core';
import type { HardwareReport, MacAddress } from '@lpmos/core';
import { HARDWARE_LIMITS, hardwareFromWire, hardwareToWire } from '@lpmos/proto';
import type { HostReader } from '../host-reader';
import { probeCpu } from './cpu';
import { probeDisks } from './disks';
import { probeMemory } from './memory';
import { probeNics } from './nics';
import { biosOf, probeSystem, readSmbios } from './system';

/** @throws LpmosError `internal` when what was probed is no valid report, naming the fields: a fault of the agent. */
export async function probeHardware(options: {
  readonly reader: HostReader;
  readonly mac: MacAddress;
  readonly nowMs: number;
}): Promise<HardwareReport> {
  const { reader, mac } = options;
  const smbios = await readSmbios(reader);
  const memory = await probeMemory(reader, smbios);
  const reading = hardwareFromWire(
    hardwareToWire({
      mac_address: mac,
      cpu: await probeCpu(reader, smbios),
      memory: { ...memory, dimms: memory.dimms.slice(0, HARDWARE_LIMITS.dimms) },
      disks: await probeDisks(reader),
      network: (await probeNics(reader)).slice(0, HARDWARE_LIMITS.network),
      bios: biosOf(smbios),
      system: await probeSystem(reader, smbios),
      collected_at: new Date(options.nowMs).toISOString(),
    }),
  );
  if ('report' in reading) return reading.report;
  const listed = reading.problems.map(({ path, problem }) => `${path} ${problem}`).join('; ');
  throw new LpmosError({
    code: 'internal',
    message: `the hardware of this machine cannot be described: ${listed}`,
  });
}
