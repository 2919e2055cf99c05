/**
 * Where a reply goes (RFC 2131 section 4.1), as a pure function of the request.
 * A client without an address is always answered by broadcast, whatever its flag says: a unicast would need an ARP entry or a
 * raw frame for an address that nobody answers for yet, and every client in the field takes the broadcast.
 * The source address and port of the request are never used: a relay may send from anywhere, and a sender may lie.
 */
import type { Endpoint } from './datagram-port';
import { LIMITED_BROADCAST, NO_ADDRESS } from './ipv4';
import type { DhcpLink } from './link';
import type { DhcpPacket } from './packet';

export interface RouteInput {
  readonly request: Pick<DhcpPacket, 'ciaddr' | 'giaddr'>;
  readonly reply: 'DHCPOFFER' | 'DHCPACK' | 'DHCPNAK';
  readonly link: Pick<DhcpLink, 'ports' | 'relayedOnly'>;
}

export function routeReply({ request, reply, link: { ports, relayedOnly } }: RouteInput): Endpoint {
  if (request.giaddr !== NO_ADDRESS) return { address: request.giaddr, port: ports.relay };
  const toClient = { address: request.ciaddr, port: ports.client };
  // A client that discovers has no address (table 5), and an offer to whatever stands in the field would make us a mirror for floods.
  if (reply === 'DHCPACK' && request.ciaddr !== NO_ADDRESS) return toClient;
  // A refused client may use the address no longer, so it must not be needed to hear the refusal. One that renewed past its relay hears no
  // broadcast of ours, and still has the address.
  if (reply === 'DHCPNAK' && relayedOnly === true && request.ciaddr !== NO_ADDRESS) return toClient;
  return { address: LIMITED_BROADCAST, port: ports.client };
}
