/** Example documents for tests of every package that needs a plausible task or hardware report. Not part of the public surface. */
import type { RegionId, TaskId } from '../ids';
import type { HardwareReport } from '../machine/hardware';
import type { MacAddress } from '../machine/mac-address';
import { firstRun } from '../task/apply-event';
import type { TaskMetadata, TaskRecord } from '../task/task';

export const EXAMPLE_MAC = '00:1a:2b:3c:4d:5e' as MacAddress;
export const EXAMPLE_TASK_ID = '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d' as TaskId;
export const EXAMPLE_NOW_MS = Date.UTC(2026, 0, 29, 10);

export const EXAMPLE_REPORT: HardwareReport = {
  mac_address: EXAMPLE_MAC,
  cpu: { model: 'Intel Xeon E5-2680 v4', cores: 28, threads: 56 },
  memory: { total_gb: 32, dimms: [{ slot: 'A1', size_gb: 32, type: 'DDR4', speed_mhz: 2400 }] },
  disks: [
    {
      device: '/dev/sda',
      size_gb: 480,
      size_bytes: 480_103_981_056,
      type: 'SSD',
      model: 'Samsung 860 PRO',
      serial: 'S4EVNX0M',
      wwn: '0x5002538e4087a1b2',
      by_id: ['wwn-0x5002538e4087a1b2'],
      removable: false,
      contents: { partition_table: 'none', file_system: '', partitions: [] },
    },
  ],
  network: [{ interface: 'eth0', mac: EXAMPLE_MAC, speed: '10Gbps', link: true, driver: 'ixgbe' }],
  bios: { vendor: 'Dell Inc.', version: '2.10.0', serial: 'SN123456' },
  system: {
    manufacturer: 'Dell Inc.',
    product: 'PowerEdge R630',
    uuid: '4c4c4544-0042-3510-8052-b4c04f564831',
    service_tag: 'SN123456',
    asset_tag: '',
    firmware: 'bios',
    secure_boot: false,
  },
  collected_at: '2026-01-29T10:05:30.000Z',
};

export const EXAMPLE_METADATA: TaskMetadata = {
  schema_version: 1,
  id: EXAMPLE_TASK_ID,
  region_id: 'dc1' as RegionId,
  target_mac: EXAMPLE_MAC,
  os_type: 'debian',
  os_version: '12',
  disk_layout: 'auto',
  network_config: 'dhcp',
  created_at: '2026-01-29T10:00:00.000Z',
  created_by: 'admin@example.com',
  tags: { environment: 'production' },
  project: 'default',
  ssh_authorized_keys: [],
};

export function exampleTask(changes: Partial<TaskRecord> = {}): TaskRecord {
  return {
    metadata: EXAMPLE_METADATA,
    status: 'pending',
    version: '7',
    run: firstRun(EXAMPLE_NOW_MS),
    timeline: [
      {
        seq: 0,
        timestamp: EXAMPLE_METADATA.created_at,
        event: 'task_created',
        to: 'pending',
        actor: 'admin@example.com',
      },
    ],
    ...changes,
  };
}
