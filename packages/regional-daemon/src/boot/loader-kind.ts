/**
 * Whether the bytes of a loader are what its key promises: a PE program of UEFI for the right processor, or a BIOS network boot program.
 * Pure. Reads headers only; that a loader works is seen when a machine boots it. Microsoft PE/COFF, UEFI 2.10 section 2.1.1.
 * A wrong loader is no small fault: firmware drops it without a word and asks again, for ever.
 */
import type { LoaderKey } from '@lpmos/netboot';

/** The Machine field of the COFF header, by key; ARM 32-bit programs exist with all three numbers. */
const MACHINES: Readonly<Record<Exclude<LoaderKey, 'bios'>, readonly number[]>> = {
  ia32: [0x014c],
  x64: [0x8664],
  arm32: [0x01c0, 0x01c2, 0x01c4],
  arm64: [0xaa64],
  riscv32: [0x5032],
  riscv64: [0x5064],
  riscv128: [0x5128],
  loong64: [0x6264],
};
/** Where the DOS header keeps the offset of the PE header. */
const PE_POINTER = 0x3c;
const COFF_HEADER_BYTES = 24;
/** From the start of the optional header; the same in PE32 and PE32+. */
const SUBSYSTEM = 68;
/** A driver (11, 12) can be loaded and boots nothing. */
const EFI_APPLICATION = 10;

/** @returns what is wrong with the file in words that go behind its name, or undefined */
export function loaderKindProblem(key: LoaderKey, bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return 'is empty';
  const program = readProgram(bytes);
  if (key === 'bios') {
    return program === 'none' ? undefined : 'is an EFI program, and bios needs one such as undionly.kpxe';
  }
  if (program === 'none') return `is no EFI program, and ${key} needs one`;
  if (program === 'broken') return 'is no whole EFI program (its PE header is missing or broken)';
  if (!MACHINES[key].includes(program.machine)) return wrongMachine(key, program.machine);
  return program.subsystem === EFI_APPLICATION ? undefined : 'is no EFI application (a driver perhaps)';
}

function wrongMachine(key: LoaderKey, machine: number): string {
  const known = Object.entries(MACHINES).find(([, numbers]) => numbers.includes(machine))?.[0];
  const made = known ?? `machine type 0x${machine.toString(16).padStart(4, '0')}`;
  return `is made for ${made}, and is named for ${key}`;
}

type Program = 'none' | 'broken' | { readonly machine: number; readonly subsystem: number };

/** `none` for a file without the DOS header that every EFI program begins with. */
function readProgram(bytes: Uint8Array): Program {
  if (bytes[0] !== 0x4d || bytes[1] !== 0x5a) return 'none';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < PE_POINTER + 4) return 'broken';
  const at = view.getUint32(PE_POINTER, true);
  if (at + COFF_HEADER_BYTES + SUBSYSTEM + 2 > view.byteLength) return 'broken';
  if (view.getUint32(at, false) !== 0x50450000) return 'broken';
  return {
    machine: view.getUint16(at + 4, true),
    subsystem: view.getUint16(at + COFF_HEADER_BYTES + SUBSYSTEM, true),
  };
}
