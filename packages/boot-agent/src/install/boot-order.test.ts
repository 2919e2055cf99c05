/** The boot order of a machine whose UEFI variables are files of a folder: what is written, what is left, what is only a warning. */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Disk } from '@lpmos/core';
import type { Gpt } from '../disk/gpt';
import { createFixtureMachine, type FixtureMachine } from '../testing/fixture-machine';
import { putDiskFirst } from './boot-order';
import { ENTRY_NAME, planBootOrder } from './boot-order-plan';
import { decodeLoadOption, encodeLoadOption } from './load-option';

const VARIABLES = '/sys/firmware/efi/efivars';
const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
const GUID = Buffer.from('443322116655887799aabbccddeeff00', 'hex');
const ATTRIBUTES = Buffer.of(7, 0, 0, 0);

function entry(description: string, number = 1, file = '\\EFI\\BOOT\\BOOTX64.EFI'): Buffer {
  return encodeLoadOption({
    description,
    file,
    partition: { number, startSector: 2048n, sectors: 65536n, guid: GUID },
  });
}
const orderOf = (...numbers: number[]): Buffer => Buffer.from(Uint16Array.from(numbers).buffer);
const plan = (order: Buffer | undefined, entries: Record<number, Buffer>, option = entry(ENTRY_NAME)) =>
  planBootOrder(
    { order, entries: new Map(Object.entries(entries).map(([number, value]) => [Number(number), value])) },
    option,
  );

describe('the plan', () => {
  it('takes the first free number and puts it before all others', () => {
    const planned = plan(orderOf(1, 0), { 0: entry('PXE', 9), 1: entry('HTTP', 9) });
    expect(planned).toEqual({
      entry: 'Boot0002',
      writes: [
        { name: 'Boot0002', value: entry(ENTRY_NAME) },
        { name: 'BootOrder', value: orderOf(2, 1, 0) },
      ],
    });
    expect(plan(undefined, {})?.writes.at(-1)).toEqual({ name: 'BootOrder', value: orderOf(0) });
  });

  it('writes nothing the second time', () => {
    const after = plan(orderOf(2, 1, 0), { 0: entry('PXE', 9), 1: entry('HTTP', 9), 2: entry(ENTRY_NAME) });
    expect(after).toEqual({ entry: 'Boot0002', writes: [] });
  });

  it('writes its own entry anew when the disk is another one, and makes no second', () => {
    const other = entry(ENTRY_NAME, 3);
    expect(plan(orderOf(0, 1), { 0: entry('PXE', 9), 1: entry(ENTRY_NAME) }, other)?.writes).toEqual([
      { name: 'Boot0001', value: other },
      { name: 'BootOrder', value: orderOf(1, 0) },
    ]);
  });

  it('takes over an entry of the firmware that leads to the same place', () => {
    const planned = plan(orderOf(0, 5), { 0: entry('PXE', 9), 5: entry('UEFI QEMU HARDDISK') });
    expect(planned?.entry).toBe('Boot0005');
  });

  it('leaves a number alone whose entry cannot be read', () => {
    expect(plan(orderOf(0), { 0: Buffer.alloc(0), 1: Buffer.from('junk') })?.entry).toBe('Boot0002');
  });
});

