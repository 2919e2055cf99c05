/**
 * Whether a machine booted the way its cell says, judged by two witnesses: the hardware that the agent reported and the requests that the
 * daemon answered. Pure. Words for every difference, so that one failed run tells all that was wrong.
 */
import type { BootLogEntry } from './boot-log';
import type { FirmwareCell } from './firmware-cells';
import type { TaskAnswer } from './follow-task';
import type { MachineSpec } from './lab-protocol';

type Hardware = TaskAnswer['hardware'];

const DRIVER = { virtio: 'virtio_net', e1000: 'e1000', e1000e: 'e1000e' } as const;

export function hardwareProblems(cell: FirmwareCell, machine: MachineSpec, report: Hardware): string[] {
  if (report === undefined) return ['the task has no hardware report'];
  const { disks, network, system, mac_address: reportedBy } = report;
  const nic = network.find(({ mac }) => mac === machine.mac);
  const disk = disks[0];
  const labels = disk?.contents.partitions.map(({ label }) => label).join(', ');
  return [
    ...different('the card that booted', reportedBy, machine.mac),
    ...different('driver of that card', nic?.driver, DRIVER[cell.nic]),
    ...different('number of cards', network.length, cell.cards),
    ...different('number of disks', disks.length, 1),
    ...different('serial of the disk', disk?.serial, machine.disk.serial),
    ...different('an NVMe disk', disk?.type === 'NVMe', cell.disk === 'nvme'),
    ...different('partitions of the disk', labels, cell.oldData ? 'old-data' : ''),
    ...different('firmware', system.firmware, cell.chain.startsWith('bios') ? 'bios' : 'uefi'),
  ];
}

function different(what: string, was: unknown, wanted: unknown): string[] {
  return was === wanted ? [] : [`${what}: ${String(was)} instead of ${String(wanted)}`];
}

/** The loader that each chain fetches, and how: none where the card or the ROM is iPXE. */
const LOADER: Readonly<
  Record<FirmwareCell['chain'], { readonly protocol: string; readonly name: RegExp } | undefined>
> = {
  bios: undefined,
  'bios-undionly': { protocol: 'tftp', name: /undionly\.kpxe/ },
  uefi: { protocol: 'tftp', name: /\.efi/ },
  'uefi-rom': undefined,
  'uefi-http': { protocol: 'http', name: /\.efi/ },
};

export const isLoader = ({ request }: BootLogEntry): boolean => /\.(?:efi|k?kpxe)/.test(request);

export function chainProblems(cell: FirmwareCell, log: readonly BootLogEntry[]): string[] {
  const wanted = LOADER[cell.chain];
  const sent = log.filter((entry) => isLoader(entry) && entry.outcome === 'completed');
  const scripts = log.filter(({ request }) => request.includes('/boot/menu.ipxe')).length;
  const leases = log.filter(({ reason }) => /^DHCPOFFER|^DHCPACK/.test(reason)).length;
  return [
    ...(wanted === undefined
      ? sent.map(({ protocol, request }) => `a loader was loaded, which nobody needs: ${protocol} ${request}`)
      : loaderProblems(wanted, sent)),
    ...different('scripts asked for', scripts, 1),
    ...(cell.link === 'proxy' && leases > 0 ? [`the proxy leased ${leases} times`] : []),
  ];
}

function loaderProblems(
  wanted: { readonly protocol: string; readonly name: RegExp },
  sent: readonly BootLogEntry[],
): string[] {
  const right = sent.filter(
    ({ protocol, request }) => protocol === wanted.protocol && wanted.name.test(request),
  );
  const wrong = sent.filter((entry) => !right.includes(entry));
  return [
    ...(right.length === 0 ? [`no loader was loaded by ${wanted.protocol}`] : []),
    ...wrong.map(({ protocol, request }) => `a loader came another way: ${protocol} ${request}`),
  ];
}
