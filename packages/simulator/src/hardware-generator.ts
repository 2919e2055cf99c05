/**
 * Servers that do not exist but could: from a seed and a MAC, the same plausible hardware report every time.
 * Serials, UUID and service tag are drawn once; what a boot changes (device names, links, time) is passed in or fixed here.
 * Changes of hardware between two boots are faults.ts; what a disk holds now is asked of virtual-disk.ts.
 */
import { randomUuidFrom } from './seeded-uuid';
import { createSeededRandom } from './seeded-random';
import type { SeededRandom } from './seeded-random';
import type { Disk, DiskContents, Dimm, HardwareReport, MacAddress, NetworkInterface } from '@lpmos/core';
import { parseMacAddress } from '@lpmos/core';

export interface GeneratorOptions {
  readonly seed: number;
  readonly mac: MacAddress;
  readonly firmware: 'bios' | 'uefi';
  /** 1 to 8. One disk makes the selector `auto` unambiguous. */
  readonly diskCount?: number;
  /** Size of every disk; by default a size of the model. */
  readonly diskBytes?: number;
}

interface ServerModel {
  readonly manufacturer: string;
  readonly product: string;
  readonly biosVendor: string;
  readonly biosVersion: string;
  readonly serialLength: number;
  readonly cpus: readonly [CpuModel, ...CpuModel[]];
  readonly nicDriver: string;
  readonly nicSpeed: string;
}

interface CpuModel {
  readonly model: string;
  readonly cores: number;
}

interface DiskModel {
  readonly model: string;
  readonly type: Disk['type'];
  readonly bytes: number;
  readonly prefix: string;
  readonly bus: 'ata' | 'nvme';
}

const XEON: CpuModel = { model: 'Intel(R) Xeon(R) Gold 6330 CPU @ 2.00GHz', cores: 28 };
const XEON_SILVER: CpuModel = { model: 'Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz', cores: 16 };
const EPYC: CpuModel = { model: 'AMD EPYC 7543 32-Core Processor', cores: 32 };

const SERVER_MODELS: readonly [ServerModel, ...ServerModel[]] = [
  {
    manufacturer: 'Dell Inc.',
    product: 'PowerEdge R650',
    biosVendor: 'Dell Inc.',
    biosVersion: '1.10.2',
    serialLength: 7,
    cpus: [XEON, XEON_SILVER],
    nicDriver: 'ice',
    nicSpeed: '25Gbps',
  },
  {
    manufacturer: 'HPE',
    product: 'ProLiant DL365 Gen10 Plus',
    biosVendor: 'HPE',
    biosVersion: 'A42',
    serialLength: 10,
    cpus: [EPYC],
    nicDriver: 'mlx5_core',
    nicSpeed: '25Gbps',
  },
  {
    manufacturer: 'Supermicro',
    product: 'SYS-120C-TN10R',
    biosVendor: 'American Megatrends International, LLC.',
    biosVersion: '1.4b',
    serialLength: 15,
    cpus: [XEON, XEON_SILVER],
    nicDriver: 'i40e',
    nicSpeed: '10Gbps',
  },
];

const DISK_MODELS: readonly [DiskModel, ...DiskModel[]] = [
  { model: 'SAMSUNG MZ7L3480HCHQ', type: 'SSD', bytes: 480_103_981_056, prefix: 'S6', bus: 'ata' },
  { model: 'SAMSUNG MZQL2960HCJR', type: 'NVMe', bytes: 960_197_124_096, prefix: 'S6', bus: 'nvme' },
  { model: 'ST4000NM000A-2HZ100', type: 'HDD', bytes: 4_000_787_030_016, prefix: 'WS', bus: 'ata' },
];

const SERIAL_ALPHABET = '0123456789ABCDEFGHJKLMNPQRSTVWXYZ';
const HEX_ALPHABET = '0123456789abcdef';
const GB = 1_000_000_000;

/** What stands on a disk fresh from the factory. */
export const BLANK_CONTENTS: DiskContents = { partition_table: 'none', file_system: '', partitions: [] };

