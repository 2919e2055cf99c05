/**
 * What every answer of a DHCP server must be, whatever was asked: judged from its bytes and the link's settings alone, and so
 * independent of the request and of the code that made it. Pure.
 */
import type { DhcpLink, DhcpPacket } from '@lpmos/netboot';
import { decodePacket } from '@lpmos/netboot';

export interface AnswerSetting {
  readonly link: DhcpLink;
  readonly fromBootServer: boolean;
}

const NAMES: Readonly<Record<number, string>> = { 2: 'OFFER', 5: 'ACK', 6: 'NAK' };
const OFFER = 2;
const ACK = 5;
const NAK = 6;
const NO_ADDRESS = '0.0.0.0';
/** Ethernet without the headers of IP and UDP. */
const MAX_BYTES = 1472;
const MIN_BYTES = 300;

export function answerName(bytes: Uint8Array): string {
  const decoded = decodePacket(bytes);
  if (decoded.kind !== 'packet') return 'sent nonsense';
  return `sent ${NAMES[typeOf(decoded.packet)] ?? 'nonsense'}`;
}

/** What is wrong with the answer, or undefined. */
export function answerFault(bytes: Uint8Array, setting: AnswerSetting): string | undefined {
  if (bytes.length < MIN_BYTES || bytes.length > MAX_BYTES) return `${bytes.length} bytes`;
  const decoded = decodePacket(bytes);
  if (decoded.kind !== 'packet') return `a malformed answer (${decoded.problem})`;
  const { packet } = decoded;
  if (packet.op !== 2 || NAMES[typeOf(packet)] === undefined) return 'no answer of a server';
  if (setting.link.mode === 'observe') return 'something, and only observes';
  if (!packet.options.has(54)) return 'an answer without option 54';
  const asProxy = setting.fromBootServer || setting.link.mode === 'proxy';
  return asProxy ? proxyFault(packet, setting) : leaseFault(packet, setting.link);
}

function proxyFault(packet: DhcpPacket, { fromBootServer }: AnswerSetting): string | undefined {
  if (typeOf(packet) !== (fromBootServer ? ACK : OFFER)) return 'the wrong message of a proxy';
  if (packet.yiaddr !== NO_ADDRESS) return 'an address of a proxy';
  const parameter = [1, 3, 6, 51, 58, 59].find((code) => packet.options.has(code));
  if (parameter !== undefined) return `option ${parameter} of a proxy`;
  // What the client makes us echo can crowd out option 67; the field `file` then has the name alone.
  const bootfile = packet.options.has(67) || packet.file !== '';
  return packet.options.has(60) && bootfile ? undefined : 'a proxy answer without boot data';
}

function leaseFault(packet: DhcpPacket, link: DhcpLink): string | undefined {
  const hasLease = packet.options.has(51);
  if (typeOf(packet) === NAK)
    return hasLease || packet.yiaddr !== NO_ADDRESS ? 'a NAK with a lease' : undefined;
  // The answer to INFORM has neither.
  if (hasLease !== (packet.yiaddr !== NO_ADDRESS)) return 'half a lease';
  if (hasLease && !mayLease(link, packet.yiaddr)) return `${packet.yiaddr}, which is not for leasing`;
  return undefined;
}

function mayLease(
  { pool, reservations, serverAddress, router, dnsServers, relays }: DhcpLink,
  address: string,
): boolean {
  if (reservations.some((entry) => entry.address === address)) return true;
  if ([serverAddress, router, ...dnsServers, ...relays].includes(address)) return false;
  return (
    pool !== undefined &&
    numberOf(pool.first) <= numberOf(address) &&
    numberOf(address) <= numberOf(pool.last)
  );
}

function numberOf(address: string): number {
  return address.split('.').reduce((number, octet) => number * 256 + Number(octet), 0);
}

function typeOf(packet: DhcpPacket): number {
  return packet.options.get(53)?.[0] ?? 0;
}
