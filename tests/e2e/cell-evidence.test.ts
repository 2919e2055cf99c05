/** The judges of the firmware matrix: a machine that booted another way than its cell says must be found out. */
import { arm64Problems } from './harness/arm64-boot';
import type { BootLogEntry } from './harness/boot-log';
import { chainProblems, hardwareProblems } from './harness/cell-evidence';
import { FIRMWARE_CELLS, machineOfCell } from './harness/firmware-cells';
import type { FirmwareCell } from './harness/firmware-cells';
import type { TaskAnswer } from './harness/follow-task';
import { requestProblems } from './harness/machine-life';

const cellNamed = (name: string): FirmwareCell => {
  const found = FIRMWARE_CELLS.find((cell) => cell.name === name);
  if (found === undefined) throw new Error(`no cell ${name}`);
  return found;
};

const UEFI = cellNamed('uefi/server/virtio/ahci/second-card/old-data');
const HTTP = cellNamed('uefi-http/server/virtio/virtio');
const BIOS = cellNamed('bios/server/virtio/virtio');
const PROXY = cellNamed('uefi/proxy/virtio/virtio');

const entry = (protocol: string, request: string, more: Partial<BootLogEntry> = {}): BootLogEntry => ({
  ...{ protocol, peer: '10.77.0.101', request, outcome: 'completed', reason: 'sent' },
  ...more,
});
const BY_TFTP = entry('tftp', 'RRQ snponly.efi octet');
const BY_HTTP = entry('http', 'GET /boot/loaders/snponly.efi');
const SCRIPT = entry('http', 'GET /boot/menu.ipxe?mac=52:54:00:00:00:01', { decision: 'local-disk' });
const LEASE = entry('dhcp', 'DHCPDISCOVER', { reason: 'DHCPOFFER 10.77.0.101, loader snponly.efi' });

it('names every cell once, and no two machines share a MAC, a serial or a disk', () => {
  const machines = FIRMWARE_CELLS.map((cell) => machineOfCell(cell, '/lab'));
  const distinct = (values: readonly unknown[]): number => new Set(values).size;
  expect(distinct(FIRMWARE_CELLS.map(({ name }) => name))).toBe(FIRMWARE_CELLS.length);
  expect(
    distinct(machines.flatMap(({ mac, otherNics = [] }) => [mac, ...otherNics.map((nic) => nic.mac)])),
  ).toBe(FIRMWARE_CELLS.length + FIRMWARE_CELLS.filter(({ cards }) => cards === 2).length);
  expect(distinct(machines.map(({ serial }) => serial))).toBe(FIRMWARE_CELLS.length);
  expect(distinct(machines.map(({ disk }) => disk.path))).toBe(FIRMWARE_CELLS.length);
});

it('boots every chain, both links and every kind of card and disk', () => {
  const seen = (pick: (cell: FirmwareCell) => unknown): unknown[] =>
    [...new Set(FIRMWARE_CELLS.map(pick))].sort();
  expect(seen(({ chain }) => chain)).toEqual(['bios', 'bios-undionly', 'uefi', 'uefi-http', 'uefi-rom']);
  expect(seen(({ link }) => link)).toEqual(['proxy', 'server']);
  expect(seen(({ nic }) => nic)).toEqual(['e1000', 'e1000e', 'virtio']);
  expect(seen(({ disk }) => disk)).toEqual(['ahci', 'nvme', 'virtio']);
});

describe('the requests of a boot', () => {
  it.each([
    ['a loader by TFTP', UEFI, [BY_TFTP, SCRIPT]],
    ['a loader by HTTP', HTTP, [BY_HTTP, SCRIPT]],
    ['no loader for a ROM that is iPXE', BIOS, [SCRIPT]],
    ['a proxy that leases nothing', PROXY, [BY_TFTP, SCRIPT]],
  ])('are right with %s', (_what, cell, log) => {
    expect(chainProblems(cell, log)).toEqual([]);
  });

  it.each([
    [
      'a loader by TFTP for HTTP boot',
      HTTP,
      [BY_TFTP, SCRIPT],
      /no loader was loaded by http.*another way: tftp/s,
    ],
    ['no loader at all', UEFI, [SCRIPT], /no loader was loaded by tftp/],
    ['a loader that was refused', UEFI, [{ ...BY_TFTP, outcome: 'refused' }, SCRIPT], /no loader/],
    ['a loader that nobody needs', BIOS, [BY_TFTP, SCRIPT], /nobody needs/],
    ['a machine that came twice', UEFI, [BY_TFTP, SCRIPT, SCRIPT], /scripts asked for: 2 instead of 1/],
    ['a proxy that leases', PROXY, [LEASE, BY_TFTP, SCRIPT], /the proxy leased 1 times/],
  ])('are wrong with %s', (_what, cell, log, problem) => {
    expect(chainProblems(cell, log).join('\n')).toMatch(problem);
  });
});

