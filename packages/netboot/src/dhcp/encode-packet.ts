/**
 * A DhcpPacket to bytes; packet.ts is the way back. Deterministic: 53 first, 82 last (RFC 3046 section 2.1), all others in the
 * order of the map, 255, zeros up to 300 bytes. Long options are split (RFC 3396 section 6); `file` and `sname` carry options
 * (overload) only when the frame would otherwise be too long, and never when they carry their own text.
 */
import { OPTION } from './option-codes';
import { FRAME, MAX_FILE, MAX_SNAME, MINIMUM_FRAME, OPTIONS_OFFSET, OVERLOAD } from './packet';
import type { DhcpOptions, DhcpPacket } from './packet';

export interface EncodeSettings {
  /** Longest frame in bytes, at least 300. Options that do not fit go to empty `file` and `sname` (option 52), whole. */
  readonly maxBytes?: number;
}

/**
 * @throws RangeError for a value that has no encoding (a text that is too long for its field, an address that is none) and for
 *   options that do not fit into `maxBytes` even with overload. Both are faults of the caller, never of the network.
 */
export function encodePacket(packet: DhcpPacket, settings: EncodeSettings = {}): Uint8Array {
  const areas = layOut(packet, settings.maxBytes ?? Number.POSITIVE_INFINITY);
  const frame = new Uint8Array(Math.max(MINIMUM_FRAME, OPTIONS_OFFSET + areas.options.length));
  const view = new DataView(frame.buffer);
  frame.set([packet.op, packet.htype, packet.hlen, packet.hops]);
  view.setUint32(4, packet.xid);
  view.setUint16(8, packet.secs);
  view.setUint16(10, packet.flags);
  [packet.ciaddr, packet.yiaddr, packet.siaddr, packet.giaddr].forEach((address, index) =>
    frame.set(octets(address), 12 + 4 * index),
  );
  if (packet.chaddr.length !== packet.hlen || packet.hlen > FRAME.chaddrLength) {
    throw new RangeError('chaddr must have hlen bytes, at most 16');
  }
  frame.set(packet.chaddr, FRAME.chaddrOffset);
  frame.set(areas.sname ?? textField('sname', packet.sname, MAX_SNAME), FRAME.snameOffset);
  frame.set(areas.file ?? textField('file', packet.file, MAX_FILE), FRAME.fileOffset);
  view.setUint32(FRAME.cookieOffset, FRAME.magicCookie);
  frame.set(areas.options, OPTIONS_OFFSET);
  return frame;
}

interface Areas {
  readonly options: Uint8Array;
  readonly file?: Uint8Array;
  readonly sname?: Uint8Array;
}

/** Bytes that the options take on the wire, with the end option and RFC 3396 splits; no overload. */
export function optionsLength(options: DhcpOptions): number {
  let length = 1;
  for (const value of options.values()) length += wireLength(value);
  return length;
}

function wireLength(value: Uint8Array): number {
  return value.length + 2 * Math.max(1, Math.ceil(value.length / 255));
}

function layOut(packet: DhcpPacket, maxBytes: number): Areas {
  const ordered = wireOrder(packet.options);
  if (OPTIONS_OFFSET + optionsLength(packet.options) <= maxBytes) return { options: area(ordered) };
  // The boot file stays in `file` where ROMs look for it; only empty fields lend their room.
  const file = new Room(packet.file === '' ? FRAME.fileLength - 1 : 0);
  const sname = new Room(packet.sname === '' ? FRAME.snameLength - 1 : 0);
  const main = new Room(maxBytes - OPTIONS_OFFSET - 4);
  for (const option of ordered.filter(([code]) => code === OPTION.messageType)) main.take(option);
  // 82 must be last in the options area and never moves; it takes its room before the others.
  const relay = ordered.filter(([code]) => code === OPTION.relayAgentInformation);
  for (const option of relay) {
    if (!main.reserve(option))
      throw new RangeError(`option 82 does not fit into a frame of ${maxBytes} bytes`);
  }
  for (const option of ordered) {
    if (option[0] === OPTION.messageType || option[0] === OPTION.relayAgentInformation) continue;
    if (!main.take(option) && !file.take(option) && !sname.take(option)) {
      throw new RangeError(`option ${option[0]} does not fit into a frame of ${maxBytes} bytes`);
    }
  }
  const bits = (file.taken.length > 0 ? OVERLOAD.file : 0) | (sname.taken.length > 0 ? OVERLOAD.sname : 0);
  const [first, ...rest] = main.taken;
  const overload: Option = [OPTION.overload, Uint8Array.of(bits)];
  return {
    options: area([...(first === undefined ? [] : [first]), overload, ...rest, ...relay]),
    ...(file.taken.length > 0 ? { file: area(file.taken) } : {}),
    ...(sname.taken.length > 0 ? { sname: area(sname.taken) } : {}),
  };
}

type Option = readonly [number, Uint8Array];

class Room {
  readonly taken: Option[] = [];
  constructor(private free: number) {}

  take(option: Option): boolean {
    if (!this.reserve(option)) return false;
    this.taken.push(option);
    return true;
  }

  reserve([, value]: Option): boolean {
    if (wireLength(value) > this.free) return false;
    this.free -= wireLength(value);
    return true;
  }
}

function wireOrder(options: DhcpOptions): Option[] {
  const rank = (code: number): number =>
    code === OPTION.messageType ? 0 : code === OPTION.relayAgentInformation ? 2 : 1;
  return [...options]
    .filter(([code]) => code !== OPTION.pad && code !== OPTION.end && code !== OPTION.overload)
    .sort((one, other) => rank(one[0]) - rank(other[0]));
}

function area(options: readonly Option[]): Uint8Array {
  const bytes = new Uint8Array(options.reduce((length, [, value]) => length + wireLength(value), 1));
  let at = 0;
  for (const [code, value] of options) {
    let from = 0;
    do {
      const part = value.subarray(from, from + 255);
      bytes.set([code, part.length], at);
      bytes.set(part, at + 2);
      at += 2 + part.length;
      from += 255;
    } while (from < value.length);
  }
  bytes[at] = OPTION.end;
  return bytes;
}

function octets(address: string): Uint8Array {
  const parts = address.split('.').map(Number);
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) {
    throw new RangeError(`"${address}" is no IPv4 address`);
  }
  return Uint8Array.from(parts);
}

function textField(name: string, text: string, max: number): Uint8Array {
  if (text.length > max || /[^\u0001-\u00ff]/.test(text)) {
    throw new RangeError(`${name} must be at most ${max} Latin-1 characters without NUL`);
  }
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
