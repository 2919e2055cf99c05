/**
 * TFTP packets to values and back (RFC 1350 section 5, options of RFC 2347).
 * Knows no transfer, no file and no socket: see transfer.ts and server.ts. The simulator uses the same codec.
 * Decoding is total: whatever the bytes, the answer is a packet or `malformed` with the problem; it never throws and
 * never reads past the datagram. Encoding is deterministic and keeps the order of options.
 */
import { LpmosError } from '@lpmos/core';

/** Option names and values in the order of the packet; names as they were spelled. */
export type TftpOptionList = readonly (readonly [name: string, value: string])[];

export interface TftpRequest {
  readonly kind: 'RRQ' | 'WRQ';
  readonly filename: string;
  readonly mode: string;
  readonly options: TftpOptionList;
}

export type TftpPacket =
  | TftpRequest
  | { readonly kind: 'DATA'; readonly block: number; readonly data: Uint8Array }
  | { readonly kind: 'ACK'; readonly block: number }
  | { readonly kind: 'ERROR'; readonly code: number; readonly message: string }
  | { readonly kind: 'OACK'; readonly options: TftpOptionList };

/** `about` is the opcode that was read, where there was one: only a bad request earns an answer. */
export interface MalformedTftp {
  readonly kind: 'malformed';
  readonly about?: TftpPacket['kind'];
  readonly problem: string;
}

const OPCODES = { RRQ: 1, WRQ: 2, DATA: 3, ACK: 4, ERROR: 5, OACK: 6 } as const;
const KINDS = new Map<number, TftpPacket['kind']>(
  Object.entries(OPCODES).map(([kind, opcode]) => [opcode, kind as TftpPacket['kind']]),
);

/** RFC 1350 section 5 and RFC 2347: the code and the fixed text that a peer sees. At most 64 bytes, ASCII. */
export const TFTP_ERRORS = {
  'not-defined': { code: 0, text: 'transfer gave up' },
  'file-not-found': { code: 1, text: 'file not found' },
  'access-violation': { code: 2, text: 'this server is read-only' },
  'illegal-operation': { code: 4, text: 'illegal TFTP operation' },
  'unknown-transfer-id': { code: 5, text: 'unknown transfer ID' },
  'option-refused': { code: 8, text: 'option negotiation refused' },
} as const;

export type TftpErrorName = keyof typeof TFTP_ERRORS;

export const DATA_HEADER_BYTES = 4;

/** RFC 2347 keeps a request within 512 bytes; some loaders send more options than that. Beyond this it is noise. */
const MAX_REQUEST_BYTES = 2048;
/** Clients in the field send at most six options; the rest of a longer list is not read. */
const MAX_OPTIONS = 32;

/** @param bytes one whole datagram. `data` of a DATA packet is a view on it, not a copy. */
export function decodeTftpPacket(bytes: Uint8Array): TftpPacket | MalformedTftp {
  if (bytes.length < 2) return malformed(undefined, `${bytes.length} bytes are too few for an opcode`);
  const opcode = readUint16(bytes, 0);
  const kind = KINDS.get(opcode);
  switch (kind) {
    case 'RRQ':
    case 'WRQ':
      return decodeRequest(kind, bytes);
    case 'OACK':
      return { kind, options: readOptions(readStrings(bytes, 2)) };
    case 'DATA':
      if (bytes.length < 4) return malformed(kind, 'no block number');
      return { kind, block: readUint16(bytes, 2), data: bytes.subarray(DATA_HEADER_BYTES) };
    case 'ACK':
      // Some ROMs pad the ACK to the Ethernet minimum; what follows the block number means nothing.
      if (bytes.length < 4) return malformed(kind, 'no block number');
      return { kind, block: readUint16(bytes, 2) };
    case 'ERROR':
      // Seen in the field without text and without NUL: the code alone ends the transfer.
      if (bytes.length < 4) return malformed(kind, 'no error code');
      return { kind, code: readUint16(bytes, 2), message: readStrings(bytes, 4)[0] ?? '' };
    case undefined:
      return malformed(undefined, `opcode ${opcode} is none of 1 to 6`);
  }
}

