/**
 * The one mapping of hardware reports between the wire and the domain. To the wire it cannot fail; from the wire it is total:
 * a report, or every problem with its path. Hardware data is text of an attacker, so all of it is bounded and made printable.
 * Not here: the digest (core) and what a report means. See docs/architecture.md.
 * Invariant: hardwareFromWire(hardwareToWire(r)) is r for every r that itself came from hardwareFromWire.
 */
import { MAC_RULE, readMacAddress } from '@lpmos/core';
import type {
  Disk,
  DiskContents,
  FieldProblem,
  HardwareReport,
  MacAddress,
  NetworkInterface,
} from '@lpmos/core';
import { cleanHardwareText, FieldReader } from './mapping-fields';
import type {
  Disk as WireDisk,
  DiskContents as WireDiskContents,
  HardwareReport as WireHardwareReport,
  NetworkInterface as WireNetworkInterface,
} from './gen/lpmos/agent/v1/agent';

/** How many of each a report may hold; agents cut their lists to these. */
export const HARDWARE_LIMITS = { disks: 256, partitions: 128, byId: 32, network: 128, dimms: 256 } as const;

const DISK_TYPES = ['SSD', 'HDD', 'NVMe'] as const;
const PARTITION_TABLES = ['none', 'gpt', 'mbr', 'unreadable'] as const;
const FIRMWARES = ['bios', 'uefi'] as const;
const MOST_PROCESSORS = 65_536;
const MOST_GB = 1e9;
const MOST_MHZ = 1e6;
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
/** ISO 8601 in UTC, as Date.toISOString writes it. */
const INSTANT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/;

export type HardwareReading =
  { readonly report: HardwareReport } | { readonly problems: readonly FieldProblem[] };

export function hardwareToWire(report: HardwareReport): WireHardwareReport {
  const { cpu, memory, bios, system } = report;
  return {
    macAddress: report.mac_address,
    cpu: { ...cpu },
    memory: {
      totalGb: memory.total_gb,
      dimms: memory.dimms.map(({ slot, size_gb, type, speed_mhz }) => ({
        slot,
        sizeGb: size_gb,
        type,
        speedMhz: speed_mhz,
      })),
    },
    disks: report.disks.map(diskToWire),
    network: report.network.map((port) => ({ ...port })),
    bios: { ...bios },
    system: {
      manufacturer: system.manufacturer,
      product: system.product,
      uuid: system.uuid,
      serviceTag: system.service_tag,
      assetTag: system.asset_tag,
      firmware: system.firmware,
      secureBoot: system.secure_boot,
    },
    collectedAt: report.collected_at,
  };
}

function diskToWire(disk: Disk): WireDisk {
  const { device, type, model, serial, wwn, removable, contents } = disk;
  return {
    device,
    sizeGb: disk.size_gb,
    sizeBytes: String(disk.size_bytes),
    type,
    model,
    serial,
    wwn,
    byId: [...disk.by_id],
    removable,
    contents: {
      partitionTable: contents.partition_table,
      fileSystem: contents.file_system,
      partitions: contents.partitions.map((part) => ({
        number: part.number,
        sizeBytes: String(part.size_bytes),
        type: part.type,
        label: part.label,
        fileSystem: part.file_system,
      })),
    },
  };
}

/** The report, or every problem of it with its path. Never throws, whatever the wire held. */
export function hardwareFromWire(wire: WireHardwareReport): HardwareReading {
  const fields = new FieldReader();
  const memory = fields.required('memory', wire.memory, { totalGb: 0, dimms: [] });
  const bios = fields.required('bios', wire.bios, { vendor: '', version: '', serial: '' });
  const cpu = fields.required('cpu', wire.cpu, { model: '', cores: 0, threads: 0 });
  const report: HardwareReport = {
    mac_address: readMac(fields, 'mac_address', wire.macAddress),
    cpu: {
      model: cleanHardwareText(cpu.model),
      cores: fields.integer('cpu.cores', cpu.cores, MOST_PROCESSORS),
      threads: fields.integer('cpu.threads', cpu.threads, MOST_PROCESSORS),
    },
    memory: {
      total_gb: fields.amount('memory.total_gb', memory.totalGb, MOST_GB),
      dimms: fields.list('memory.dimms', memory.dimms, HARDWARE_LIMITS.dimms, (dimm, path) => ({
        slot: cleanHardwareText(dimm.slot),
        size_gb: fields.amount(`${path}.size_gb`, dimm.sizeGb, MOST_GB),
        type: cleanHardwareText(dimm.type),
        speed_mhz: fields.integer(`${path}.speed_mhz`, dimm.speedMhz, MOST_MHZ),
      })),
    },
    disks: fields.list('disks', wire.disks, HARDWARE_LIMITS.disks, (disk, path) =>
      readDisk(fields, path, disk),
    ),
    network: fields.list('network', wire.network, HARDWARE_LIMITS.network, (port, path) =>
      readPort(fields, path, port),
    ),
    bios: {
      vendor: cleanHardwareText(bios.vendor),
      version: cleanHardwareText(bios.version),
      serial: cleanHardwareText(bios.serial),
    },
    system: readSystem(fields, wire.system),
    collected_at: readInstant(fields, 'collected_at', wire.collectedAt),
  };
  return fields.problems.length === 0 ? { report } : { problems: fields.problems };
}

