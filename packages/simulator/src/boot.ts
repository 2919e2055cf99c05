/**
 * One boot: firmware → DHCP → loader → script → kernel → agent, or the disk. Firmware goes on with the disk when the network has
 * nothing for it, as the boot order "network, disk" does. Ends with a reboot to make or with the outcome of the life.
 */
import { readSiteFiles } from './site-files';
import type { SiteFiles } from './site-files';
import { runAgent } from './agent';
import type { AgentOptions } from './agent';
import { bootDisk } from './disk-boot';
import { readKernelArguments } from './kernel-arguments';
import { networkBoot } from './network-boot';
import type { IpxeOutcome } from './ipxe-client';
import type { MachinePoint } from './machine-points';
import type { Machine, MachineEvent, MachineNetwork, OutcomeKind } from './machine-types';
import type { RelaySocket } from './relay-socket';
import type { SeededRandom } from './seeded-random';
import type { Clock, HardwareReport } from '@lpmos/core';

export interface BootOptions {
  readonly machine: Machine;
  readonly relay: RelaySocket;
  readonly network: MachineNetwork;
  readonly firmware: 'bios' | 'uefi';
  readonly rom: 'pxe' | 'ipxe';
  readonly clock: Clock;
  readonly random: SeededRandom;
  readonly timeScale: number;
  readonly signal: AbortSignal;
  readonly collectHardware: () => HardwareReport;
  readonly onSession: NonNullable<AgentOptions['onSession']>;
  readonly at: (point: MachinePoint) => Promise<void>;
  readonly log: (event: Omit<MachineEvent, 'at' | 'boot'>) => void;
}

export type BootEnd =
  | { readonly kind: 'reboot'; readonly reason: string }
  | { readonly kind: OutcomeKind; readonly detail: string };

/** @throws the signal's reason when power goes. */
export async function bootOnce(options: BootOptions): Promise<BootEnd> {
  const { log, at } = options;
  const { system } = options.machine.hardware();
  log({ stage: 'firmware', detail: `${system.manufacturer} ${system.product} ${system.firmware}` });
  await at('firmware');
  const result = await networkBoot(options);
  switch (result.kind) {
    case 'kernel':
      return startKernel(options, result);
    case 'reboot':
      return { kind: 'reboot', reason: 'the script said so' };
    case 'failed':
      log({ stage: 'firmware', detail: `no network boot: ${result.reason}; next device` });
      return bootDisk(options);
    case 'disk':
      log({ stage: 'firmware', detail: `the script says local disk (${result.how})` });
      return bootDisk(options);
  }
}

async function startKernel(
  options: BootOptions,
  kernel: Extract<IpxeOutcome, { kind: 'kernel' }>,
): Promise<BootEnd> {
  const { log, at, signal } = options;
  log({
    stage: 'kernel',
    detail: 'starts',
    data: { bytes: kernel.kernelBytes, initrds: kernel.initrds.length },
  });
  await at('kernel-loaded');
  const reading = readKernelArguments(kernel.commandLine);
  if ('problems' in reading) return stuck(options, `no agent of ours: ${reading.problems.join('; ')}`);
  const site = readSite(kernel.initrds);
  if ('problem' in site) return stuck(options, site.problem);
  if (site.regionId !== reading.regionId) {
    return stuck(
      options,
      `the site files are of region ${site.regionId}, the kernel line says ${reading.regionId}`,
    );
  }
  const disks = options.machine.disks();
  return runAgent({
    arguments: reading,
    site,
    signal,
    at,
    clientAddress: options.network.clientAddress,
    collectHardware: options.collectHardware,
    diskOf: (disk) => disks.find((each) => each.identity.serial === disk.serial) ?? undefined,
    clock: options.clock,
    random: options.random.next,
    timeScale: options.timeScale,
    onSession: options.onSession,
    tell: (detail, data) => log({ stage: 'agent', detail, ...(data === undefined ? {} : { data }) }),
  });
}

function readSite(initrds: readonly Uint8Array[]): SiteFiles | { readonly problem: string } {
  try {
    return readSiteFiles(initrds);
  } catch (thrown) {
    return { problem: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

function stuck({ log }: BootOptions, detail: string): BootEnd {
  log({ stage: 'kernel', detail });
  return { kind: 'stuck', detail };
}