/** @throws LpmosError `invalid_argument` when a number or a string does not fit its field. */
export function encodeTftpPacket(packet: TftpPacket): Uint8Array {
  switch (packet.kind) {
    case 'RRQ':
    case 'WRQ':
      return withStrings(packet.kind, [], [packet.filename, packet.mode, ...packet.options.flat()]);
    case 'OACK':
      return withStrings(packet.kind, [], packet.options.flat());
    case 'ERROR':
      return withStrings(packet.kind, [uint16(packet.code, 'code')], [packet.message]);
    case 'ACK':
      return withStrings(packet.kind, [uint16(packet.block, 'block')], []);
    case 'DATA': {
      const bytes = new Uint8Array(DATA_HEADER_BYTES + packet.data.length);
      bytes.set(encodeDataHeader(packet.block));
      bytes.set(packet.data, DATA_HEADER_BYTES);
      return bytes;
    }
  }
}

/** The four bytes before the data, so that a server can send header and file slice without joining them. */
export function encodeDataHeader(block: number): Uint8Array {
  uint16(block, 'block');
  // Once for each block of each transfer: the general way costs a tenth of a server's time.
  const header = new Uint8Array(DATA_HEADER_BYTES);
  header[1] = OPCODES.DATA;
  header[2] = block >> 8;
  header[3] = block & 0xff;
  return header;
}

export function encodeTftpError(name: TftpErrorName): Uint8Array {
  const { code, text } = TFTP_ERRORS[name];
  return encodeTftpPacket({ kind: 'ERROR', code, message: text });
}

function decodeRequest(kind: 'RRQ' | 'WRQ', bytes: Uint8Array): TftpPacket | MalformedTftp {
  if (bytes.length > MAX_REQUEST_BYTES) {
    return malformed(kind, `${bytes.length} bytes are more than ${MAX_REQUEST_BYTES}`);
  }
  const [filename, mode, ...rest] = readStrings(bytes, 2);
  if (filename === undefined || filename === '') return malformed(kind, 'no file name');
  if (mode === undefined || mode === '') return malformed(kind, 'no mode');
  return { kind, filename, mode, options: readOptions(rest) };
}

/** NUL-terminated strings; the last one may lack its NUL, because some ROMs forget it and the datagram bounds it. */
function readStrings(bytes: Uint8Array, from: number): string[] {
  const strings: string[] = [];
  let start = from;
  while (start < bytes.length && strings.length < 2 + 2 * MAX_OPTIONS) {
    const nul = bytes.indexOf(0, start);
    const end = nul === -1 ? bytes.length : nul;
    strings.push(latin1(bytes.subarray(start, end)));
    start = end + 1;
  }
  return strings;
}

/** A name without a value is dropped: RFC 2347 lets a server leave out what it cannot use. */
function readOptions(strings: readonly string[]): TftpOptionList {
  const options: [string, string][] = [];
  for (let index = 0; index + 1 < strings.length; index += 2) {
    const name = strings[index];
    const value = strings[index + 1];
    if (name !== undefined && value !== undefined && name !== '') options.push([name, value]);
  }
  return options;
}

function withStrings(kind: keyof typeof OPCODES, numbers: readonly number[], strings: readonly string[]) {
  const heads = [OPCODES[kind], ...numbers].flatMap((number) => [number >> 8, number & 0xff]);
  const tails = strings.flatMap((text) => [...stringBytes(text), 0]);
  return Uint8Array.from([...heads, ...tails]);
}

function stringBytes(text: string): number[] {
  return Array.from(text, (character) => {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 1 && code <= 0xff) return code;
    throw invalid('string', `has the character U+${code.toString(16)}, which TFTP cannot carry`);
  });
}

function uint16(value: number, field: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff) return value;
  throw invalid(field, `must be a whole number from 0 to 65535, not ${value}`);
}

function invalid(field: string, problem: string): LpmosError {
  return new LpmosError({
    code: 'invalid_argument',
    message: `TFTP ${field} ${problem}`,
    fields: [{ path: field, problem }],
  });
}

function malformed(about: TftpPacket['kind'] | undefined, problem: string): MalformedTftp {
  return about === undefined ? { kind: 'malformed', problem } : { kind: 'malformed', about, problem };
}

function readUint16(bytes: Uint8Array, offset: number): number {
  return ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
}

/** Byte by byte, so that any file name survives and none can fail to decode. */
function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
}
