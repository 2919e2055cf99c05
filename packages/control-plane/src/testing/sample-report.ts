/** A hardware report such as the contract's example, with what an approver needs beside it. */
import { parseMacAddress } from '@lpmos/core';
import type { Disk, HardwareReport } from '@lpmos/core';

export function sampleDisk(change: Partial<Disk> = {}): Disk {
  return {
    device: '/dev/sda',
    size_gb: 480,
    size_bytes: 480_103_981_056,
    type: 'SSD',
    model: 'Samsung 860 PRO',
    serial: 'S3Z1NB0K100001',
    wwn: '0x5002538e00000001',
    by_id: ['ata-Samsung_860_PRO_S3Z1NB0K100001'],
    removable: false,
    contents: {
      partition_table: 'gpt',
      file_system: '',
      partitions: [{ number: 1, size_bytes: 1e9, type: '0fc63daf', label: 'root', file_system: 'ext4' }],
    },
    ...change,
  };
}

export function sampleReport(): HardwareReport {
  const mac = parseMacAddress('00:1a:2b:3c:4d:5e');
  return {
    mac_address: mac,
    cpu: { model: 'Intel Xeon E5-2680 v4', cores: 28, threads: 56 },
    memory: { total_gb: 256, dimms: [{ slot: 'A1', size_gb: 16, type: 'DDR4', speed_mhz: 2400 }] },
    disks: [sampleDisk()],
    network: [{ interface: 'eth0', mac, speed: '10Gbps', link: true, driver: 'ixgbe' }],
    bios: { vendor: 'Dell Inc.', version: '2.10.0', serial: 'SN123456' },
    system: {
      manufacturer: 'Dell Inc.',
      product: 'PowerEdge R730',
      uuid: '4c4c4544-0031-3010-8035-b4c04f4e3032',
      service_tag: 'SN123456',
      asset_tag: '',
      firmware: 'bios',
      secure_boot: false,
    },
    collected_at: '2026-01-29T10:05:30.000Z',
  };
}