/** The report of this server as its first boot would collect it; `collected_at` is empty until an agent fills it in. */
export function generateHardware(options: GeneratorOptions): HardwareReport {
  const random = createSeededRandom(options.seed, 'hardware', options.mac);
  const server = random.pick(SERVER_MODELS);
  const cpu = random.pick(server.cpus);
  const serviceTag = random.text(server.serialLength, SERIAL_ALPHABET);
  const dimms = generateDimms(random);
  const diskModel = random.pick(DISK_MODELS);
  return {
    mac_address: options.mac,
    cpu: { model: cpu.model, cores: cpu.cores, threads: cpu.cores * 2 },
    memory: { total_gb: dimms.reduce((sum, dimm) => sum + dimm.size_gb, 0), dimms },
    disks: Array.from({ length: options.diskCount ?? 1 }, (_, index) =>
      generateDisk(random, diskModel, { index, bytes: options.diskBytes ?? diskModel.bytes }),
    ),
    network: generateNics(options.mac, server),
    bios: { vendor: server.biosVendor, version: server.biosVersion, serial: serviceTag },
    system: {
      manufacturer: server.manufacturer,
      product: server.product,
      uuid: randomUuidFrom(random),
      service_tag: serviceTag,
      asset_tag: '',
      firmware: options.firmware,
      secure_boot: false,
    },
    collected_at: '',
  };
}

/** Another disk, for machines that change between report and install. @param bytes by default a size of the model. */
export function generateExtraDisk(seed: number, index: number, bytes?: number): Disk {
  const random = createSeededRandom(seed, 'extra-disk', String(index));
  const model = random.pick(DISK_MODELS);
  return generateDisk(random, model, { index, bytes: bytes ?? model.bytes });
}

function generateDisk(
  random: SeededRandom,
  model: DiskModel,
  slot: { readonly index: number; readonly bytes: number },
): Disk {
  const serial = model.prefix + random.text(12, SERIAL_ALPHABET);
  const wwn =
    model.bus === 'nvme'
      ? `eui.${random.text(16, HEX_ALPHABET)}`
      : `0x5002538${random.text(9, HEX_ALPHABET)}`;
  const byName = `${model.bus}-${model.model.replaceAll(' ', '_')}_${serial}`;
  return {
    device:
      model.bus === 'nvme' ? `/dev/nvme${slot.index}n1` : `/dev/sd${String.fromCharCode(97 + slot.index)}`,
    size_gb: Math.round((slot.bytes / GB) * 10) / 10,
    size_bytes: slot.bytes,
    type: model.type,
    model: model.model,
    serial,
    wwn,
    by_id: [byName, model.bus === 'nvme' ? `nvme-${wwn}` : `wwn-${wwn}`],
    removable: false,
    contents: BLANK_CONTENTS,
  };
}

function generateDimms(random: SeededRandom): Dimm[] {
  const size = random.pick([16, 32, 64]);
  const count = random.pick([4, 8]);
  return Array.from({ length: count }, (_, index) => ({
    slot: `A${index + 1}`,
    size_gb: size,
    type: 'DDR4',
    speed_mhz: 3200,
  }));
}

/** Two ports with adjacent addresses; the machine boots from the first, the second has no cable. */
function generateNics(mac: MacAddress, server: ServerModel): NetworkInterface[] {
  const driver = server.nicDriver;
  return [
    { interface: 'eno1', mac, speed: server.nicSpeed, link: true, driver },
    { interface: 'eno2', mac: nextMac(mac), speed: 'unknown', link: false, driver },
  ];
}

/** Only the last three bytes count on: the vendor's prefix stays and a group bit cannot appear. */
function nextMac(mac: MacAddress): MacAddress {
  const serial = (Number.parseInt(mac.slice(9).replaceAll(':', ''), 16) + 1) % 2 ** 24;
  return parseMacAddress(mac.slice(0, 8).replaceAll(':', '') + serial.toString(16).padStart(6, '0'));
}
