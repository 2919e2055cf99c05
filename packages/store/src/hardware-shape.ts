/** The shape of a stored hardware report, a table beside records.ts because it is long. */
import { readMacAddress } from '@lpmos/core';
import type {
  Dimm,
  Disk,
  DiskContents,
  HardwareReport,
  NetworkInterface,
  PartitionContents,
} from '@lpmos/core';
import { amount, boolean, count, isoInstant, listOf, matching, object, oneOf, text } from './shape';

export const macAddress = matching(
  'a MAC address in canonical form',
  (value) => readMacAddress(value) === value,
);

const partition = object<PartitionContents>({
  number: count,
  size_bytes: count,
  type: text,
  label: text,
  file_system: text,
});

const contents = object<DiskContents>({
  partition_table: oneOf('gpt', 'mbr', 'none', 'unreadable'),
  file_system: text,
  partitions: listOf(partition),
});

const disk = object<Disk>({
  device: text,
  size_gb: amount,
  size_bytes: count,
  type: oneOf('SSD', 'HDD', 'NVMe'),
  model: text,
  serial: text,
  wwn: text,
  by_id: listOf(text),
  removable: boolean,
  contents,
});

export const hardwareReport = object<HardwareReport>({
  mac_address: macAddress,
  cpu: object<HardwareReport['cpu']>({ model: text, cores: count, threads: count }),
  memory: object<HardwareReport['memory']>({
    total_gb: amount,
    dimms: listOf(object<Dimm>({ slot: text, size_gb: amount, type: text, speed_mhz: amount })),
  }),
  disks: listOf(disk),
  network: listOf(
    object<NetworkInterface>({ interface: text, mac: macAddress, speed: text, link: boolean, driver: text }),
  ),
  bios: object<HardwareReport['bios']>({ vendor: text, version: text, serial: text }),
  system: object<HardwareReport['system']>({
    manufacturer: text,
    product: text,
    uuid: text,
    service_tag: text,
    asset_tag: text,
    firmware: oneOf('bios', 'uefi'),
    secure_boot: boolean,
  }),
  collected_at: isoInstant,
});
