/**
 * MAC addresses: read in every notation that operators paste, written in one.
 * Only 48-bit unicast addresses name a machine; group addresses and all zeros are refused (IEEE 802).
 */
import { invalidField } from '../errors';

declare const brand: unique symbol;

/** Canonical form: six lower-case pairs separated by colons. */
export type MacAddress = string & { readonly [brand]: 'MacAddress' };

export const MAC_RULE =
  'a unicast MAC address such as 00:1a:2b:3c:4d:5e (also 00-1A-2B-3C-4D-5E, 001a.2b3c.4d5e or 001a2b3c4d5e)';

/** Longest notation is 17 characters; anything longer is refused before a pattern looks at it. */
const LONGEST = 17;
const NOTATIONS = [
  /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/,
  /^[0-9a-f]{2}(?:-[0-9a-f]{2}){5}$/,
  /^[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}$/,
  /^[0-9a-f]{6}-[0-9a-f]{6}$/,
  /^[0-9a-f]{12}$/,
];

/** The canonical address, or undefined when the text is none. */
export function readMacAddress(text: string): MacAddress | undefined {
  if (text.length > LONGEST) return undefined;
  const lower = text.toLowerCase();
  if (!NOTATIONS.some((notation) => notation.test(lower))) return undefined;
  return fromDigits(lower.replace(/[:.-]/g, ''));
}

/** @throws LpmosError `invalid_argument` naming `field`. */
export function parseMacAddress(text: string, field = 'mac_address'): MacAddress {
  const mac = readMacAddress(text);
  if (mac !== undefined) return mac;
  throw invalidField(field, `must be ${MAC_RULE}`);
}

/** @param bytes 6 bytes as they stand in `chaddr`; undefined when they are no unicast address. */
export function macFromBytes(bytes: Uint8Array): MacAddress | undefined {
  if (bytes.length !== 6) return undefined;
  return fromDigits(Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(''));
}

export function macToBytes(mac: MacAddress): Uint8Array {
  return Uint8Array.from(mac.split(':'), (pair) => Number.parseInt(pair, 16));
}

/** `52-54-00-12-34-56`, the form of file names and of iPXE's `${mac:hexhyp}`. */
export function macWithHyphens(mac: MacAddress): string {
  return mac.replaceAll(':', '-');
}

function fromDigits(digits: string): MacAddress | undefined {
  const groupBit = Number.parseInt(digits.slice(0, 2), 16) & 1;
  if (groupBit === 1 || digits === '000000000000') return undefined;
  return (digits.match(/../g) ?? []).join(':') as MacAddress;
}
