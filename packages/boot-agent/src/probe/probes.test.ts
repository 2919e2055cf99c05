import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import type { MacAddress } from '@lpmos/core';
import { createFixtureMachine } from '../testing/fixture-machine';
import type { FixtureMachine } from '../testing/fixture-machine';
import { sampleServer } from '../testing/smbios-table';
import { parseCpuinfo } from './cpu';
import { probeDisks } from './disks';
import { probeHardware } from './hardware';
import { memoryOf } from './memory';
import { probeNics, speedText } from './nics';
import { parseSmbiosStructures, smbiosFacts } from './smbios';

const MIB = 1024 * 1024;
let machine: FixtureMachine;
beforeEach(() => {
  machine = createFixtureMachine();
});
afterEach(() => {
  machine.remove();
});

describe('SMBIOS', () => {
  it('yields what a server says of itself', () => {
    expect(smbiosFacts(parseSmbiosStructures(sampleServer()))).toEqual({
      biosVendor: 'SeaBIOS',
      biosVersion: '1.16',
      manufacturer: 'ACME',
      product: 'Server 1',
      serial: 'SVC1234',
      uuid: '00112233-4455-6677-8899-aabbccddeeff',
      boardSerial: 'BOARD1',
      chassisSerial: 'CHASSIS1',
      assetTag: 'ASSET9',
      sockets: [{ model: 'Xeon X', cores: 300, threads: 8 }],
      dimms: [
        { slot: 'DIMM_A1', sizeMb: 16384, type: 'DDR4', speedMhz: 2933 },
        { slot: 'DIMM_B1', sizeMb: 16384, type: 'DDR4', speedMhz: 2933 },
      ],
    });
  });

  it('survives every damage', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), fc.nat(255), (cut, at, value) => {
        const table = Buffer.from(sampleServer());
        table[at % table.length] = value;
        const facts = smbiosFacts(parseSmbiosStructures(table.subarray(0, cut % (table.length + 1))));
        expect(facts.dimms.length).toBeLessThanOrEqual(10);
      }),
    );
  });
});

describe('processors and memory', () => {
  it('counts cores by topology, and processors where there is none', () => {
    const block = (id: number, rest: string): string => `processor\t: ${id}\nmodel name\t: A  B\n${rest}\n`;
    const two = [0, 1, 2, 3].map((id) => block(id, `physical id\t: ${id >> 1}\ncore id\t\t: 0`)).join('\n');
    expect(parseCpuinfo(two)).toEqual({ model: 'A B', cores: 2, threads: 4 });
    expect(parseCpuinfo([0, 1, 2].map((id) => block(id, '')).join('\n'))).toMatchObject({
      cores: 3,
      threads: 3,
    });
  });

  it('sums modules, or rounds up what the kernel sees', () => {
    const facts = smbiosFacts(parseSmbiosStructures(sampleServer()));
    expect(memoryOf(facts, '').total_gb).toBe(32);
    expect(memoryOf({ ...facts, dimms: [] }, 'MemTotal:      1990000 kB\n')).toEqual({
      total_gb: 2,
      dimms: [],
    });
  });
});

describe('network ports', () => {
  it('are those with a device, with speed, link and driver', async () => {
    machine.write('/sys/class/net/lo/address', '00:00:00:00:00:00\n');
    machine.write('/sys/class/net/br0/address', '02:00:00:00:00:09\n');
    machine.write('/sys/class/net/eth0/address', '52:54:00:AA:BB:CC\n');
    machine.write('/sys/class/net/eth0/speed', '10000\n');
    machine.write('/sys/class/net/eth0/carrier', '1\n');
    machine.link('/sys/class/net/eth0/device/driver', '../../../bus/pci/drivers/ixgbe');
    machine.write('/sys/class/net/eth1/address', '52:54:00:aa:bb:cd\n');
    machine.write('/sys/class/net/eth1/device/vendor', '');
    expect(await probeNics(machine.reader)).toEqual([
      { interface: 'eth0', mac: '52:54:00:aa:bb:cc', speed: '10Gbps', link: true, driver: 'ixgbe' },
      { interface: 'eth1', mac: '52:54:00:aa:bb:cd', speed: 'unknown', link: false, driver: '' },
    ]);
  });

  it.each([
    ['100', '100Mbps'],
    ['2500', '2.5Gbps'],
    ['-1', 'unknown'],
    ['4294967295', 'unknown'],
    ['', 'unknown'],
  ])('say %s as %s', (text, words) => {
    expect(speedText(text)).toBe(words);
  });
});

