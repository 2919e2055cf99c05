/**
 * Which of our links a request belongs to, when a daemon serves several: the relay says it, or the address that the client has,
 * or the wire that the request came by. Pure; whether that link then answers is decided by admit.ts and behind it.
 * RFC 2131 section 4.3.1, RFC 3527 (link selection goes before `giaddr`).
 * Invariant: a broadcast belongs to the wire on which it was heard and to no other.
 */
import { NO_ADDRESS, isHostOf, readIpv4 } from './ipv4';
import type { LinkPlan } from './link';
import { MESSAGE_TYPE, OPTION, RELAY_SUBOPTION } from './option-codes';
import { readAddress, readSubOptions, readU8 } from './options';
import type { DhcpPacket } from './packet';

export interface SelectLinkInput {
  readonly packet: Pick<DhcpPacket, 'giaddr' | 'ciaddr' | 'options'>;
  /** The link whose port heard the request. */
  readonly heardOn: LinkPlan;
  /** All links of the daemon, that one included. */
  readonly plans: readonly LinkPlan[];
  /** Sender of a request to the boot server's port, where clients have an address even when they do not name it. */
  readonly sender?: string;
}

export type SelectedLink =
  { readonly problem?: undefined; readonly plan: LinkPlan } | { readonly problem: string };

export function selectLink(input: SelectLinkInput): SelectedLink {
  const { packet, heardOn } = input;
  if (packet.giaddr !== NO_ADDRESS) return relayedLink(input);
  const address = clientAddress(input);
  if (address !== undefined) {
    if (isOf(heardOn, address)) return { plan: heardOn };
    // A client behind a relay renews without it: only its address tells where it lives.
    // On the socket of a link that only relays reach, so does the unicast of any client.
    const mayCome = (plan: LinkPlan): boolean => plan.relays.size > 0 || heardOn.link.relayedOnly === true;
    const home = input.plans.find((plan) => mayCome(plan) && isOf(plan, address));
    if (home !== undefined) return { plan: home };
  }
  if (heardOn.link.relayedOnly !== true) return { plan: heardOn };
  return { problem: `link ${heardOn.link.name} is reached by relays alone, and this request names none` };
}

/** Who discovers has no address (RFC 2131 table 5), whatever stands in the field. */
function clientAddress({ packet, sender }: SelectLinkInput): string | undefined {
  if (readU8(packet.options, OPTION.messageType) === MESSAGE_TYPE.DHCPDISCOVER) return undefined;
  return packet.ciaddr === NO_ADDRESS ? sender : packet.ciaddr;
}

function relayedLink({ packet, heardOn, plans }: SelectLinkInput): SelectedLink {
  if (plans.length === 1) return { plan: heardOn };
  const selected = linkSelection(packet);
  if (selected !== undefined) {
    return { plan: plans.find((plan) => covers(plan, selected)) ?? listing(plans, packet.giaddr) ?? heardOn };
  }
  const home = plans.find((plan) => isOf(plan, packet.giaddr));
  if (home?.relays.has(packet.giaddr) === true) return { plan: home };
  const candidates = plans.filter((plan) => plan.relays.has(packet.giaddr));
  if (candidates.length <= 1) return { plan: candidates[0] ?? home ?? heardOn };
  const names = candidates.map((plan) => plan.link.name).join(' and ');
  return {
    problem: `relay ${packet.giaddr} is listed by the links ${names} and lies in neither: let it send link selection (option 82.5)`,
  };
}

function listing(plans: readonly LinkPlan[], giaddr: string): LinkPlan | undefined {
  return plans.find((plan) => plan.relays.has(giaddr));
}

function linkSelection({ options }: Pick<DhcpPacket, 'options'>): string | undefined {
  const information = options.get(OPTION.relayAgentInformation);
  const parts = information && readSubOptions(information);
  return parts && readAddress(parts, RELAY_SUBOPTION.linkSelection);
}

function isOf(plan: LinkPlan, dotted: string): boolean {
  const number = readIpv4(dotted);
  return number !== undefined && isHostOf(plan.subnet, number);
}

/** RFC 3527 lets a relay name the subnet by any of its addresses, the network address included. */
function covers(plan: LinkPlan, dotted: string): boolean {
  return isOf(plan, dotted) || readIpv4(dotted) === plan.subnet.network;
}