describe('a 64-bit ARM machine', () => {
  const loader = entry('tftp', 'RRQ ipxe-arm64.efi');
  const own = entry('tftp', 'RRQ autoexec.ipxe', { outcome: 'refused' });
  const kernel = entry('http', 'GET /boot/assets/agent/vmlinuz');
  const refused = entry('http', 'GET /boot/menu.ipxe?mac=1&arch=arm64', {
    outcome: 'refused',
    reason: 'the boot agent of this region is built for x86-64, and this machine is arm64',
  });

  it('is right when it loads its loader and is told, although it asks for a script that is not there', () => {
    expect(arm64Problems([loader, own, refused])).toEqual([]);
  });

  it.each([
    ['the loader of another processor', [BY_TFTP, refused], /no loader for arm64/],
    ['a kernel of another processor', [loader, SCRIPT, kernel], /sent a kernel of x86-64/],
    ['a script that does not say it', [loader, SCRIPT], /does not say/],
    ['a refused file', [loader, entry('tftp', 'RRQ x', { outcome: 'refused' }), refused], /RRQ x: refused/],
  ])('is wrong with %s', (_what, log, problem) => {
    expect(arm64Problems(log).join('\n')).toMatch(problem);
  });
});

describe('the hardware report', () => {
  const machine = machineOfCell(UEFI, '/lab');
  const nic = (mac: string) => ({
    mac,
    interface: 'eth0',
    speed: 'unknown',
    link: true,
    driver: 'virtio_net',
  });
  const report = (more: object = {}): TaskAnswer['hardware'] =>
    ({
      mac_address: machine.mac,
      network: [nic(machine.mac), nic('52:54:01:00:00:01')],
      disks: [
        { serial: machine.disk.serial, type: 'HDD', contents: { partitions: [{ label: 'old-data' }] } },
      ],
      system: { firmware: 'uefi' },
      ...more,
    }) as unknown as TaskAnswer['hardware'];

  it('is right when it is the machine of the cell', () => {
    expect(hardwareProblems(UEFI, machine, report())).toEqual([]);
  });

  it.each([
    ['another card', { mac_address: '52:54:01:00:00:01' }, /the card that booted/],
    ['one card', { network: [nic(machine.mac)] }, /number of cards: 1 instead of 2/],
    ['another firmware', { system: { firmware: 'bios' } }, /firmware: bios instead of uefi/],
    ['no disk', { disks: [] }, /number of disks.*serial of the disk/s],
    [
      'a disk without the old data',
      { disks: [{ serial: machine.disk.serial, type: 'NVMe', contents: { partitions: [] } }] },
      /an NVMe disk: true.*partitions of the disk: {2}instead of old-data/s,
    ],
  ])('is wrong with %s', (_what, more, problem) => {
    expect(hardwareProblems(UEFI, machine, report(more)).join('\n')).toMatch(problem);
  });

  it('is wrong when there is none', () => {
    expect(hardwareProblems(UEFI, machine, undefined)).toHaveLength(1);
  });
});

describe('the power-ons of an installed machine', () => {
  const firmware = entry('dhcp', 'DHCPDISCOVER', { stage: 'firmware' });
  const system = entry('dhcp', 'DHCPDISCOVER', { stage: 'os' });

  it('leave the network, at most twice each, or never ask it', () => {
    const left = [firmware, SCRIPT, system, firmware, SCRIPT];
    expect(requestProblems(left, { times: 2, way: 'leaves-network' })).toEqual([]);
    expect(requestProblems([...left, SCRIPT, SCRIPT], { times: 2, way: 'leaves-network' })).toEqual([]);
    expect(requestProblems([system], { times: 2, way: 'disk-first' })).toEqual([]);
  });

  it.each([
    ['one script too few', [SCRIPT], 'leaves-network', /1 scripts at 2 power-ons/],
    ['one script too many', Array<BootLogEntry>(5).fill(SCRIPT), 'leaves-network', /5 scripts at 2/],
    [
      'a script that boots the agent',
      [{ ...SCRIPT, decision: 'agent' }, SCRIPT],
      'leaves-network',
      /the decision agent/,
    ],
    ['a kernel', [SCRIPT, SCRIPT, entry('http', 'GET /x/vmlinuz')], 'leaves-network', /install again/],
    ['an image', [entry('http', 'GET /images/debian')], 'disk-first', /asked the network: GET .images/],
    ['firmware that asks', [firmware], 'disk-first', /asked the network: DHCPDISCOVER/],
  ] as const)('are wrong with %s', (_what, log, way, problem) => {
    expect(requestProblems(log, { times: 2, way }).join('\n')).toMatch(problem);
  });
});
