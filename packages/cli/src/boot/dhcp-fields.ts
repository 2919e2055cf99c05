/** A DHCP packet for people: the fields and options that say something, under their RFC's names, one text each. Pure. */
import { OPTION, readText } from '@lpmos/netboot';
import type { DhcpPacket } from '@lpmos/netboot';

export interface AnswerField {
  readonly field: string;
  readonly value: string;
}

const NAMES = new Map(
  Object.entries(OPTION).map(([name, code]): readonly [number, string] => [
    code,
    name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
  ]),
);
const TEXTS: ReadonlySet<number> = new Set([
  OPTION.hostName,
  OPTION.domainName,
  OPTION.message,
  OPTION.vendorClassIdentifier,
  OPTION.tftpServerName,
  OPTION.bootfileName,
]);
const ADDRESSES: ReadonlySet<number> = new Set([
  OPTION.subnetMask,
  OPTION.router,
  OPTION.domainNameServer,
  OPTION.broadcastAddress,
  OPTION.ntpServers,
  OPTION.serverIdentifier,
]);
const SECONDS: ReadonlySet<number> = new Set([OPTION.leaseTime, OPTION.renewalTime, OPTION.rebindingTime]);
const NO_ADDRESS = '0.0.0.0';

export function answerFields(packet: DhcpPacket): AnswerField[] {
  const fixed: AnswerField[] = (['yiaddr', 'siaddr', 'giaddr', 'sname', 'file'] as const)
    .map((field) => ({ field, value: packet[field] }))
    .filter(({ value }) => value !== '' && value !== NO_ADDRESS);
  const options = [...packet.options]
    .filter(([code]) => code !== OPTION.messageType)
    .map(([code, value]) => ({ field: optionName(code), value: optionText(packet, code, value) }));
  return [...fixed, ...options];
}

function optionName(code: number): string {
  const name = NAMES.get(code);
  return name === undefined ? `option ${code}` : `option ${code} (${name})`;
}

function optionText(packet: DhcpPacket, code: number, value: Uint8Array): string {
  if (TEXTS.has(code)) return readText(packet.options, code) ?? '';
  if (ADDRESSES.has(code) && value.length > 0 && value.length % 4 === 0) {
    return Array.from({ length: value.length / 4 }, (_, at) =>
      value.subarray(4 * at, 4 * at + 4).join('.'),
    ).join(', ');
  }
  if (SECONDS.has(code) && value.length === 4) {
    return `${value.reduce((number, byte) => number * 256 + byte, 0)} s`;
  }
  return [...value].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}

/** What the client is to load: option 67 goes before the field, which may hold options instead. */
export function bootFileOf(packet: DhcpPacket): string | undefined {
  const named = readText(packet.options, OPTION.bootfileName) ?? packet.file;
  return named === '' ? undefined : named;
}
