/**
 * A 64-bit ARM server as far as this lab can take it: EDK2 asks by DHCP as architecture 11, loads the site's iPXE by TFTP, and iPXE fetches
 * its boot script. The ramdisk is x86-64, so the script says that, and the machine is left to its disk.
 * Needs qemu-system-arm, qemu-efi-aarch64 and an ipxe-arm64.efi, which Debian has from trixie on; hence only on demand.
 */
import { unservedPromises } from './boot-log';
import type { BootLogEntry } from './boot-log';
import { until } from './follow-task';
import type { Lab } from './lab';
import type { MachineSpec } from './lab-protocol';

const BOOT_MS = 5 * 60_000;
const MEMORY_MIB = 1024;

/** Gives what was wrong, in words. */
export async function bootArm64(lab: Lab): Promise<string[]> {
  const machine: MachineSpec = {
    ...{ name: 'arm64', mac: '52:54:00:aa:64:01', uuid: '5fca52d2-38a1-4b4f-9d6b-aa64aa64aa64' },
    ...{ serial: 'ARM64-1', memoryMiB: MEMORY_MIB, firmware: 'arm64' },
    disk: { path: `${lab.dir}/arm64.raw`, sizeGiB: 1, serial: 'DARM64', bus: 'virtio' },
  };
  await lab.api.createTask({
    region_id: 'lab',
    target_mac: machine.mac,
    os_type: 'debian',
    os_version: '12',
  });
  await lab.ask('powerOn', machine);
  try {
    const log = await until('the answer to its script', BOOT_MS, async () => lab.bootLog(), isRefused);
    return arm64Problems(log);
  } finally {
    await lab.ask('powerOff', { name: machine.name });
  }
}

const refusal = ({ request, outcome, reason }: BootLogEntry): boolean =>
  request.includes('/boot/menu.ipxe') && outcome === 'refused' && reason.includes('this machine is arm64');
const isRefused = (log: readonly BootLogEntry[]): boolean => log.some(refusal);

/** Later iPXE looks for a script of this name where it came from; that there is none is the right answer. */
const OWN_SCRIPT = 'autoexec.ipxe';

/** Pure. */
export function arm64Problems(all: readonly BootLogEntry[]): string[] {
  const log = all.filter(({ request }) => !request.includes(OWN_SCRIPT));
  const loaded = log.some(
    ({ protocol, request, outcome }) =>
      protocol === 'tftp' && request.includes('arm64') && outcome === 'completed',
  );
  const others = log.filter((entry) => !refusal(entry));
  return [
    ...(loaded ? [] : ['no loader for arm64 was loaded by tftp']),
    ...(isRefused(log) ? [] : ['its script does not say that the agent is no program for arm64']),
    ...(log.some(({ request }) => request.endsWith('/vmlinuz')) ? ['it was sent a kernel of x86-64'] : []),
    ...unservedPromises(others).filter((problem) => !/told to load|script/.test(problem)),
  ];
}
