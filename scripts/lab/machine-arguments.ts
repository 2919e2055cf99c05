/**
 * What QEMU is told about one machine: identity, memory, network card, disk, firmware and boot order, as an argument
 * list. Pure; machine.ts starts the process.
 * Invariant: the order of boot devices is explicit and strict, so a machine never boots what its description omits.
 */
import { acceleratorArguments, type Accelerator } from './accelerator';

export interface MachineDisk {
  /** Raw image file; made sparse with `sizeGiB` when absent, kept as it is when present. */
  readonly path: string;
  readonly sizeGiB: number;
  readonly serial: string;
  readonly bus: 'virtio' | 'ahci' | 'nvme';
}

export interface MachineDescription {
  readonly name: string;
  readonly mac: string;
  readonly uuid: string;
  /** Service tag of the machine (SMBIOS type 1). */
  readonly serial: string;
  readonly memoryMiB: number;
  readonly disk: MachineDisk;
  /** Further disks, none of which is booted from. */
  readonly extraDisks?: readonly MachineDisk[];
  readonly firmware: 'bios' | 'uefi';
  /** Name of an existing tap interface. */
  readonly tap: string;
  readonly accelerator: Accelerator['kind'];
  /** Network before disk (default) or the other way round. */
  readonly netfirst?: boolean;
  /** false: a UEFI card without option ROM, whose PXE client is the firmware's own instead of iPXE. Default true. */
  readonly optionRom?: boolean;
  readonly nic?: 'virtio' | 'e1000' | 'e1000e';
}

export interface MachineFiles {
  readonly qmpSocket: string;
  /** Writable copy of the UEFI variables of this machine. */
  readonly uefiVariables: string;
}

export const OVMF_CODE = '/usr/share/OVMF/OVMF_CODE_4M.fd';
export const OVMF_VARIABLES = '/usr/share/OVMF/OVMF_VARS_4M.fd';

const NIC_MODEL = { virtio: 'virtio-net-pci', e1000: 'e1000', e1000e: 'e1000e' } as const;

/** QEMU separates options by commas and doubles a comma that is meant literally. */
function literal(value: string): string {
  return value.replaceAll(',', ',,');
}

function diskArguments(disk: MachineDisk, number: number, bootIndex?: number): string[] {
  // Nothing in the lab outlives a crash of the host, so the host's page cache is flush enough.
  const drive = `if=none,id=disk${number},file=${literal(disk.path)},format=raw,cache=unsafe,discard=unmap`;
  const order = bootIndex === undefined ? '' : `,bootindex=${bootIndex}`;
  const common = `drive=disk${number},serial=${literal(disk.serial)}${order}`;
  const devices = {
    virtio: ['-device', `virtio-blk-pci,${common}`],
    ahci: ['-device', `ich9-ahci,id=ahci${number}`, '-device', `ide-hd,bus=ahci${number}.0,${common}`],
    nvme: ['-device', `nvme,${common}`],
  };
  return ['-drive', drive, ...devices[disk.bus]];
}

function networkArguments(machine: MachineDescription, bootIndex: number): string[] {
  const rom = machine.optionRom === false ? ',romfile=' : '';
  const model = NIC_MODEL[machine.nic ?? 'virtio'];
  return [
    '-netdev',
    `tap,id=net0,ifname=${machine.tap},script=no,downscript=no`,
    '-device',
    `${model},netdev=net0,mac=${machine.mac},bootindex=${bootIndex}${rom}`,
  ];
}

function firmwareArguments(machine: MachineDescription, files: MachineFiles): string[] {
  if (machine.firmware === 'bios') return ['-boot', 'strict=on'];
  return [
    '-drive',
    `if=pflash,unit=0,format=raw,readonly=on,file=${OVMF_CODE}`,
    '-drive',
    `if=pflash,unit=1,format=raw,file=${literal(files.uefiVariables)}`,
    // OVMF tries PXE over IPv6 for a minute before it goes on to the disk; the lab has IPv4 services only.
    '-fw_cfg',
    'name=opt/org.tianocore/IPv6PXESupport,string=n',
    '-boot',
    'strict=on',
  ];
}

/** The complete argument list. The serial console is QEMU's standard output; firmware prints on it as well. */
export function machineArguments(machine: MachineDescription, files: MachineFiles): string[] {
  const networkFirst = machine.netfirst ?? true;
  const identity = `type=1,manufacturer=LPMOS,product=Lab machine,serial=${literal(machine.serial)}`;
  return [
    '-name',
    literal(machine.name),
    '-no-user-config',
    '-nodefaults',
    '-display',
    'none',
    // graphics=off moves SeaBIOS and iPXE from the VGA screen to the serial console.
    '-machine',
    'pc,graphics=off',
    ...acceleratorArguments(machine.accelerator),
    '-smp',
    '1',
    '-m',
    String(machine.memoryMiB),
    '-uuid',
    machine.uuid,
    '-smbios',
    identity,
    '-chardev',
    'stdio,id=console0,signal=off',
    '-serial',
    'chardev:console0',
    '-qmp',
    `unix:${literal(files.qmpSocket)},server=on,wait=off`,
    '-device',
    'virtio-rng-pci',
    ...firmwareArguments(machine, files),
    ...networkArguments(machine, networkFirst ? 0 : 1),
    ...diskArguments(machine.disk, 0, networkFirst ? 1 : 0),
    ...(machine.extraDisks ?? []).flatMap((disk, index) => diskArguments(disk, index + 1)),
  ];
}