describe('a machine after its installation', () => {
  let machine: FixtureMachine;
  beforeEach(() => {
    machine = createFixtureMachine();
  });
  afterEach(() => machine.remove());

  const disk = { device: '/dev/vda' } as Disk;
  const entries = Buffer.alloc(128);
  GUID.copy(entries, 16);
  const gpt: Gpt = {
    header: Buffer.alloc(512),
    entries,
    entrySize: 128,
    sectorSize: 512,
    partitions: [
      {
        ...{ number: 1, typeGuid: 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b', label: 'esp' },
        ...{ startBytes: 2048 * 512, sizeBytes: 65536 * 512 },
      },
    ],
  };
  const order = (options: { readonly gpt?: Gpt } = {}) => {
    let now = 0;
    const nowMs = () => (now += 20_000);
    return putDiskFirst({ reader: machine.reader, disk, gpt, nowMs, processor: 'x64', ...options });
  };
  const put = (name: string, value: Buffer): void =>
    machine.write(`${VARIABLES}/${name}-${GLOBAL}`, Buffer.concat([ATTRIBUTES, value]));
  const variable = (name: string): Buffer =>
    readFileSync(join(machine.root, VARIABLES, `${name}-${GLOBAL}`)).subarray(4);
  /** The node of the partition and what is found when it is mounted. */
  const partitionIs = (files: readonly string[]): void => {
    machine.write('/dev/vda1', '');
    machine.write('/sys/block/vda/vda1/start', '2048\n');
    for (const file of files) machine.write(`/mnt/esp/${file}`, 'loader');
  };

  it('has the disk first, and the firmware keeps the rest of its order', async () => {
    put('Boot0000', entry('PXE', 9));
    put('BootOrder', orderOf(0));
    expect(await order()).toEqual({
      kind: 'done',
      message: 'UEFI boot order: /dev/vda is first now (Boot0001)',
    });
    expect(variable('Boot0001')).toEqual(entry(ENTRY_NAME));
    expect(variable('BootOrder')).toEqual(orderOf(1, 0));
    const names = readdirSync(join(machine.root, VARIABLES));
    expect(await order()).toMatchObject({
      kind: 'done',
      message: expect.stringContaining('already') as string,
    });
    expect(readdirSync(join(machine.root, VARIABLES))).toEqual(names);
  });

  it('boots shim of its distribution where there is one', async () => {
    const mounts: string[] = [];
    const run = async (argv: readonly [string, ...string[]]) => {
      if (argv[0] !== 'blockdev') mounts.push(argv.join(' '));
      return Promise.resolve({ code: 0, output: '' });
    };
    partitionIs(['EFI/BOOT/shimx64.efi', 'EFI/Debian/SHIMX64.EFI', 'EFI/zz/shimx64.efi']);
    put('BootOrder', orderOf());
    await putDiskFirst({ reader: { ...machine.reader, run }, disk, gpt, nowMs: () => 0, processor: 'x64' });
    expect(variable('Boot0000')).toEqual(entry(ENTRY_NAME, 1, '\\EFI\\Debian\\SHIMX64.EFI'));
    expect(mounts).toEqual(['mount -t vfat -o ro,nosuid,nodev,noexec /dev/vda1 /mnt/esp', 'umount /mnt/esp']);
  });

  it('has the loader of its processor', async () => {
    put('BootOrder', orderOf());
    await putDiskFirst({ reader: machine.reader, disk, gpt, nowMs: () => Infinity, processor: 'arm64' });
    expect(decodeLoadOption(variable('Boot0000'))?.path.toString()).toContain('B\0O\0O\0T\0A\0A\x006\x004');
  });

  it('is skipped with BIOS', async () => {
    expect(await order()).toMatchObject({ kind: 'skipped' });
  });

  it.each([
    ['no variables', () => mkdirSync(join(machine.root, VARIABLES), { recursive: true }), 'not mounted'],
    [
      'a boot order that is there and cannot be read',
      () => {
        put('Other', orderOf());
        mkdirSync(join(machine.root, VARIABLES, `BootOrder-${GLOBAL}`), { recursive: true });
      },
      'BootOrder cannot be read',
    ],
  ])('is only warned of: %s', async (_what, prepare, words) => {
    prepare();
    const outcome = await order();
    expect(outcome).toMatchObject({ kind: 'warning', message: expect.stringContaining(words) as string });
    expect(outcome.message).toContain('boots its disk by way of the network');
  });

  it('is only warned of: variables that cannot be written', async () => {
    put('BootOrder', orderOf());
    const hostPath = (path: string): string => `/nowhere${path}`;
    const reader = { ...machine.reader, hostPath };
    const outcome = await putDiskFirst({ reader, disk, gpt, nowMs: () => Infinity, processor: 'x64' });
    expect(outcome).toMatchObject({
      kind: 'warning',
      message: expect.stringContaining('ENOENT') as string,
    });
  });

  it('is only warned of: an image without an EFI system partition', async () => {
    put('BootOrder', orderOf());
    expect(await order({ gpt: { ...gpt, partitions: [] } })).toMatchObject({
      kind: 'warning',
      message: expect.stringContaining('no EFI system partition') as string,
    });
  });

  it('is only warned of: a firmware that takes a write and keeps the old value', async () => {
    put('BootOrder', orderOf(7));
    const readBytes: typeof machine.reader.readBytes = async (path, ...rest) =>
      path.includes('BootOrder')
        ? Buffer.concat([ATTRIBUTES, orderOf(7)])
        : machine.reader.readBytes(path, ...rest);
    const reader = { ...machine.reader, readBytes };
    expect(await putDiskFirst({ reader, disk, gpt, nowMs: () => Infinity, processor: 'x64' })).toMatchObject({
      kind: 'warning',
      message: expect.stringContaining('did not keep BootOrder') as string,
    });
  });
});
