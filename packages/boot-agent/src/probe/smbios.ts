/**
 * The raw SMBIOS table (DSP0134) of /sys/firmware/dmi/tables/DMI, parsed without dmidecode: structures first, then the few
 * fields that a hardware report needs (types 0, 1, 2, 3, 4, 16, 17). Pure.
 * Invariant: any bytes give a result; a lie in a length ends the walk, it never reads beyond the table.
 */
export interface SmbiosStructure {
  readonly type: number;
  readonly data: Uint8Array;
  readonly strings: readonly string[];
}

export interface SmbiosDimm {
  readonly slot: string;
  readonly sizeMb: number;
  readonly type: string;
  readonly speedMhz: number;
}

export interface SmbiosFacts {
  readonly biosVendor: string;
  readonly biosVersion: string;
  readonly manufacturer: string;
  readonly product: string;
  readonly serial: string;
  readonly uuid: string;
  readonly boardSerial: string;
  readonly chassisSerial: string;
  readonly assetTag: string;
  readonly sockets: readonly { readonly model: string; readonly cores: number; readonly threads: number }[];
  readonly dimms: readonly SmbiosDimm[];
}

/** Real tables hold a few hundred structures; the bound is against tables that loop on empty ones. */
const MOST_STRUCTURES = 4096;
const END_OF_TABLE = 127;
const HEADER_BYTES = 4;

export function parseSmbiosStructures(table: Uint8Array): SmbiosStructure[] {
  const structures: SmbiosStructure[] = [];
  let at = 0;
  while (at + HEADER_BYTES <= table.length && structures.length < MOST_STRUCTURES) {
    const type = table[at] ?? 0;
    const length = table[at + 1] ?? 0;
    if (length < HEADER_BYTES || at + length > table.length) break;
    const { strings, next } = readStrings(table, at + length);
    structures.push({ type, data: table.subarray(at, at + length), strings });
    if (type === END_OF_TABLE) break;
    at = next;
  }
  return structures;
}

/** NUL-terminated strings, closed by an empty one; a structure without strings has two NULs. */
function readStrings(table: Uint8Array, start: number): { strings: string[]; next: number } {
  const strings: string[] = [];
  let at = start;
  while (at < table.length && table[at] !== 0) {
    const end = table.indexOf(0, at);
    if (end < 0) return { strings, next: table.length };
    strings.push(Buffer.from(table.subarray(at, end)).toString('latin1'));
    at = end + 1;
  }
  return { strings, next: strings.length === 0 ? at + 2 : at + 1 };
}

export function smbiosFacts(structures: readonly SmbiosStructure[]): SmbiosFacts {
  const all = (type: number): Fields[] => structures.filter((each) => each.type === type).map(fieldsOf);
  const first = (type: number): Fields => all(type)[0] ?? NO_FIELDS;
  const system = first(1);
  const chassis = first(3);
  return {
    biosVendor: first(0).text(0x04),
    biosVersion: first(0).text(0x05),
    manufacturer: system.text(0x04),
    product: system.text(0x05),
    serial: system.text(0x07),
    uuid: system.uuid(0x08),
    boardSerial: first(2).text(0x07),
    chassisSerial: chassis.text(0x07),
    assetTag: chassis.text(0x08),
    // Bit 6 of the status: the socket is populated.
    sockets: all(4)
      .filter((cpu) => (cpu.byte(0x18) & 0x40) !== 0)
      .map((cpu) => ({
        model: cpu.text(0x10),
        cores: wide(cpu.byte(0x23), cpu.word(0x2a)),
        threads: wide(cpu.byte(0x25), cpu.word(0x2e)),
      })),
    dimms: all(17).flatMap(dimmOf),
  };
}

/** 0xff in the old byte means: look at the newer word. */
const wide = (byte: number, word: number): number => (byte === 0xff && word !== 0 ? word : byte);

/** DSP0134 7.18.2, those that servers carry; others are shown as `unknown`. */
const MEMORY_TYPES: Readonly<Record<number, string>> = {
  0x07: 'RAM',
  0x0f: 'SDRAM',
  0x12: 'DDR',
  0x13: 'DDR2',
  0x14: 'DDR2 FB-DIMM',
  0x18: 'DDR3',
  0x1a: 'DDR4',
  0x1b: 'LPDDR',
  0x1c: 'LPDDR2',
  0x1d: 'LPDDR3',
  0x1e: 'LPDDR4',
  0x1f: 'NVDIMM',
  0x20: 'HBM',
  0x21: 'HBM2',
  0x22: 'DDR5',
  0x23: 'LPDDR5',
};

function dimmOf(device: Fields): SmbiosDimm[] {
  const size = device.word(0x0c);
  // 0: empty slot; 0xffff: size unknown, which tells nothing worth reporting.
  if (size === 0 || size === 0xffff) return [];
  // 0x7fff: see the extended size; bit 15: kilobytes instead of megabytes.
  const sizeMb =
    size === 0x7fff ? device.dword(0x1c) & 0x7fffffff : (size & 0x8000) !== 0 ? (size & 0x7fff) / 1024 : size;
  const configured = device.word(0x20);
  const speed = configured === 0 || configured === 0xffff ? device.word(0x15) : configured;
  return [
    {
      slot: device.text(0x10) || device.text(0x11),
      sizeMb,
      type: MEMORY_TYPES[device.byte(0x12)] ?? 'unknown',
      speedMhz: speed === 0xffff ? 0 : speed,
    },
  ];
}

interface Fields {
  byte(offset: number): number;
  word(offset: number): number;
  dword(offset: number): number;
  text(offset: number): string;
  uuid(offset: number): string;
}

const NO_FIELDS = fieldsOf({ type: -1, data: new Uint8Array(0), strings: [] });

/** Fields beyond the length of an older structure read as zero, which every type defines as "unknown" or "none". */
function fieldsOf(structure: SmbiosStructure): Fields {
  const byte = (offset: number): number => structure.data[offset] ?? 0;
  const word = (offset: number): number => byte(offset) | (byte(offset + 1) << 8);
  return {
    byte,
    word,
    dword: (offset) => (word(offset) | (word(offset + 2) << 16)) >>> 0,
    text: (offset) => {
      const text = (structure.strings[byte(offset) - 1] ?? '').trim();
      return PLACEHOLDERS.has(text.toLowerCase()) ? '' : text;
    },
    uuid: (offset) => uuidText(structure.data.subarray(offset, offset + 16)),
  };
}

/** What boards say when their vendor filled nothing in: as serial it would make different machines look alike. */
const PLACEHOLDERS = new Set([
  'not specified',
  'not available',
  'to be filled by o.e.m.',
  'default string',
  'system serial number',
  'chassis serial number',
  'none',
  'n/a',
  '0123456789',
]);

/** The first three fields are little-endian since SMBIOS 2.6, as Linux prints them in product_uuid. */
function uuidText(bytes: Uint8Array): string {
  if (bytes.length < 16 || bytes.every((b) => b === 0) || bytes.every((b) => b === 0xff)) return '';
  const digits = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    .map((index) => (bytes[index] ?? 0).toString(16).padStart(2, '0'))
    .join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
