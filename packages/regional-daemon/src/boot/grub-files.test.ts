/** shim and GRUB of the site: whole, signed and able, or refused with all problems at once. That Debian's own are able, machines show. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFileTable, createMemoryAssets } from '@lpmos/netboot';
import { efiProgram, temporaryFolder } from '../testing/region-fixtures';
import { GRUB_NAME, readGrubFiles, SHIM_NAME } from './grub-files';
import type { UefiChain } from './grub-files';
import { proxyNotices, withGrubChain } from './grub-loaders';
import type { Loaders, OfferedLoaders } from './loaders';

const folder = temporaryFolder();
const X64 = 0x8664;
/** With a certificate table of a few bytes, which no firmware would believe. */
function signed(program: Uint8Array): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.set(program);
  bytes.writeUInt32LE(8, 64 + 24 + 112 + 36);
  return bytes;
}

function write(name: string, bytes: Uint8Array): string {
  writeFileSync(join(folder(), name), bytes);
  return join(folder(), name);
}

describe('files that the chain cannot use', () => {
  it('are refused together, with the package that has them', async () => {
    const reading = readGrubFiles({ shim: '/nowhere/shim', grub: write('grub', efiProgram(0xaa64)) });
    await expect(reading).rejects.toMatchObject({
      code: 'invalid_argument',
      fields: [
        {
          path: 'shim_file',
          problem: expect.stringContaining('install the Debian package shim-signed') as string,
        },
        { path: 'grub_file', problem: expect.stringContaining('made for arm64') as string },
      ],
    });
  });

  it.each([
    ['unsigned', efiProgram(X64), 'is not signed'],
    ['empty', new Uint8Array(0), 'is empty'],
    ['cut', efiProgram(X64).subarray(0, 66), 'is no whole EFI program'],
  ])('are told apart: %s', async (_what, bytes, problem) => {
    const shim = write('shim', bytes);
    const reading = readGrubFiles({ shim, grub: write('grub', signed(efiProgram(X64))) });
    await expect(reading).rejects.toThrow(`LPMOS_UEFI_CHAIN=grub: shim_file: ${shim} ${problem}`);
  });

  it('include a GRUB that lacks what the scripts use', async () => {
    const file = (name: string): string => write(name, signed(efiProgram(X64)));
    await expect(readGrubFiles({ shim: file('shim'), grub: file('grub') })).rejects.toThrow(
      /has no normal, configfile, .*tftp built in; take a GRUB made for the network/,
    );
  });
});

describe('the loaders with the chain', () => {
  const ipxe: OfferedLoaders = {
    names: { bios: 'undionly.kpxe', x64: 'snponly.efi' },
    httpNames: { x64: 'snponly.efi', arm64: 'ipxe-arm64.efi' },
  };
  const plain: Loaders = {
    table: createFileTable({ 'undionly.kpxe': Uint8Array.of(1) }),
    assets: createMemoryAssets(new Map()),
    offered: () => ipxe,
    problems: [],
  };
  const files = { shim: Uint8Array.of(2), grub: Uint8Array.of(3) };
  const chained = (transfer: 'tftp' | 'http', chain: UefiChain) =>
    withGrubChain(plain, { ...files, transfer }, chain);

  it('serve both files by TFTP and HTTP beside the others', async () => {
    const { table, assets } = chained('tftp', 'grub');
    expect(table.names()).toEqual(['undionly.kpxe', SHIM_NAME, GRUB_NAME]);
    expect(table.get(GRUB_NAME)?.bytes).toBe(files.grub);
    expect(table.get('undionly.kpxe')?.bytes).toEqual(Uint8Array.of(1));
    expect((await assets.open(SHIM_NAME))?.sizeBytes).toBe(1);
    expect(await assets.open('other')).toBeUndefined();
  });

  it('name shim where the link, or else the region, has chosen it', () => {
    const shim = { bios: 'undionly.kpxe', x64: SHIM_NAME };
    expect(chained('tftp', 'grub').offered().names).toEqual(shim);
    expect(chained('tftp', 'grub').offered('ipxe')).toEqual(ipxe);
    expect(chained('tftp', 'ipxe').offered('grub').names).toEqual(shim);
    expect(chained('tftp', 'ipxe').offered()).toEqual(ipxe);
  });

  it('are told to need help on a link where another server leases, because GRUB does not know the proxy', () => {
    const link = (name: string, mode: 'proxy' | 'server', chain?: UefiChain) => ({
      settings: { name, mode, ...(chain === undefined ? {} : { uefi_chain: chain }) },
      serviceAddress: '10.77.0.1',
    });
    const links = [link('a', 'proxy'), link('b', 'server', 'grub'), link('c', 'proxy', 'grub')];
    expect(proxyNotices(links, 'ipxe')).toEqual([
      expect.stringMatching(/^link c: .* must name 10\.77\.0\.1 as next server/),
    ]);
    expect(proxyNotices(links, 'grub')).toHaveLength(2);
  });

  it('offer HTTP boot only with a GRUB that can go on by HTTP', () => {
    const httpNames = (transfer: 'tftp' | 'http') => chained(transfer, 'grub').offered().httpNames;
    expect(httpNames('tftp')).toEqual({ arm64: 'ipxe-arm64.efi' });
    expect(httpNames('http')).toEqual({ arm64: 'ipxe-arm64.efi', x64: SHIM_NAME });
  });
});
