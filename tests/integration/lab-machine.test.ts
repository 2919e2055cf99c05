/**
 * The lab without QEMU: what QEMU and dnsmasq are told, the console as lines, the forward between namespaces over a real
 * unix socket, and the guard that keeps the lab's bridge off the host's network.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConsoleStream } from '../../scripts/lab/console-stream';
import { machineArguments, type MachineDescription } from '../../scripts/lab/machine-arguments';
import { forwardFromNamespace, forwardToNamespace, namespaceCommand } from '../../scripts/lab/namespace';
import { foreignInterfaces } from '../../scripts/lab/network';
import { routerArguments } from '../../scripts/lab/router';

const MACHINE: MachineDescription = {
  name: 'web-1',
  mac: '52:54:00:77:00:01',
  uuid: '4c4c4544-0051-3510-8052-b4c04f4a3732',
  serial: 'SN,1',
  memoryMiB: 512,
  disk: { path: '/tmp/a,b.raw', sizeGiB: 4, serial: 'DISK1', bus: 'virtio' },
  firmware: 'bios',
  tap: 'lpmos-m1',
  accelerator: 'tcg',
};
const FILES = { qmpSocket: '/tmp/q', uefiVariables: '/tmp/v' };
const line = (machine: MachineDescription): string => machineArguments(machine, FILES).join(' ');

describe('machineArguments', () => {
  it('boots strictly from the network first, or from the disk first', () => {
    expect(line(MACHINE)).toMatch(/-boot strict=on/);
    expect(line(MACHINE)).toMatch(/mac=52:54:00:77:00:01,bootindex=0.*serial=DISK1,bootindex=1/);
    expect(line({ ...MACHINE, bootOrder: 'disk-first' })).toMatch(
      /mac=52:54:00:77:00:01,bootindex=1.*serial=DISK1,bootindex=0/,
    );
  });

  it('doubles commas, which would start an option of their own', () => {
    expect(line(MACHINE)).toContain('file=/tmp/a,,b.raw,format=raw');
    expect(line(MACHINE)).toContain('serial=SN,,1');
  });

  it.each([
    ['virtio', 'virtio-blk-pci,drive=disk0'],
    ['ahci', 'ide-hd,bus=ahci0.0,drive=disk0'],
    ['nvme', 'nvme,drive=disk0'],
  ] as const)('attaches a %s disk with its serial', (bus, device) => {
    expect(line({ ...MACHINE, disk: { ...MACHINE.disk, bus } })).toContain(`${device},serial=DISK1`);
  });

  it('gives UEFI machines variables of their own and keeps the code read-only', () => {
    const uefi = line({ ...MACHINE, firmware: 'uefi' });
    expect(uefi).toMatch(/unit=0,format=raw,readonly=on/);
    expect(uefi).toContain('unit=1,format=raw,file=/tmp/v');
    expect(line(MACHINE)).not.toContain('pflash');
  });

  it('leaves the order to the variables of a machine that keeps its own', () => {
    const kept = line({ ...MACHINE, firmware: 'uefi', bootOrder: 'kept' });
    expect(kept).not.toMatch(/bootindex|strict/);
  });

  it.each([
    ['bios', { rom: true, pxe: true, machine: 'pc,graphics=off' }],
    ['uefi', { rom: false, pxe: true, machine: 'pc,graphics=off' }],
    ['uefi-rom', { rom: true, pxe: true, machine: 'pc,graphics=off' }],
    ['uefi-http', { rom: false, pxe: false, machine: 'pc,graphics=off' }],
    ['uefi-secure', { rom: false, pxe: true, machine: 'q35,smm=on,graphics=off' }],
    ['arm64', { rom: false, pxe: true, machine: 'virt' }],
  ] as const)('begins %s with the network boot of that name', (firmware, expected) => {
    const text = line({ ...MACHINE, firmware });
    expect(text.includes('romfile=')).toBe(!expected.rom);
    expect(text.includes('IPv4PXESupport,string=n')).toBe(!expected.pxe);
    expect(text).toContain(`-machine ${expected.machine} -accel`);
  });

  it('puts a further card before the one that boots, and boots from the second', () => {
    const other = { mac: '52:54:00:77:00:02', tap: 'tap9', place: 'before' } as const;
    const text = line({ ...MACHINE, firmware: 'uefi', otherNics: [other] });
    expect(text).toMatch(/mac=52:54:00:77:00:02,romfile= .*mac=52:54:00:77:00:01,bootindex=0,romfile=/);
    expect(line({ ...MACHINE, otherNics: [{ ...other, place: 'after' }] })).toMatch(
      /mac=52:54:00:77:00:01,bootindex=0 .*mac=52:54:00:77:00:02/,
    );
  });

  it('lets a machine that reboots itself go on', () => {
    expect(line(MACHINE)).not.toContain('-no-reboot');
  });
});

describe('console stream', () => {
  const open = () => createConsoleStream({ now: () => 7 });

  it('finds a line that has passed, one that comes, and a prompt without line end', async () => {
    const stream = open();
    stream.push('first\r\n\x1b[2J\x1b[01;32msec');
    await expect(stream.waitFor(/first/, { deadlineMs: 1000 })).resolves.toEqual({ text: 'first', atMs: 7 });
    const second = stream.waitFor(/^second$/, { deadlineMs: 1000 });
    stream.push('ond\x1b[0m\ndebian login: ');
    await expect(second).resolves.toMatchObject({ text: 'second' });
    await expect(stream.waitFor(/login: $/, { deadlineMs: 1000 })).resolves.toMatchObject({
      text: 'debian login: ',
    });
  });

  it('ends a wait at the deadline and shows the last lines', async () => {
    const stream = open();
    stream.push('No bootable device.\n');
    await expect(stream.waitFor(/login/, { deadlineMs: 5 })).rejects.toThrow(
      /did not come.*No bootable device/s,
    );
  });

  it('ends waits and readers when the machine ends', async () => {
    const stream = open();
    const wait = stream.waitFor(/login/, { deadlineMs: 60_000 });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { text } of stream.lines()) seen.push(text);
    })();
    stream.push('one\ntwo');
    stream.close();
    await expect(wait).rejects.toThrow(/before the end/);
    await reading;
    expect(seen).toEqual(['one', 'two']);
  });

  it('keeps a bounded number of lines', () => {
    const stream = open();
    for (let index = 0; index < 6000; index += 1) stream.push(`${index}\n`);
    expect(stream.recent()).toHaveLength(5000);
    expect(stream.recent()[0]?.text).toBe('1000');
  });
});

describe('namespaces', () => {
  it('uses a user namespace for an ordinary user and none for root', () => {
    expect(namespaceCommand(['true'], 0).args).not.toContain('--user');
    expect(namespaceCommand(['true'], 1000).args).toEqual(
      expect.arrayContaining(['--user', '--map-root-user']),
    );
    expect(namespaceCommand(['true'], 0).args).toEqual(
      expect.arrayContaining(['--net', '--kill-child', 'true']),
    );
  });

  it('knows a network that is not the lab by its interfaces', () => {
    const links = [
      { ifname: 'lo' },
      { ifname: 'lpmos0', linkinfo: { info_kind: 'bridge' } },
      { ifname: 'lpmos-m1', linkinfo: { info_kind: 'tun' } },
    ];
    expect(foreignInterfaces(JSON.stringify(links))).toEqual([]);
    expect(foreignInterfaces(JSON.stringify([...links, { ifname: 'eth0' }]))).toEqual(['eth0']);
  });

  it('carries a connection from outside through the unix socket to a port inside', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lpmos-forward-'));
    const socketPath = join(folder, 'api');
    const echo = createServer((socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => {
      echo.listen(0, '127.0.0.1', resolve);
    });
    const inner = await forwardFromNamespace({
      socketPath,
      host: '127.0.0.1',
      port: (echo.address() as AddressInfo).port,
    });
    const outer = await forwardToNamespace({ socketPath, port: 0 });
    try {
      const answer = await new Promise<string>((resolve, reject) => {
        const client = connect({ port: outer.port, host: '127.0.0.1' }, () => client.end('hello'));
        let text = '';
        client.on('data', (chunk) => (text += chunk.toString()));
        client.on('end', () => resolve(text));
        client.on('error', reject);
      });
      expect(answer).toBe('hello');
    } finally {
      await outer.close();
      await inner.close();
      await new Promise<void>((resolve) => {
        echo.close(() => resolve());
      });
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

it('the router answers solicitations and serves neither DNS nor leases', () => {
  expect(routerArguments('lpmos0')).toEqual(
    expect.arrayContaining([
      '--port=0',
      '--enable-ra',
      '--dhcp-range=fd77::,ra-only,64',
      '--interface=lpmos0',
    ]),
  );
});
