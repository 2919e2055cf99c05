/**
 * Options as typed values: readers that give undefined for a wrong length, writers that refuse what has no encoding.
 * `checkLengths` is the gate of the server: one option with an impossible length and the whole packet is dropped, so that
 * nothing is half done. Lengths from RFC 2132 section 9; texts are Latin-1 without a trailing NUL.
 */
import { readIpv4 } from './ipv4';
import { OPTION } from './option-codes';
import type { DhcpOptions } from './packet';
import { concat } from './packet';

export function readU8(options: DhcpOptions, code: number): number | undefined {
  return readNumber(options, code, 1);
}

export function readU16(options: DhcpOptions, code: number): number | undefined {
  return readNumber(options, code, 2);
}

export function readU32(options: DhcpOptions, code: number): number | undefined {
  return readNumber(options, code, 4);
}

/** Several 16-bit numbers, such as option 93; undefined when absent, empty or of odd length. */
export function readU16List(options: DhcpOptions, code: number): number[] | undefined {
  const value = options.get(code);
  if (value === undefined || value.length === 0 || value.length % 2 !== 0) return undefined;
  return Array.from({ length: value.length / 2 }, (_, index) =>
    bigEndian(value.subarray(2 * index, 2 * index + 2)),
  );
}

export function readAddress(options: DhcpOptions, code: number): string | undefined {
  const value = options.get(code);
  return value?.length === 4 ? value.join('.') : undefined;
}

export function readAddressList(options: DhcpOptions, code: number): string[] | undefined {
  const value = options.get(code);
  if (value === undefined || value.length === 0 || value.length % 4 !== 0) return undefined;
  return Array.from({ length: value.length / 4 }, (_, index) =>
    value.subarray(4 * index, 4 * index + 4).join('.'),
  );
}

/** Latin-1; trailing NULs, which some senders count in the length, are cut. */
export function readText(options: DhcpOptions, code: number): string | undefined {
  const value = options.get(code);
  return value === undefined ? undefined : latin1(value).replace(/\0+$/, '');
}

export function latin1(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function readNumber(options: DhcpOptions, code: number, length: number): number | undefined {
  const value = options.get(code);
  return value?.length === length ? bigEndian(value) : undefined;
}

function bigEndian(bytes: Uint8Array): number {
  return bytes.reduce((number, byte) => number * 256 + byte, 0);
}

export const u8 = (value: number): Uint8Array => fixed(value, 1);
export const u16 = (value: number): Uint8Array => fixed(value, 2);
export const u32 = (value: number): Uint8Array => fixed(value, 4);

export function address(dotted: string): Uint8Array {
  const value = readIpv4(dotted);
  if (value === undefined) throw new RangeError(`"${dotted}" is no IPv4 address`);
  return u32(value);
}

export function addressList(dotted: readonly string[]): Uint8Array {
  return concat(dotted.map(address));
}

export function text(value: string): Uint8Array {
  if (/[^\u0000-\u00ff]/.test(value)) throw new RangeError('a text option must be Latin-1');
  return Uint8Array.from(value, (character) => character.charCodeAt(0));
}

function fixed(value: number, length: number): Uint8Array {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * length)) {
    throw new RangeError(`${value} does not fit into ${length} bytes`);
  }
  return Uint8Array.from({ length }, (_, index) => Math.floor(value / 2 ** (8 * (length - 1 - index))) % 256);
}

/**
 * Options inside an option (43, 82, 175): code, length, value, until the end or, in option 43 and 175, a 255.
 * Undefined when a length lies. A sub-option that appears twice keeps its last value.
 */
export function readSubOptions(value: Uint8Array): DhcpOptions | undefined {
  const found = new Map<number, Uint8Array>();
  let at = 0;
  while (at < value.length) {
    const code = value[at];
    if (code === undefined || code === OPTION.end) break;
    if (code === OPTION.pad) {
      at += 1;
      continue;
    }
    const length = value[at + 1];
    if (length === undefined || at + 2 + length > value.length) return undefined;
    found.set(code, value.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return found;
}

/** Sub-options without an end mark; each value at most 255 bytes. */
export function subOptions(entries: readonly (readonly [number, Uint8Array])[]): Uint8Array {
  return concat(entries.flatMap(([code, value]) => [u8(code), u8(value.length), value]));
}

/** Options whose length says whether the packet makes sense. Two of one kind join (RFC 3396) and are caught here too. */
const LENGTHS: ReadonlyMap<number, number> = new Map([
  [OPTION.subnetMask, 4],
  [OPTION.requestedAddress, 4],
  [OPTION.leaseTime, 4],
  [OPTION.messageType, 1],
  [OPTION.serverIdentifier, 4],
  [OPTION.maximumMessageSize, 2],
  [OPTION.renewalTime, 4],
  [OPTION.rebindingTime, 4],
]);

/** The first option with an impossible length, in words, or undefined when all are possible. */
export function checkLengths(options: DhcpOptions): string | undefined {
  for (const [code, value] of options) {
    const length = LENGTHS.get(code);
    if (length !== undefined && value.length !== length) {
      return `option ${code} has ${value.length} bytes instead of ${length}`;
    }
  }
  return undefined;
}