function readDisk(fields: FieldReader, path: string, disk: WireDisk): Disk {
  return {
    device: cleanHardwareText(disk.device),
    size_gb: fields.amount(`${path}.size_gb`, disk.sizeGb, MOST_GB),
    size_bytes: fields.bytes(`${path}.size_bytes`, disk.sizeBytes),
    type: fields.oneOf(`${path}.type`, disk.type, DISK_TYPES),
    model: cleanHardwareText(disk.model),
    serial: cleanHardwareText(disk.serial),
    wwn: cleanHardwareText(disk.wwn),
    by_id: fields.list(`${path}.by_id`, disk.byId, HARDWARE_LIMITS.byId, cleanHardwareText),
    removable: disk.removable,
    contents: readContents(fields, `${path}.contents`, disk.contents),
  };
}

function readContents(fields: FieldReader, path: string, wire: WireDiskContents | undefined): DiskContents {
  const contents = fields.required(path, wire, { partitionTable: 'none', fileSystem: '', partitions: [] });
  return {
    partition_table: fields.oneOf(`${path}.partition_table`, contents.partitionTable, PARTITION_TABLES),
    file_system: cleanHardwareText(contents.fileSystem),
    partitions: fields.list(
      `${path}.partitions`,
      contents.partitions,
      HARDWARE_LIMITS.partitions,
      (part, at) => ({
        number: fields.integer(`${at}.number`, part.number, 65_535),
        size_bytes: fields.bytes(`${at}.size_bytes`, part.sizeBytes),
        type: cleanHardwareText(part.type),
        label: cleanHardwareText(part.label),
        file_system: cleanHardwareText(part.fileSystem),
      }),
    ),
  };
}

function readPort(fields: FieldReader, path: string, port: WireNetworkInterface): NetworkInterface {
  const { link } = port;
  return {
    interface: cleanHardwareText(port.interface),
    mac: readMac(fields, `${path}.mac`, port.mac),
    speed: cleanHardwareText(port.speed),
    link,
    driver: cleanHardwareText(port.driver),
  };
}

function readSystem(fields: FieldReader, wire: WireHardwareReport['system']): HardwareReport['system'] {
  const system = fields.required('system', wire, {
    manufacturer: '',
    product: '',
    uuid: '',
    serviceTag: '',
    assetTag: '',
    firmware: 'bios',
    secureBoot: false,
  });
  const uuid = cleanHardwareText(system.uuid).toLowerCase();
  if (uuid !== '' && !UUID.test(uuid))
    fields.problem('system.uuid', 'must be a UUID, or empty when there is none');
  return {
    manufacturer: cleanHardwareText(system.manufacturer),
    product: cleanHardwareText(system.product),
    uuid,
    service_tag: cleanHardwareText(system.serviceTag),
    asset_tag: cleanHardwareText(system.assetTag),
    firmware: fields.oneOf('system.firmware', system.firmware, FIRMWARES),
    secure_boot: system.secureBoot,
  };
}

function readMac(fields: FieldReader, path: string, text: string): MacAddress {
  const mac = readMacAddress(text);
  if (mac === undefined) fields.problem(path, `must be ${MAC_RULE}`);
  return mac ?? ('' as MacAddress);
}

function readInstant(fields: FieldReader, path: string, text: string): string {
  if (text.length <= 40 && INSTANT.test(text) && Number.isFinite(Date.parse(text))) return text;
  fields.problem(path, 'must be an instant in UTC such as 2026-01-31T12:00:00.000Z');
  return '';
}
