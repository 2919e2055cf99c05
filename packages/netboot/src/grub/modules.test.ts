/** Modules of a GRUB image: made-up ELF modules between noise. The files of Debian are read in tests/integration. */
import fc from 'fast-check';
import { grubModules } from './modules';

/** One ELF module as grub-mkimage stores it: header, section table, names. */
function elfModule(name: string): Buffer {
  const titles = Buffer.from('\0.shstrtab\0.modname\0');
  const elf = Buffer.alloc(64 + 3 * 64 + titles.length + name.length + 1);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2]);
  elf.writeBigUInt64LE(64n, 0x28);
  elf.writeUInt16LE(64, 0x3a);
  elf.writeUInt16LE(3, 0x3c);
  elf.writeUInt16LE(1, 0x3e);
  const section = (index: number, title: number, offset: number, size: number): void => {
    const at = 64 + index * 64;
    elf.writeUInt32LE(title, at);
    elf.writeBigUInt64LE(BigInt(offset), at + 24);
    elf.writeBigUInt64LE(BigInt(size), at + 32);
  };
  const data = 64 + 3 * 64;
  section(1, 1, data, titles.length);
  section(2, 11, data + titles.length, name.length + 1);
  elf.set(titles, data);
  elf.write(name, data + titles.length);
  return elf;
}

describe('grubModules', () => {
  it('finds every module, in any surrounding', () => {
    const noise = Buffer.from('\x7fELF\x7fELF http tftp', 'latin1');
    const image = Buffer.concat([noise, elfModule('tftp'), noise, elfModule('search_fs_file'), noise]);
    expect([...grubModules(image)]).toEqual(['tftp', 'search_fs_file']);
    const shifted = new Uint8Array(Buffer.concat([Buffer.from('x'), image])).subarray(1);
    expect([...grubModules(shifted)]).toEqual(['tftp', 'search_fs_file']);
  });

  it('is total over broken images', () => {
    const whole = elfModule('http');
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), (at, byte, length) => {
        const broken = Buffer.from(whole);
        broken[at] = byte;
        expect(grubModules(broken.subarray(0, length)).size).toBeLessThan(2);
      }),
    );
  });
});
