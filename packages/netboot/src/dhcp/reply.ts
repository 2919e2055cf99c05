/**
 * Builds the packet of a reply: which fields are copied, which options go in and which stay out when room is short.
 * RFC 2131 table 3, RFC 6842 (option 61 comes back), RFC 3046 (option 82 comes back, last).
 * Only what option 55 asks for, in its order, plus what the protocol and booting need; those are never dropped.
 */
import type { BootData } from './boot-data';
import { NO_ADDRESS, formatIpv4 } from './ipv4';
import type { LinkPlan } from './link';
import { MESSAGE_TYPE, OPTION } from './option-codes';
import { address, addressList, readU16, text, u32, u8 } from './options';
import type { AdmittedRequest } from './admit';
import { BROADCAST_FLAG, OPTIONS_OFFSET } from './packet';
import type { DhcpPacket } from './packet';
import { optionsLength } from './encode-packet';

export type ReplyType = 'DHCPOFFER' | 'DHCPACK' | 'DHCPNAK';

export interface ReplyParts {
  readonly type: ReplyType;
  readonly request: AdmittedRequest;
  readonly plan: LinkPlan;
  /** Absent in a NAK and in the answer to DHCPINFORM. */
  readonly yiaddr?: string;
  readonly leaseSeconds?: number;
  readonly hostname?: string;
  readonly boot?: BootData;
  /** False leaves out what option 55 asks for: a proxy knows nothing of the network. */
  readonly parameters?: boolean;
  /** Option 56 of a NAK. */
  readonly message?: string;
}

export interface BuiltReply {
  readonly packet: DhcpPacket;
  /** The longest frame that the client takes and that no link fragments. */
  readonly maxBytes: number;
}

/** Every client takes an IP datagram of 576 bytes; option 57 may ask for more, and OVMF asks for 65 280. */
const SMALLEST_DATAGRAM = 576;
const ETHERNET_MTU = 1500;
const IP_AND_UDP_HEADERS = 28;
/** Asked for by a client that sends no option 55. */
const DEFAULT_PARAMETERS = [OPTION.subnetMask, OPTION.router, OPTION.domainNameServer, OPTION.domainName];
/** Parameters that a client cannot do without; all others give way when room is short. */
const KEPT = new Set<number>([OPTION.subnetMask]);

export function buildReply(parts: ReplyParts): BuiltReply {
  const { request, boot, type } = parts;
  const refusal = type === 'DHCPNAK';
  const maxBytes = frameLimit(request);
  const options = refusal ? refusalOptions(parts) : grantOptions(parts, maxBytes);
  const relayed = request.packet.giaddr !== NO_ADDRESS;
  return {
    maxBytes,
    packet: {
      op: 2,
      htype: request.packet.htype,
      hlen: request.packet.hlen,
      hops: 0,
      xid: request.packet.xid,
      secs: 0,
      // The relay must broadcast a refusal: the client may not own the address that it would be unicast to.
      flags: refusal && relayed ? request.packet.flags | BROADCAST_FLAG : request.packet.flags,
      ciaddr: type === 'DHCPACK' ? request.packet.ciaddr : NO_ADDRESS,
      yiaddr: parts.yiaddr ?? NO_ADDRESS,
      siaddr: boot?.siaddr ?? NO_ADDRESS,
      giaddr: request.packet.giaddr,
      chaddr: request.packet.chaddr,
      sname: '',
      file: boot?.file ?? '',
      options,
    },
  };
}

function frameLimit(request: AdmittedRequest): number {
  const asked = readU16(request.packet.options, OPTION.maximumMessageSize) ?? SMALLEST_DATAGRAM;
  return Math.min(Math.max(asked, SMALLEST_DATAGRAM), ETHERNET_MTU) - IP_AND_UDP_HEADERS;
}

type Options = Map<number, Uint8Array>;

function grantOptions(parts: ReplyParts, maxBytes: number): Options {
  const options = protocolOptions(parts);
  if (parts.leaseSeconds !== undefined) options.set(OPTION.leaseTime, u32(parts.leaseSeconds));
  const parameters: Options = parts.parameters === false ? new Map() : askedParameters(parts);
  const droppable = droppableCodes(parameters, parts.boot);
  for (const [code, value] of parameters) options.set(code, value);
  for (const [code, value] of parts.boot?.options ?? []) options.set(code, value);
  for (const code of droppable) {
    if (OPTIONS_OFFSET + optionsLength(options) <= maxBytes) break;
    options.delete(code);
  }
  return options;
}

/**
 * What gives way when room is short, first to go first. The request lists what it wants most first, so the end of its list goes
 * first; the boot options go last, and only those that `file` and `siaddr` say as well.
 */
function droppableCodes(parameters: Options, boot: BootData | undefined): number[] {
  const asked = [...parameters.keys()].filter((code) => !KEPT.has(code)).reverse();
  const inFields = boot === undefined || boot.file === '' ? [] : [OPTION.tftpServerName, OPTION.bootfileName];
  return [...asked, ...inFields];
}

function refusalOptions(parts: ReplyParts): Options {
  const options = protocolOptions(parts);
  if (parts.message !== undefined) options.set(OPTION.message, text(parts.message));
  return options;
}

function protocolOptions({ type, request }: ReplyParts): Options {
  const options: Options = new Map([
    [OPTION.messageType, u8(MESSAGE_TYPE[type])],
    [OPTION.serverIdentifier, address(request.serverIdentifier)],
  ]);
  for (const echoed of [OPTION.clientIdentifier, OPTION.relayAgentInformation]) {
    const value = request.packet.options.get(echoed);
    if (value !== undefined) options.set(echoed, value);
  }
  return options;
}

function askedParameters(parts: ReplyParts): Options {
  const asked = parts.request.packet.options.get(OPTION.parameterRequestList) ?? DEFAULT_PARAMETERS;
  const known = knownParameters(parts);
  const options: Options = new Map();
  for (const code of asked) {
    const value = known.get(code);
    if (value !== undefined) options.set(code, value);
  }
  return options;
}

/** Everything that the link's configuration says, by option. Names come from the reservation, never from the client. */
function knownParameters({ plan, leaseSeconds, hostname }: ReplyParts): Options {
  const { link, subnet } = plan;
  const known: Options = new Map([
    [OPTION.subnetMask, u32(subnet.netmask)],
    [OPTION.broadcastAddress, address(formatIpv4(subnet.broadcast))],
  ]);
  if (link.router !== undefined) known.set(OPTION.router, address(link.router));
  if (link.dnsServers.length > 0) known.set(OPTION.domainNameServer, addressList(link.dnsServers));
  if (link.ntpServers !== undefined && link.ntpServers.length > 0) {
    known.set(OPTION.ntpServers, addressList(link.ntpServers));
  }
  if (link.domain !== undefined) known.set(OPTION.domainName, text(link.domain));
  if (hostname !== undefined) known.set(OPTION.hostName, text(hostname));
  if (leaseSeconds !== undefined) {
    // RFC 2131 section 4.4.5: T1 is half of the lease, T2 seven eighths.
    known.set(OPTION.renewalTime, u32(Math.floor(leaseSeconds / 2)));
    known.set(OPTION.rebindingTime, u32(Math.floor((leaseSeconds * 7) / 8)));
  }
  return known;
}
