/**
 * What QEMU is told about one machine: identity, memory, network card, disk, firmware and boot order, as an argument
 * list. Pure; machine.ts starts the process.
 * Invariant: the order of boot devices is explicit and strict, so a machine never boots what its description omits; only `kept`
 * leaves it to the machine's own UEFI variables.
 */
import { acceleratorArguments, type Accelerator } from './accelerator';
import { firmwareKind, type MachineFirmware } from './machine-firmware';

export interface MachineDisk {
  /** Raw image file; made sparse with `sizeGiB` when absent, kept as it is when present. */
  readonly path: string;
  readonly sizeGiB: number;
  readonly serial: string;
  readonly bus: 'virtio' | 'ahci' | 'nvme';
}

/** A further card on the link, which the machine does not boot from. */
export interface OtherNic {
  readonly mac: string;
  readonly tap: string;
  readonly model?: NicModel;
  /** Before the booting card on the PCI bus, so that the machine boots from its second one; or behind it. */
  readonly place: 'before' | 'after';
}

export interface MachineDescription {
  readonly name: string;
  /** Of the card that boots. */
  readonly mac: string;
  readonly uuid: string;
  /** Service tag of the machine (SMBIOS type 1). */
  readonly serial: string;
  readonly memoryMiB: number;
  readonly disk: MachineDisk;
  /** Further disks, none of which is booted from. */
  readonly extraDisks?: readonly MachineDisk[];
  readonly firmware: MachineFirmware;
  /** Name of an existing tap interface. */
  readonly tap: string;
  readonly accelerator: Accelerator['kind'];
  readonly bootOrder?: BootOrder;
  readonly nic?: NicModel;
  readonly otherNics?: readonly OtherNic[];
}

/**
 * The first two are imposed at every power-on, as by a management controller. `kept` leaves the order to the UEFI variables, where
 * the machine's own changes survive; with any imposed order OVMF sorts its variables anew at each start.
 */
export type BootOrder = 'network-first' | 'disk-first' | 'kept';

export type NicModel = keyof typeof NIC_DEVICE;

export interface MachineFiles {
  readonly qmpSocket: string;
  /** Writable copy of the UEFI variables of this machine. */
  readonly uefiVariables: string;
}

const NIC_DEVICE = { virtio: 'virtio-net-pci', e1000: 'e1000', e1000e: 'e1000e' } as const;

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

function nicArguments(nic: {
  readonly id: string;
  readonly mac: string;
  readonly tap: string;
  readonly model: NicModel;
  readonly more: string;
}): string[] {
  return [
    '-netdev',
    `tap,id=${nic.id},ifname=${nic.tap},script=no,downscript=no`,
    '-device',
    `${NIC_DEVICE[nic.model]},netdev=${nic.id},mac=${nic.mac}${nic.more}`,
  ];
}

function networkArguments(machine: MachineDescription, bootIndex: number | undefined): string[] {
  const rom = firmwareKind(machine.firmware).optionRom ? '' : ',romfile=';
  const order = bootIndex === undefined ? '' : `,bootindex=${bootIndex}`;
  const others = (place: OtherNic['place']): string[] =>
    (machine.otherNics ?? []).flatMap((nic, index) =>
      nic.place === place
        ? nicArguments({ id: `other${index}`, model: machine.nic ?? 'virtio', more: rom, ...nic })
        : [],
    );
  const { mac, tap, nic: model = 'virtio' } = machine;
  return [
    ...others('before'),
    ...nicArguments({ id: 'net0', mac, tap, model, more: `${order}${rom}` }),
    ...others('after'),
  ];
}

function firmwareArguments(machine: MachineDescription, files: MachineFiles): string[] {
  const { flash, settings } = firmwareKind(machine.firmware);
  const order = machine.bootOrder === 'kept' ? [] : ['-boot', 'strict=on'];
  if (flash === undefined) return order;
  return [
    '-drive',
    `if=pflash,unit=0,format=raw,readonly=on,file=${flash.code}`,
    '-drive',
    `if=pflash,unit=1,format=raw,file=${literal(files.uefiVariables)}`,
    ...settings.flatMap((setting) => ['-fw_cfg', setting]),
    ...order,
  ];
}

const BOOT_INDEX: Readonly<Record<BootOrder, { readonly network?: number; readonly disk?: number }>> = {
  'network-first': { network: 0, disk: 1 },
  'disk-first': { network: 1, disk: 0 },
  kept: {},
};

/** Another processor than the host's can only be emulated. */
function processorArguments({ firmware, accelerator }: MachineDescription): string[] {
  const { emulator } = firmwareKind(firmware);
  return emulator === undefined
    ? acceleratorArguments(accelerator)
    : ['-accel', 'tcg,thread=multi', '-cpu', emulator.cpu];
}

/** The complete argument list. The serial console is QEMU's standard output; firmware prints on it as well. */
export function machineArguments(machine: MachineDescription, files: MachineFiles): string[] {
  const bootIndex = BOOT_INDEX[machine.bootOrder ?? 'network-first'];
  const identity = `type=1,manufacturer=LPMOS,product=Lab machine,serial=${literal(machine.serial)}`;
  return [
    '-name',
    literal(machine.name),
    '-no-user-config',
    '-nodefaults',
    '-display',
    'none',
    '-machine',
    firmwareKind(machine.firmware).machine,
    ...processorArguments(machine),
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
    ...networkArguments(machine, bootIndex.network),
    ...diskArguments(machine.disk, 0, bootIndex.disk),
    ...(machine.extraDisks ?? []).flatMap((disk, index) => diskArguments(disk, index + 1)),
  ];
}
