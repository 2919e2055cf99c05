/** The fingerprint changes with what a machine is, and with nothing else. */
import { createHash } from 'node:crypto';
import { EXAMPLE_REPORT } from '../testing/example-task';
import { hardwareDifferences, hardwareDigest } from './hardware';
import type { HardwareReport } from './hardware';
import type { MacAddress } from './mac-address';

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
const digest = (report: HardwareReport): string => hardwareDigest(report, sha256);
const [disk] = EXAMPLE_REPORT.disks;
const [port] = EXAMPLE_REPORT.network;
if (disk === undefined || port === undefined) throw new Error('the example lacks a disk or a port');
const second = { ...disk, serial: 'OTHER', wwn: '', device: '/dev/sdb' };

describe('hardwareDigest', () => {
  it.each<[string, HardwareReport]>([
    ['the time', { ...EXAMPLE_REPORT, collected_at: '2027-01-01T00:00:00.000Z' }],
    ['link and speed', { ...EXAMPLE_REPORT, network: [{ ...port, link: false, speed: '1Gbps' }] }],
    ['kernel names', { ...EXAMPLE_REPORT, disks: [{ ...disk, device: '/dev/sdz' }] }],
    ['a USB stick', { ...EXAMPLE_REPORT, disks: [disk, { ...second, removable: true }] }],
    [
      'what is on the disk',
      {
        ...EXAMPLE_REPORT,
        disks: [{ ...disk, contents: { partition_table: 'gpt', file_system: '', partitions: [] } }],
      },
    ],
  ])('does not change with %s', (_what, report) => expect(digest(report)).toBe(digest(EXAMPLE_REPORT)));

  it.each<[string, HardwareReport]>([
    ['another disk', { ...EXAMPLE_REPORT, disks: [{ ...disk, serial: 'S4EVNX0N' }] }],
    ['one disk more', { ...EXAMPLE_REPORT, disks: [disk, second] }],
    ['another card', { ...EXAMPLE_REPORT, network: [{ ...port, mac: '00:1a:2b:3c:4d:5f' as MacAddress }] }],
    ['less memory', { ...EXAMPLE_REPORT, memory: { ...EXAMPLE_REPORT.memory, total_gb: 16 } }],
    ['another mainboard', { ...EXAMPLE_REPORT, system: { ...EXAMPLE_REPORT.system, uuid: 'other' } }],
  ])('changes with %s', (_what, report) => {
    expect(digest(report)).not.toBe(digest(EXAMPLE_REPORT));
    expect(hardwareDifferences(EXAMPLE_REPORT, report)).toHaveLength(1);
  });

  it('does not depend on the order in which disks were found', () => {
    const one = { ...EXAMPLE_REPORT, disks: [disk, second] };
    const other = { ...EXAMPLE_REPORT, disks: [second, disk] };
    expect(digest(one)).toBe(digest(other));
  });
});
