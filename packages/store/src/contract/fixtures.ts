/** Values for the contract suite: a region, tasks with a typical 4 kB hardware report, and waiting for a condition. */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  applyEvent,
  createTaskId,
  firstRun,
  hardwareDigest,
  identityOf,
  isoTime,
  macFromBytes,
  parseRegionId,
  regionTag,
} from '@lpmos/core';
import type {
  Clock,
  Fence,
  HardwareReport,
  MacAddress,
  NewTask,
  RegionId,
  RegionMetadata,
  StoredHardware,
  TaskChange,
  TaskEvent,
  TaskRecord,
  WriteOutcome,
} from '@lpmos/core';
import { regionKey } from '../keys';
import type { Kv } from '../kv';

export const realClock: Clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };

export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

export const REGION: RegionId = parseRegionId('lab');
export const OTHER_REGION: RegionId = parseRegionId('dc2');

export function regionMetadata(id: RegionId = REGION): RegionMetadata {
  return {
    schema_version: 1,
    id,
    tag: regionTag(id, sha256),
    display_name: `Region ${id}`,
    created_at: isoTime(realClock.nowMs()),
    created_by: 'admin@example.com',
  };
}

/** Different for every number. */
export function mac(number: number): MacAddress {
  const bytes = Uint8Array.of(0x52, 0x54, 0, (number >> 16) & 0xff, (number >> 8) & 0xff, number & 0xff);
  const address = macFromBytes(bytes);
  if (address === undefined) throw new Error('not a unicast address');
  return address;
}

export interface NewTaskInput {
  readonly machine?: number;
  readonly regionId?: RegionId;
  readonly idempotency?: NewTask['idempotency'];
  readonly createdAtMs?: number;
  readonly tags?: Readonly<Record<string, string>>;
}

export function newTask({
  machine = 1,
  regionId = REGION,
  idempotency,
  createdAtMs,
  tags,
}: NewTaskInput = {}): NewTask {
  const nowMs = createdAtMs ?? realClock.nowMs();
  return {
    metadata: {
      schema_version: 1,
      id: createTaskId(regionTag(regionId, sha256), randomBytes(12)),
      region_id: regionId,
      target_mac: mac(machine),
      os_type: 'debian',
      os_version: '12',
      disk_layout: 'auto',
      network_config: 'dhcp',
      created_at: isoTime(nowMs),
      created_by: 'operator@example.com',
      tags: tags ?? { environment: 'test' },
      project: 'default',
      ssh_authorized_keys: [
        'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEtesttesttesttesttesttesttesttesttesttest op@example',
      ],
    },
    run: firstRun(nowMs),
    created: {
      seq: 0,
      timestamp: isoTime(nowMs),
      event: 'task_created',
      to: 'pending',
      actor: 'operator@example.com',
    },
    ...(idempotency === undefined ? {} : { idempotency }),
  };
}

export function changeOf(task: TaskRecord, event: TaskEvent): TaskChange {
  const applied = applyEvent(task, event, { nowMs: realClock.nowMs(), actor: 'test' });
  if (applied.kind !== 'change') throw new Error(`${event.name} is ${applied.kind} in ${task.status}`);
  return applied.change;
}

/** A leader key without a session: what a fence compares. Whoever led before is deposed. */
export async function leaderOf(kv: Kv, holder: string): Promise<Fence> {
  const key = regionKey(REGION, 'leader');
  await kv.txn({ compares: [], then: [{ op: 'delete', key }], otherwise: [] });
  const outcome = await kv.txn({ compares: [], then: [{ op: 'put', key, value: holder }], otherwise: [] });
  if (outcome.kind !== 'done') throw new Error('no leader');
  return { regionId: REGION, token: String(outcome.revision) };
}

/** The value of a write that must have been done. */
export function done<T>(outcome: WriteOutcome<T>): T {
  if (outcome.kind === 'done') return outcome.value;
  throw new Error(`the write is ${outcome.kind}`, {
    cause: outcome.kind === 'refused' ? outcome.error : outcome.cause,
  });
}

export function refusal<T>(outcome: WriteOutcome<T>): string {
  return outcome.kind === 'refused' ? outcome.error.code : outcome.kind;
}

/** A server of usual size: its report is about 4 kB of JSON. */
export function hardware(machine = 1): StoredHardware {
  const disk = (number: number): HardwareReport['disks'][number] => ({
    device: `/dev/sd${String.fromCharCode(97 + number)}`,
    size_gb: 480,
    size_bytes: 480_103_981_056,
    type: 'SSD',
    model: 'Samsung SSD 860 PRO 512GB',
    serial: `S5GANE0N20400${machine}${number}`,
    wwn: `0x5002538e0000${machine}${number}`,
    by_id: [
      `ata-Samsung_SSD_860_PRO_512GB_S5GANE0N20400${machine}${number}`,
      `wwn-0x5002538e0000${machine}${number}`,
    ],
    removable: false,
    contents: {
      partition_table: 'gpt',
      file_system: '',
      partitions: [1, 2].map((partition) => ({
        number: partition,
        size_bytes: 536_870_912 * partition,
        type: '0fc63daf-8483-4772-8e79-3d69d8477de4',
        label: `part${partition}`,
        file_system: 'ext4',
      })),
    },
  });
  const report: HardwareReport = {
    mac_address: mac(machine),
    cpu: { model: 'Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz', cores: 28, threads: 56 },
    memory: {
      total_gb: 256,
      dimms: Array.from({ length: 16 }, (_, slot) => ({
        slot: `A${slot}`,
        size_gb: 16,
        type: 'DDR4',
        speed_mhz: 2400,
      })),
    },
    disks: [0, 1, 2, 3].map(disk),
    network: [0, 1, 2, 3].map((port) => ({
      interface: `eno${port}`,
      mac: mac(machine + (port << 16)),
      speed: '10Gbps',
      link: port === 0,
      driver: 'ixgbe',
    })),
    bios: { vendor: 'Dell Inc.', version: '2.10.0', serial: `SN${machine}` },
    system: {
      manufacturer: 'Dell Inc.',
      product: 'PowerEdge R730',
      uuid: '4c4c4544-0042-3510-8052-b4c04f4d3532',
      service_tag: 'BB5RMR2',
      asset_tag: '',
      firmware: 'uefi',
      secure_boot: false,
    },
    collected_at: isoTime(realClock.nowMs()),
  };
  return { schema_version: 1, report, digest: hardwareDigest(report, sha256) };
}

/** The events of a whole life after `pending`, ending `completed`. */
export function lifeOf(machine = 1): TaskEvent[] {
  const stored = hardware(machine);
  const [disk] = stored.report.disks;
  if (disk === undefined) throw new Error('the report has no disk');
  return [
    { name: 'prepared' },
    { name: 'boot_contacted', via: 'dhcp' },
    { name: 'hardware_reported', hardware: stored, sessionId: 'session-1' },
    {
      name: 'approved',
      approval: {
        approved_by: 'approver@example.com',
        hardware_digest: stored.digest,
        disk: identityOf(disk),
        image_digest: `sha256:${'a'.repeat(64)}`,
        grant_expires_at: isoTime(realClock.nowMs() + 3_600_000),
      },
      grant: `${'a'.repeat(120)}.${'b'.repeat(600)}.${'c'.repeat(86)}`,
    },
    { name: 'install_started', sessionId: 'session-1' },
    { name: 'install_succeeded', detail: 'image written and compared' },
    { name: 'host_up', detail: 'first check-in' },
  ];
}

/** Waits for a condition; fails with what it was waiting for. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(5);
  }
}
