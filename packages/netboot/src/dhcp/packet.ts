/**
 * The BOOTP frame with DHCP options: bytes in, a value out; encode-packet.ts is the way back. Imports nothing of LPMOS and
 * decides nothing; what an option means is read in options.ts.
 * RFC 2131 section 2 (fields under their own names), RFC 3396 (long options), RFC 2132 section 9.3 (overload, option 52).
 * Never trusts a length: every read is checked first, and a frame that lies is a value with the offset, not an exception.
 */
import { OPTION } from './option-codes';

/** Options by code, joined (RFC 3396), in the order of their first appearance. */
export type DhcpOptions = ReadonlyMap<number, Uint8Array>;

export interface DhcpPacket {
  /** 1 BOOTREQUEST, 2 BOOTREPLY. */
  readonly op: number;
  readonly htype: number;
  readonly hlen: number;
  readonly hops: number;
  readonly xid: number;
  readonly secs: number;
  readonly flags: number;
  /** Dotted quads; 0.0.0.0 when absent. */
  readonly ciaddr: string;
  readonly yiaddr: string;
  readonly siaddr: string;
  readonly giaddr: string;
  /** The first `hlen` bytes of the field. */
  readonly chaddr: Uint8Array;
  /** Up to the first NUL; empty when the field carries options (overload). */
  readonly sname: string;
  readonly file: string;
  readonly options: DhcpOptions;
}

export interface MalformedPacket {
  readonly kind: 'malformed';
  /** Byte of the datagram at which it stopped making sense. */
  readonly offset: number;
  readonly problem: string;
}

export type DecodedPacket = { readonly kind: 'packet'; readonly packet: DhcpPacket } | MalformedPacket;

/** The broadcast bit of `flags` (RFC 2131 figure 2). */
export const BROADCAST_FLAG = 0x8000;
/** Fixed fields and the magic cookie. */
export const OPTIONS_OFFSET = 240;
/** Old BOOTP relays and ROMs drop anything shorter (RFC 1542 section 2.1). */
export const MINIMUM_FRAME = 300;
/** Longest `sname` and `file`, without the NUL that ends them. */
export const MAX_SNAME = 63;
export const MAX_FILE = 127;

/** Where the fields lie (RFC 2131 figure 1), for the two halves of the codec. */
export const FRAME = {
  chaddrOffset: 28,
  chaddrLength: 16,
  snameOffset: 44,
  snameLength: 64,
  fileOffset: 108,
  fileLength: 128,
  cookieOffset: 236,
  magicCookie: 0x63825363,
} as const;
/** Bits of option 52. */
export const OVERLOAD = { file: 1, sname: 2 } as const;
const OVERLOAD_MAX = 3;

/** Never leaves decodePacket. */
class FrameProblem extends Error {
  constructor(
    readonly offset: number,
    readonly problem: string,
  ) {
    super(problem);
  }
}

/** Total: any bytes give a packet or a {@link MalformedPacket}. A missing end option is accepted, a cut option is not. */
export function decodePacket(bytes: Uint8Array): DecodedPacket {
  try {
    return { kind: 'packet', packet: decode(bytes) };
  } catch (thrown) {
    if (thrown instanceof FrameProblem) {
      return { kind: 'malformed', offset: thrown.offset, problem: thrown.problem };
    }
    throw thrown;
  }
}

function decode(bytes: Uint8Array): DhcpPacket {
  if (bytes.length < OPTIONS_OFFSET) {
    throw new FrameProblem(
      bytes.length,
      `shorter than the ${OPTIONS_OFFSET} bytes of fixed fields and cookie`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hlen = view.getUint8(2);
  if (hlen > FRAME.chaddrLength) throw new FrameProblem(2, `hlen ${hlen} is longer than chaddr`);
  if (view.getUint32(FRAME.cookieOffset) !== FRAME.magicCookie)
    throw new FrameProblem(FRAME.cookieOffset, 'no magic cookie');
  const parts = new Map<number, Uint8Array[]>();
  readOptions(bytes, OPTIONS_OFFSET, bytes.length, parts);
  const overload = readOverload(parts);
  // RFC 3396 section 5: the order of the areas is options, file, sname.
  if (overload & OVERLOAD.file)
    readOptions(bytes, FRAME.fileOffset, FRAME.fileOffset + FRAME.fileLength, parts);
  if (overload & OVERLOAD.sname)
    readOptions(bytes, FRAME.snameOffset, FRAME.snameOffset + FRAME.snameLength, parts);
  return {
    op: view.getUint8(0),
    htype: view.getUint8(1),
    hlen,
    hops: view.getUint8(3),
    xid: view.getUint32(4),
    secs: view.getUint16(8),
    flags: view.getUint16(10),
    ciaddr: dotted(bytes, 12),
    yiaddr: dotted(bytes, 16),
    siaddr: dotted(bytes, 20),
    giaddr: dotted(bytes, 24),
    chaddr: bytes.slice(FRAME.chaddrOffset, FRAME.chaddrOffset + hlen),
    sname: overload & OVERLOAD.sname ? '' : fieldText(bytes, FRAME.snameOffset, FRAME.snameLength),
    file: overload & OVERLOAD.file ? '' : fieldText(bytes, FRAME.fileOffset, FRAME.fileLength),
    options: joined(parts),
  };
}

function readOptions(bytes: Uint8Array, from: number, end: number, into: Map<number, Uint8Array[]>): void {
  let at = from;
  while (at < end) {
    const code = bytes[at] ?? OPTION.end;
    if (code === OPTION.end) return;
    if (code === OPTION.pad) {
      at += 1;
      continue;
    }
    const length = bytes[at + 1];
    if (at + 1 >= end || length === undefined) throw new FrameProblem(at, `option ${code} has no length`);
    if (at + 2 + length > end) {
      throw new FrameProblem(at, `option ${code} claims ${length} bytes and ${end - at - 2} are left`);
    }
    const value = bytes.slice(at + 2, at + 2 + length);
    const parts = into.get(code);
    if (parts === undefined) into.set(code, [value]);
    else parts.push(value);
    at += 2 + length;
  }
}

function readOverload(parts: ReadonlyMap<number, readonly Uint8Array[]>): number {
  const values = parts.get(OPTION.overload);
  if (values === undefined) return 0;
  const [value] = values;
  const overload = value?.[0] ?? 0;
  if (values.length !== 1 || value?.length !== 1 || overload < 1 || overload > OVERLOAD_MAX) {
    throw new FrameProblem(OPTIONS_OFFSET, 'option 52 (overload) is not a single 1, 2 or 3');
  }
  return overload;
}

/** Overload describes the frame, not the message: once the areas are read it says nothing. */
function joined(parts: ReadonlyMap<number, readonly Uint8Array[]>): DhcpOptions {
  const options = new Map<number, Uint8Array>();
  for (const [code, values] of parts) {
    if (code === OPTION.overload) continue;
    const [first] = values;
    options.set(code, values.length === 1 && first !== undefined ? first : concat(values));
  }
  return options;
}

function dotted(bytes: Uint8Array, at: number): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** Latin-1 both ways: `file` is bytes to the RFC, and every byte must survive a round trip. */
function fieldText(bytes: Uint8Array, at: number, length: number): string {
  let text = '';
  for (let index = at; index < at + length; index += 1) {
    const byte = bytes[index] ?? 0;
    if (byte === 0) break;
    text += String.fromCharCode(byte);
  }
  return text;
}

/** The parts as one. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
