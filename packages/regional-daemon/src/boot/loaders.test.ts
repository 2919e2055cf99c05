/** The loaders of a site: what is published from which file, and everything that is refused at the start, all at once. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LOADER_KEYS } from '@lpmos/netboot';
import { efiProgram, temporaryFolder } from '../testing/region-fixtures';
import { loaderKindProblem } from './loader-kind';
import { loaderUrls, readLoaders, readLoaderSettings } from './loaders';

const folder = temporaryFolder();
const X64 = efiProgram(0x8664);
const put = (name: string, bytes: Uint8Array | string): string => {
  writeFileSync(join(folder(), name), bytes);
  return join(folder(), name);
};

describe('the kind of a loader', () => {
  it.each([
    ['ia32', 0x014c],
    ['x64', 0x8664],
    ['arm32', 0x01c2],
    ['arm64', 0xaa64],
    ['riscv32', 0x5032],
    ['riscv64', 0x5064],
    ['riscv128', 0x5128],
    ['loong64', 0x6264],
  ] as const)('%s is PE machine %i and no other key takes it', (key, machine) => {
    const fitting = LOADER_KEYS.filter((any) => loaderKindProblem(any, efiProgram(machine)) === undefined);
    expect(fitting).toEqual([key]);
  });

  it('of BIOS is what is no EFI program', () => {
    expect(loaderKindProblem('bios', Buffer.from('\xeb\x3c', 'latin1'))).toBeUndefined();
    expect(loaderKindProblem('bios', X64)).toContain('is an EFI program');
    expect(loaderKindProblem('bios', new Uint8Array())).toBe('is empty');
  });

  it('is told in words when it is wrong', () => {
    expect(loaderKindProblem('x64', efiProgram(0xaa64))).toBe('is made for arm64, and is named for x64');
    expect(loaderKindProblem('x64', efiProgram(0x1234))).toContain('machine type 0x1234');
    expect(loaderKindProblem('x64', Buffer.from('#!ipxe'))).toContain('is no EFI program');
    expect(loaderKindProblem('x64', efiProgram(0x8664, 11))).toContain('is no EFI application');
    for (const length of [2, 63, 64, 100]) {
      expect(loaderKindProblem('x64', X64.subarray(0, length))).toContain('is no whole EFI program');
    }
  });
});

describe('the loaders of a region', () => {
  it('are those of the folder, in order of preference, each under its name by TFTP and HTTP', async () => {
    for (const name of ['snponly.efi', 'ipxe.efi']) put(name, X64);
    put('undionly.kpxe', 'bios');
    const loaders = await readLoaders({ directory: folder() });
    expect(loaders.offered().names).toEqual({ bios: 'undionly.kpxe', x64: 'snponly.efi' });
    expect(loaders.problems).toEqual([]);
    expect(loaders.table.names()).toEqual(['undionly.kpxe', 'snponly.efi', 'ipxe.efi']);
    for (const name of loaders.table.names()) {
      const asset = await loaders.assets.open(name);
      expect(asset?.sizeBytes).toBe(loaders.table.get(name)?.bytes.length);
    }
    rmSync(join(folder(), 'snponly.efi'));
    put('undionly.kpxe', '');
    const fewer = await readLoaders({ directory: folder() });
    expect(fewer.offered().names).toEqual({ x64: 'ipxe.efi' });
    expect(fewer.problems).toEqual([expect.stringContaining('no loader for bios firmware')]);
  });

  it('are those that the site names, from its folder or by path', async () => {
    put('own.efi', efiProgram(0xaa64));
    mkdirSync(join(folder(), 'site'));
    const path = put('site/own-x64.efi', X64);
    const { offered, table } = await readLoaders({
      directory: folder(),
      site: { arm64: 'own.efi', x64: path },
    });
    expect(offered().names).toEqual({ x64: 'own-x64.efi', arm64: 'own.efi' });
    expect(table.names()).toEqual(['own-x64.efi', 'own.efi']);
    expect(loaderUrls(offered().names, 'http://10.77.0.1')).toEqual({
      x64: 'http://10.77.0.1/boot/loaders/own-x64.efi',
      arm64: 'http://10.77.0.1/boot/loaders/own.efi',
    });
  });

  it('that are wrong are refused together, each with its fix', async () => {
    put('arm.efi', efiProgram(0xaa64));
    put('empty.efi', '');
    mkdirSync(join(folder(), 'dir.efi'));
    mkdirSync(join(folder(), 'site'));
    const same = put('site/arm.efi', efiProgram(0x5064));
    const site = {
      ...{ bios: 'missing.kpxe', x64: 'arm.efi', ia32: 'empty.efi', arm32: 'dir.efi', arm64: 'arm.efi' },
      riscv64: same,
    };
    const thrown = await readLoaders({ directory: folder(), site }).catch((error: unknown) => error);
    expect(thrown).toMatchObject({
      code: 'invalid_argument',
      fields: [
        { path: 'bios', problem: expect.stringContaining('does not exist; put the loader there') as string },
        { path: 'ia32', problem: expect.stringContaining('is empty') as string },
        { path: 'x64', problem: expect.stringContaining('is made for arm64') as string },
        { path: 'arm32', problem: expect.stringContaining('is no regular file') as string },
        { path: 'riscv64', problem: expect.stringContaining('rename one') as string },
      ],
    });
  });
});

describe('LPMOS_LOADERS', () => {
  it('is a mapping of known keys to names', () => {
    const value = { x64: 'shimx64.efi', arm64: '/srv/boot/ipxe-arm64.efi' };
    expect(readLoaderSettings(value)).toEqual({ value });
  });

  it('tells every problem', () => {
    expect(readLoaderSettings([])).toEqual({ problems: [expect.stringContaining('must be a mapping')] });
    const wrong = { amd64: 'a', x64: '../x.efi', bios: 7, arm64: 'a b', ia32: '' };
    const { problems } = readLoaderSettings(wrong) as { problems: string[] };
    expect(problems).toHaveLength(5);
    expect(problems[0]).toContain('amd64 is not known; known are bios, ia32, x64');
  });
});