describe('disks', () => {
  it('are named as udev names them, whatever their bus', async () => {
    const t10 = `t10.ATA     ${'QEMU HARDDISK'.padEnd(40)}${'QM00001'.padEnd(20)}\n`;
    machine.addDisk({ name: 'vda', bytes: MIB, attributes: { serial: 'V 1\n', 'queue/rotational': '1\n' } });
    machine.addDisk({
      name: 'sda',
      bytes: MIB,
      attributes: {
        'device/vendor': 'ATA     \n',
        'device/model': 'QEMU HARDDISK   \n',
        'device/wwid': t10,
        'queue/rotational': '0\n',
      },
    });
    machine.addDisk({
      name: 'sdb',
      bytes: MIB,
      attributes: {
        'device/vendor': 'SEAGATE \n',
        'device/model': 'ST600 \n',
        'device/wwid': 'naa.5000C500A1B2C3D4\n',
        'device/vpd_pg80': Buffer.from('\0\x80\0\x08SER 0001', 'latin1'),
        'queue/rotational': '1\n',
      },
    });
    machine.addDisk({
      name: 'nvme0n1',
      bytes: MIB,
      attributes: {
        'device/model': 'Fast One  \n',
        'device/serial': 'N-7   \n',
        wwid: 'eui.0025385b\n',
        'queue/rotational': '0\n',
      },
    });
    for (const name of ['loop0', 'sr0', 'ram0', 'zram0', 'md0', 'dm-0', 'nvme1n1'])
      machine.addDisk({ name, bytes: MIB });
    machine.write('/sys/block/nvme1n1/hidden', '1\n');
    machine.addDisk({ name: 'sdc', bytes: 0 });
    const disks = await probeDisks(machine.reader);
    expect(
      disks.map(({ device, type, model, serial, wwn, by_id }) => ({
        device,
        type,
        model,
        serial,
        wwn,
        by_id,
      })),
    ).toEqual([
      {
        device: '/dev/nvme0n1',
        type: 'NVMe',
        model: 'Fast One',
        serial: 'N-7',
        wwn: 'eui.0025385b',
        by_id: ['nvme-eui.0025385b', 'nvme-Fast_One_N-7'],
      },
      {
        device: '/dev/sda',
        type: 'SSD',
        model: 'QEMU HARDDISK',
        serial: 'QM00001',
        wwn: '',
        by_id: ['ata-QEMU_HARDDISK_QM00001'],
      },
      {
        device: '/dev/sdb',
        type: 'HDD',
        model: 'SEAGATE ST600',
        serial: 'SER 0001',
        wwn: '0x5000c500a1b2c3d4',
        by_id: ['scsi-35000c500a1b2c3d4', 'wwn-0x5000c500a1b2c3d4'],
      },
      { device: '/dev/vda', type: 'HDD', model: '', serial: 'V 1', wwn: '', by_id: ['virtio-V_1'] },
    ]);
  });

  it('show a table and what its partitions hold', async () => {
    const file = machine.addDisk({ name: 'sda', bytes: 40 * MIB });
    execFileSync('sfdisk', ['-q', file], {
      input: 'label: gpt\nstart=1MiB, size=16MiB, name=data\nsize=4MiB, name="swap it", type=S\n',
    });
    const volume = join(machine.root, 'ext');
    execFileSync('truncate', ['-s', '16M', volume]);
    execFileSync('mkfs.ext4', ['-q', volume]);
    execFileSync('dd', [`if=${volume}`, `of=${file}`, 'bs=1M', 'seek=1', 'conv=notrunc', 'status=none']);
    const swap = join(machine.root, 'swap');
    execFileSync('truncate', ['-s', '4M', swap]);
    execFileSync('mkswap', ['-q', swap]);
    execFileSync('dd', [`if=${swap}`, `of=${file}`, 'bs=1M', 'seek=17', 'conv=notrunc', 'status=none']);
    const [disk] = await probeDisks(machine.reader);
    expect(disk?.contents).toEqual({
      partition_table: 'gpt',
      file_system: '',
      partitions: [
        {
          number: 1,
          size_bytes: 16 * MIB,
          type: '0fc63daf-8483-4772-8e79-3d69d8477de4',
          label: 'data',
          file_system: 'ext4',
        },
        {
          number: 2,
          size_bytes: 4 * MIB,
          type: '0657fd6d-a4ab-43c4-84e5-0933c84b4f4f',
          label: 'swap it',
          file_system: 'swap',
        },
      ],
    });
    // The primary table is gone: the backup still tells what would be destroyed.
    execFileSync('dd', [
      'if=/dev/zero',
      `of=${file}`,
      'bs=512',
      'seek=1',
      'count=8',
      'conv=notrunc',
      'status=none',
    ]);
    expect((await probeDisks(machine.reader))[0]?.contents.partitions[0]?.label).toBe('data');
    execFileSync('dd', [
      'if=/dev/zero',
      `of=${file}`,
      'bs=1M',
      'seek=39',
      'count=1',
      'conv=notrunc',
      'status=none',
    ]);
    expect((await probeDisks(machine.reader))[0]?.contents.partition_table).toBe('unreadable');
  });

  it('show logical partitions of an MBR', async () => {
    const file = machine.addDisk({ name: 'sda', bytes: 40 * MIB });
    const table = `label: dos\n${file}1: size=4MiB, type=83\n${file}2: size=20MiB, type=5\n${file}5: size=4MiB, type=83\n${file}6: size=4MiB, type=82\n`;
    execFileSync('sfdisk', ['-q', file], { input: table });
    const [disk] = await probeDisks(machine.reader);
    expect(disk?.contents.partition_table).toBe('mbr');
    expect(
      disk?.contents.partitions.map(({ number, type, size_bytes }) => [number, type, size_bytes / MIB]),
    ).toEqual([
      [1, '83', 4],
      [2, '05', 20],
      [5, '83', 4],
      [6, '82', 4],
    ]);
  });

  it.each<[string, number, string]>([
    ['xfs', 0, 'XFSB'],
    ['luks', 0, 'LUKS\u00ba\u00be'],
    ['ntfs', 3, 'NTFS    '],
    ['vfat', 82, 'FAT32   '],
    ['lvm2', 512, 'LABELONE'],
    ['btrfs', 0x10040, '_BHRfS_M'],
    ['zfs', 128 * 1024 + 4096, '\u000c\u00b1\u00ba\0\0\0\0\0'],
    ['md', 4096, '\u00fc\u004e\u002b\u00a9'],
    ['md', MIB - 65536, '\u00fc\u004e\u002b\u00a9'],
    ['', 0, ''],
  ])('without a table may hold %s (magic at %i)', async (name, at, magic) => {
    const file = machine.addDisk({ name: 'sda', bytes: MIB });
    const bytes = Buffer.alloc(MIB);
    bytes.write(magic, at, 'latin1');
    writeFileSync(file, bytes);
    expect((await probeDisks(machine.reader))[0]?.contents).toEqual({
      partition_table: 'none',
      file_system: name,
      partitions: [],
    });
  });

  it('survive any bytes as a table', async () => {
    const file = machine.addDisk({ name: 'sda', bytes: MIB });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1536, maxLength: 1536 }), async (noise) => {
        const bytes = Buffer.alloc(MIB);
        bytes.set(noise);
        bytes.set([0x55, 0xaa], 510);
        bytes.write('EFI PART', 512, 'latin1');
        writeFileSync(file, bytes);
        expect(await probeDisks(machine.reader)).toHaveLength(1);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a hardware report', () => {
  it('is whole, with Secure Boot as the firmware says', async () => {
    machine.write(
      '/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c',
      Buffer.from([6, 0, 0, 0, 1]),
    );
    machine.addDisk({ name: 'sda', bytes: MIB, attributes: { serial: 'evil\u001b[2J' } });
    const report = await probeHardware({
      reader: machine.reader,
      mac: '52:54:00:aa:bb:cc' as MacAddress,
      nowMs: 0,
    });
    expect(report).toMatchObject({
      cpu: { model: 'Test CPU', cores: 2, threads: 4 },
      memory: { total_gb: 32 },
      disks: [{ serial: 'evil?[2J', size_bytes: MIB }],
      bios: { vendor: 'SeaBIOS', version: '1.16', serial: 'BOARD1' },
      system: { service_tag: 'SVC1234', firmware: 'uefi', secure_boot: true },
      collected_at: '1970-01-01T00:00:00.000Z',
    });
  });
});
