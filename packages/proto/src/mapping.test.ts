import fc from 'fast-check';
import type { HardwareReport, MacAddress } from '@lpmos/core';
import {
  cleanHardwareText,
  hardwareFromWire,
  hardwareToWire,
  HARDWARE_LIMITS,
  WireHardwareReport,
} from './index';

const text = fc.string({ maxLength: 150 }).map(cleanHardwareText);
const mac = fc
  .uint8Array({ minLength: 5, maxLength: 5 })
  .map(
    (bytes) => ['02', ...Array.from(bytes, (b) => b.toString(16).padStart(2, '0'))].join(':') as MacAddress,
  );
const gb = fc.double({ min: 0, max: 1e6, noNaN: true }).map(Math.abs);
const bytes = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const partition = fc.record({
  number: fc.nat({ max: 128 }),
  size_bytes: bytes,
  type: text,
  label: text,
  file_system: text,
});
const disk = fc.record({
  device: text,
  size_gb: gb,
  size_bytes: bytes,
  type: fc.constantFrom('SSD' as const, 'HDD' as const, 'NVMe' as const),
  model: text,
  serial: text,
  wwn: text,
  by_id: fc.array(text, { maxLength: 4 }),
  removable: fc.boolean(),
  contents: fc.record({
    partition_table: fc.constantFrom('gpt' as const, 'mbr' as const, 'none' as const, 'unreadable' as const),
    file_system: text,
    partitions: fc.array(partition, { maxLength: 3 }),
  }),
});
const report: fc.Arbitrary<HardwareReport> = fc.record({
  mac_address: mac,
  cpu: fc.record({ model: text, cores: fc.nat({ max: 65_536 }), threads: fc.nat({ max: 65_536 }) }),
  memory: fc.record({
    total_gb: gb,
    dimms: fc.array(fc.record({ slot: text, size_gb: gb, type: text, speed_mhz: fc.nat({ max: 9999 }) }), {
      maxLength: 3,
    }),
  }),
  disks: fc.array(disk, { maxLength: 3 }),
  network: fc.array(fc.record({ interface: text, mac, speed: text, link: fc.boolean(), driver: text }), {
    maxLength: 3,
  }),
  bios: fc.record({ vendor: text, version: text, serial: text }),
  system: fc.record({
    manufacturer: text,
    product: text,
    uuid: fc.oneof(fc.constant(''), fc.uuid()),
    service_tag: text,
    asset_tag: text,
    firmware: fc.constantFrom('bios' as const, 'uefi' as const),
    secure_boot: fc.boolean(),
  }),
  collected_at: fc
    .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
    .map((d) => d.toISOString()),
});

const throughBytes = (wire: WireHardwareReport): WireHardwareReport =>
  WireHardwareReport.decode(WireHardwareReport.encode(wire).finish());

describe('hardware mapping', () => {
  it('gives back every report that went over the wire', () => {
    fc.assert(
      fc.property(report, (before) => {
        expect(hardwareFromWire(throughBytes(hardwareToWire(before)))).toEqual({ report: before });
      }),
    );
  });

  it('is total: any decodable message is a report or problems, never a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        let wire: WireHardwareReport;
        try {
          wire = WireHardwareReport.decode(noise);
        } catch {
          return;
        }
        const reading = hardwareFromWire(wire);
        expect('report' in reading || reading.problems.length > 0).toBe(true);
      }),
    );
  });

  it('names every problem of an empty message at once', () => {
    const reading = hardwareFromWire(WireHardwareReport.create());
    expect('problems' in reading && reading.problems.map(({ path }) => path).sort()).toEqual([
      'bios',
      'collected_at',
      'cpu',
      'mac_address',
      'memory',
      'system',
    ]);
  });

  const [sample] = fc.sample(report, { numRuns: 1, seed: 7 });
  const wireWith = (change: (wire: WireHardwareReport) => void): WireHardwareReport => {
    if (sample === undefined) throw new Error('no sample');
    const wire = hardwareToWire({ ...sample, disks: [], network: [] });
    change(wire);
    return wire;
  };
  const wireDisk = {
    device: '/dev/sda',
    sizeGb: 1,
    sizeBytes: '1000',
    type: 'SSD',
    model: 'M',
    serial: 'S',
    wwn: '',
    byId: [],
    removable: false,
    contents: { partitionTable: 'none', fileSystem: '', partitions: [] },
  };

  it.each<[string, (wire: WireHardwareReport) => void]>([
    ['mac_address', (wire) => (wire.macAddress = 'ff:ff:ff:ff:ff:ff')],
    ['memory.total_gb', (wire) => (wire.memory = { totalGb: Number.POSITIVE_INFINITY, dimms: [] })],
    ['cpu.cores', (wire) => (wire.cpu = { model: '', cores: 70_000, threads: 1 })],
    ['system.uuid', (wire) => wire.system && (wire.system.uuid = 'not-a-uuid')],
    ['system.firmware', (wire) => wire.system && (wire.system.firmware = 'coreboot')],
    ['collected_at', (wire) => (wire.collectedAt = 'yesterday')],
    ['disks', (wire) => (wire.disks = Array.from({ length: HARDWARE_LIMITS.disks + 1 }, () => wireDisk))],
    ['disks[0].type', (wire) => (wire.disks = [{ ...wireDisk, type: 'tape' }])],
    ['disks[0].size_bytes', (wire) => (wire.disks = [{ ...wireDisk, sizeBytes: '18446744073709551615' }])],
    ['disks[0].contents', (wire) => (wire.disks = [{ ...wireDisk, contents: undefined }])],
  ])('refuses a bad %s and names it', (path, change) => {
    const reading = hardwareFromWire(wireWith(change));
    expect('problems' in reading && reading.problems.map((each) => each.path)).toEqual([path]);
  });

  it('makes text of attackers harmless and short', () => {
    const reading = hardwareFromWire(
      wireWith(
        (wire) =>
          (wire.disks = [{ ...wireDisk, serial: `\u001b[2J${'x'.repeat(500)}`, model: ' a\nb\u00e9 ' }]),
      ),
    );
    expect('report' in reading && reading.report.disks[0]).toMatchObject({
      serial: `?[2J${'x'.repeat(124)}`,
      model: 'a?b?',
    });
  });
});
