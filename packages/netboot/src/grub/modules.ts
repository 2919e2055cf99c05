/**
 * Which modules a GRUB image has built in: read from the ELF modules that grub-mkimage puts into it one after the other. Pure.
 * Secure Boot lets GRUB load no other, so what is not in the list cannot be done: Debian 12's has no `http`, Debian 13's has.
 * Total: whatever is no module is passed over. Not responsible for signatures, which the firmware and shim verify.
 */

const ELF = [0x7f, 0x45, 0x4c, 0x46] as const;
const ELF_CLASS_64 = 2;
const HEADER_BYTES = 64;
const SECTION_BYTES = 64;
/** A module has some twenty sections; more is noise that looked like a header. */
const MAX_SECTIONS = 256;
const NAME = /^[a-z][a-z0-9_]{0,63}$/;

export function grubModules(image: Uint8Array): ReadonlySet<string> {
  const names = new Set<string>();
  const bytes = Buffer.from(image.buffer, image.byteOffset, image.byteLength);
  const magic = Buffer.from(ELF);
  for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + ELF.length)) {
    const name = moduleName(bytes.subarray(at));
    if (name !== undefined) names.add(name);
  }
  return names;
}

interface Section {
  readonly name: number;
  readonly offset: number;
  readonly size: number;
}

function moduleName(elf: Buffer): string | undefined {
  if (elf.length < HEADER_BYTES || elf[4] !== ELF_CLASS_64) return undefined;
  const table = Number(elf.readBigUInt64LE(0x28));
  const count = elf.readUInt16LE(0x3c);
  if (elf.readUInt16LE(0x3a) !== SECTION_BYTES || count > MAX_SECTIONS) return undefined;
  if (table + count * SECTION_BYTES > elf.length) return undefined;
  const section = (index: number): Section => {
    const at = table + index * SECTION_BYTES;
    return {
      name: elf.readUInt32LE(at),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      size: Number(elf.readBigUInt64LE(at + 32)),
    };
  };
  const strings = elf.readUInt16LE(0x3e);
  if (strings >= count) return undefined;
  const { offset: titles } = section(strings);
  for (let index = 0; index < count; index += 1) {
    const { name, offset, size } = section(index);
    if (text(elf, titles + name, 32) === '.modname') {
      const found = text(elf, offset, Math.min(size, 65));
      return NAME.test(found) ? found : undefined;
    }
  }
  return undefined;
}

/** Up to a NUL; empty outside of the file. */
function text(elf: Buffer, at: number, most: number): string {
  const piece = elf.subarray(at, at + most);
  const end = piece.indexOf(0);
  return piece.toString('latin1', 0, end < 0 ? piece.length : end);
}
