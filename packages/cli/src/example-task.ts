/** One task as the API answers it, in the moment before approval: for the documentation's page and for tests, so that both show the same. */
import type { TaskDocument } from './control-plane';
import { taskPage } from './output/task-page';
import { chooseDisk } from './target-disk';
import { painter } from './terminal';

export const EXAMPLE_IMAGE = {
  os_type: 'debian',
  os_version: '12',
  digest: `sha256:${'a'.repeat(64)}`,
  raw_size_bytes: 1_500_000_000,
} as const;

const STAMP = '2026-01-29T10:';

export const EXAMPLE_TASK: TaskDocument = {
  task_id: '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d',
  status: 'pending_approval',
  version: '4711',
  metadata: {
    id: '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d',
    region_id: 'dc1',
    target_mac: '00:1a:2b:3c:4d:5e',
    os_type: 'debian',
    os_version: '12',
    disk_layout: 'type=SSD',
    network_config: 'dhcp',
    created_at: `${STAMP}00:00.000Z`,
    created_by: 'alice@example.com',
    tags: { environment: 'production' },
    project: 'default',
    hostname: 'web1',
    ssh_authorized_keys: [],
  },
  run: { attempt: 0, state_since: `${STAMP}05:30.000Z`, deadline: '2026-02-05T10:05:30.000Z' },
  hardware: {
    mac_address: '00:1a:2b:3c:4d:5e',
    cpu: { model: 'Intel Xeon E5-2680 v4', cores: 28, threads: 56 },
    memory: { total_gb: 256, dimms: [{ slot: 'A1', size_gb: 16, type: 'DDR4', speed_mhz: 2400 }] },
    disks: [
      {
        device: '/dev/sda',
        size_gb: 480,
        size_bytes: 480_103_981_056,
        type: 'SSD',
        model: 'Samsung 860 PRO',
        serial: 'S4EVNX0M',
        wwn: '0x5002538e40b0c1d2',
        by_id: [],
        removable: false,
        contents: {
          partition_table: 'gpt',
          file_system: '',
          partitions: [
            { number: 1, size_bytes: 536_870_912, type: 'c12a7328', label: 'EFI', file_system: 'vfat' },
            {
              number: 2,
              size_bytes: 479_000_000_000,
              type: '0fc63daf',
              label: 'payroll',
              file_system: 'ext4',
            },
          ],
        },
      },
      {
        device: '/dev/sdb',
        size_gb: 2000,
        size_bytes: 2_000_398_934_016,
        type: 'HDD',
        model: 'Seagate ST2000',
        serial: 'Z1X2Y3',
        wwn: '',
        by_id: [],
        removable: false,
        contents: { partition_table: 'none', file_system: 'lvm2', partitions: [] },
      },
    ],
    network: [
      { interface: 'eth0', mac: '00:1a:2b:3c:4d:5e', speed: '10Gbps', link: true, driver: 'ixgbe' },
      { interface: 'eth1', mac: '00:1a:2b:3c:4d:5f', speed: 'unknown', link: false, driver: 'ixgbe' },
    ],
    bios: { vendor: 'Dell Inc.', version: '2.10.0', serial: 'SN123456' },
    system: {
      manufacturer: 'Dell Inc.',
      product: 'PowerEdge R730',
      uuid: '4c4c4544-0034-3510-8052-b4c04f4e3132',
      service_tag: 'SN123456',
      asset_tag: '',
      firmware: 'uefi',
      secure_boot: false,
    },
    collected_at: `${STAMP}05:30.000Z`,
  },
  timeline: [
    {
      seq: 0,
      timestamp: `${STAMP}00:00.000Z`,
      event: 'task_created',
      to: 'pending',
      actor: 'alice@example.com',
    },
    { seq: 1, timestamp: `${STAMP}00:00.400Z`, event: 'prepared', to: 'ready', actor: 'region:dc1' },
    {
      seq: 2,
      timestamp: `${STAMP}05:12.000Z`,
      event: 'boot_contacted',
      to: 'booting',
      actor: 'region:dc1',
      detail: 'DHCP',
    },
    {
      seq: 3,
      timestamp: `${STAMP}05:30.000Z`,
      event: 'hardware_reported',
      to: 'pending_approval',
      actor: 'region:dc1',
      detail: `sha256:${'b'.repeat(64)}`,
    },
  ],
};

/** The page of `task show` for the example, without colour. */
export function renderExamplePage(): string {
  const hardware = EXAMPLE_TASK.hardware;
  const { disk_layout: selector } = EXAMPLE_TASK.metadata;
  return taskPage({
    task: EXAMPLE_TASK,
    target: hardware && chooseDisk({ hardware, selector, image: EXAMPLE_IMAGE }),
    nowMs: Date.parse(`${STAMP}10:30.000Z`),
    paint: painter({ color: false }),
  }).join('\n');
}
