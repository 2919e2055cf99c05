/** Load options against the bytes that efibootmgr 17 wrote for the same disk (`efibootmgr -c -d DISK -p 1 -l '\EFI\BOOT\BOOTX64.EFI'`). */
import fc from 'fast-check';
import { decodeLoadOption, encodeLoadOption, type DiskLoader } from './load-option';

const LOADER: DiskLoader = {
  description: 'LPMOS installed system',
  partition: {
    number: 1,
    startSector: 2048n,
    sectors: 65536n,
    // 11223344-5566-7788-99aa-bbccddeeff00
    guid: Buffer.from('443322116655887799aabbccddeeff00', 'hex'),
  },
  file: '\\EFI\\BOOT\\BOOTX64.EFI',
};
const BY_EFIBOOTMGR = [
  '010000005e004c0050004d004f005300200069006e007300740061006c006c00650064002000730079007300740065006d000000',
  '04012a000100000000080000000000000000010000000000443322116655887799aabbccddeeff000202',
  '040430005c004500460049005c0042004f004f0054005c0042004f004f0054005800360034002e004500460049000000',
  '7fff0400',
].join('');

describe('a load option', () => {
  it('has the bytes that efibootmgr writes', () => {
    expect(encodeLoadOption(LOADER).toString('hex')).toBe(BY_EFIBOOTMGR);
  });

  it('is read back, with and without the data that vendors put behind it', () => {
    for (const tail of ['', '4e4f00ff']) {
      const option = decodeLoadOption(Buffer.from(`${BY_EFIBOOTMGR}${tail}`, 'hex'));
      expect(option).toMatchObject({ active: true, description: 'LPMOS installed system' });
      expect(Buffer.from(option?.path ?? []).toString('hex')).toBe(BY_EFIBOOTMGR.slice(2 * 52));
    }
  });

  it('that is none is told from one', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        const option = decodeLoadOption(bytes);
        if (option !== undefined) expect(option.path.length).toBe(Buffer.from(bytes).readUInt16LE(4));
      }),
    );
    expect(decodeLoadOption(Buffer.from(BY_EFIBOOTMGR.slice(0, -2), 'hex'))).toBeUndefined();
    expect(decodeLoadOption(new Uint8Array())).toBeUndefined();
  });

  it('takes no partition without a GUID', () => {
    const partition = { ...LOADER.partition, guid: new Uint8Array(4) };
    expect(() => encodeLoadOption({ ...LOADER, partition })).toThrow('16 bytes');
  });
});
