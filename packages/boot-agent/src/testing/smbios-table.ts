/** Builds raw SMBIOS structures for tests, byte by byte as DSP0134 lays them out. */
export interface StructureInput {
  readonly type: number;
  /** Whole formatted area, header included, in bytes. */
  readonly length: number;
  readonly bytes?: Readonly<Record<number, number>>;
  readonly words?: Readonly<Record<number, number>>;
  readonly dwords?: Readonly<Record<number, number>>;
  /** Offset of the string reference → the string. */
  readonly texts?: Readonly<Record<number, string>>;
  readonly raw?: Readonly<Record<number, Uint8Array>>;
}

export function smbiosTable(structures: readonly StructureInput[]): Buffer {
  return Buffer.concat([...structures.map(structure), structure({ type: 127, length: 4 })]);
}

function structure(input: StructureInput): Buffer {
  const data = Buffer.alloc(input.length);
  data[0] = input.type;
  data[1] = input.length;
  for (const [at, value] of Object.entries(input.bytes ?? {})) data[Number(at)] = value;
  for (const [at, value] of Object.entries(input.words ?? {})) data.writeUInt16LE(value, Number(at));
  for (const [at, value] of Object.entries(input.dwords ?? {})) data.writeUInt32LE(value, Number(at));
  for (const [at, value] of Object.entries(input.raw ?? {})) data.set(value, Number(at));
  const texts = Object.entries(input.texts ?? {});
  texts.forEach(([at], index) => (data[Number(at)] = index + 1));
  const strings = texts.length === 0 ? '\0\0' : `${texts.map(([, text]) => `${text}\0`).join('')}\0`;
  return Buffer.concat([data, Buffer.from(strings, 'latin1')]);
}

/** A small server as a BIOS would describe it: two sockets, two modules of 16 GiB and an empty slot. */
export function sampleServer(serial = 'SVC1234'): Buffer {
  const uuid = Buffer.from('33221100554477668899aabbccddeeff', 'hex');
  const dimm = (slot: string, size: number, extended = 0): StructureInput => ({
    type: 17,
    length: 0x28,
    words: { 0x0c: size, 0x15: 3200, 0x20: 2933 },
    dwords: { 0x1c: extended },
    bytes: { 0x12: 0x1a },
    texts: { 0x10: slot },
  });
  const socket = (status: number): StructureInput => ({
    type: 4,
    length: 0x30,
    bytes: { 0x18: status, 0x23: 0xff, 0x25: 8 },
    words: { 0x2a: 300 },
    texts: { 0x10: 'Xeon X' },
  });
  return smbiosTable([
    { type: 0, length: 0x18, texts: { 0x04: 'SeaBIOS', 0x05: '1.16' } },
    { type: 1, length: 0x1b, texts: { 0x04: 'ACME', 0x05: 'Server 1', 0x07: serial }, raw: { 0x08: uuid } },
    { type: 2, length: 0x08, texts: { 0x07: 'BOARD1' } },
    { type: 3, length: 0x16, texts: { 0x07: 'CHASSIS1', 0x08: 'ASSET9' } },
    socket(0x41),
    socket(0x00),
    { type: 16, length: 0x0f },
    dimm('DIMM_A1', 0x7fff, 16 * 1024),
    dimm('DIMM_B1', 16 * 1024),
    dimm('DIMM_C1', 0),
  ]);
}
