/**
 * The gate before anything is decided: is this a DHCP request that this link answers at all, and what does it say?
 * Pure. Whatever passes has a MAC, a known message type, options of possible lengths and, if relayed, a relay that we trust;
 * nothing behind the gate looks at raw bytes of these again. RFC 2131 section 4.3, RFC 3046, RFC 3527, RFC 5107.
 */
import type { MacAddress } from '@lpmos/core';
import { macFromBytes } from '@lpmos/core';
import type { DhcpClient } from './client';
import { classifyClient } from './client';
import { NO_ADDRESS, isHostOf, readIpv4 } from './ipv4';
import type { LinkPlan } from './link';
import type { MessageTypeName } from './option-codes';
import { OPTION, RELAY_SUBOPTION, messageTypeName } from './option-codes';
import { checkLengths, readAddress, readSubOptions, readU8 } from './options';
import type { DhcpPacket } from './packet';

export interface AdmittedRequest {
  readonly type: MessageTypeName;
  readonly mac: MacAddress;
  readonly packet: DhcpPacket;
  readonly client: DhcpClient;
  /** Option 50. */
  readonly requestedAddress?: string;
  /** Option 54 as the client sent it. */
  readonly chosenServer?: string;
  /** What we are called in option 54 on this path: our address, or the name that a relay gave us (RFC 5107). */
  readonly serverIdentifier: string;
}

export type Admission =
  | { readonly kind: 'admitted'; readonly request: AdmittedRequest }
  | {
      readonly kind: 'ignored';
      readonly reason: string;
      readonly mac?: MacAddress;
      readonly type?: MessageTypeName;
    };

/** RFC 1542 section 4.1.1: more hops are a loop. */
const MAX_HOPS = 16;
const ETHERNET = 1;
const BOOTREQUEST = 1;

export function admit(packet: DhcpPacket, plan: LinkPlan): Admission {
  if (packet.op !== BOOTREQUEST) return ignored('not a request');
  if (packet.htype !== ETHERNET || packet.hlen !== 6)
    return ignored('not an Ethernet client (htype 1, hlen 6)');
  const mac = macFromBytes(packet.chaddr);
  if (mac === undefined) return ignored('chaddr is no unicast MAC address');
  const lengths = checkLengths(packet.options);
  if (lengths !== undefined) return { ...ignored(lengths), mac };
  const type = messageTypeName(readU8(packet.options, OPTION.messageType) ?? 0);
  if (type === undefined) return { ...ignored('BOOTP or an unknown message type: DHCP is served here'), mac };
  const refuse = (reason: string): Admission => ({ ...ignored(reason), mac, type });
  if (packet.hops > MAX_HOPS) return refuse(`${packet.hops} hops, a relay loop`);
  const path = relayPath(packet, plan);
  if (path.problem !== undefined) return refuse(path.problem);
  const requestedAddress = readAddress(packet.options, OPTION.requestedAddress);
  const chosenServer = readAddress(packet.options, OPTION.serverIdentifier);
  return {
    kind: 'admitted',
    request: {
      type,
      mac,
      packet,
      client: classifyClient(packet.options),
      ...(requestedAddress === undefined ? {} : { requestedAddress }),
      ...(chosenServer === undefined ? {} : { chosenServer }),
      serverIdentifier: path.serverIdentifier,
    },
  };
}

type RelayPath =
  { readonly problem: string } | { readonly problem?: undefined; readonly serverIdentifier: string };

/** Option 82 without a relay address comes from a switch or from a client that pretends: it is echoed and believed in nothing. */
function relayPath(packet: DhcpPacket, plan: LinkPlan): RelayPath {
  const ours = { serverIdentifier: plan.link.serverAddress };
  if (packet.giaddr === NO_ADDRESS) return ours;
  if (!plan.relays.has(packet.giaddr)) {
    return { problem: `relay ${packet.giaddr} is not in the list of relays of link ${plan.link.name}` };
  }
  const information = packet.options.get(OPTION.relayAgentInformation);
  if (information === undefined) return ours;
  const parts = readSubOptions(information);
  if (parts === undefined) return { problem: 'option 82 does not hold together' };
  const selected = readAddress(parts, RELAY_SUBOPTION.linkSelection);
  if (selected !== undefined && !isOnLink(plan, selected)) {
    return { problem: `the relay selects link ${selected}, which is not on ${plan.link.subnet}` };
  }
  return {
    serverIdentifier: readAddress(parts, RELAY_SUBOPTION.serverIdentifierOverride) ?? ours.serverIdentifier,
  };
}

/** RFC 3527 lets a relay name the subnet by any of its addresses, the network address included. */
function isOnLink(plan: LinkPlan, dotted: string): boolean {
  const number = readIpv4(dotted);
  return number !== undefined && (number === plan.subnet.network || isHostOf(plan.subnet, number));
}

function ignored(reason: string): { readonly kind: 'ignored'; readonly reason: string } {
  return { kind: 'ignored', reason };
}
