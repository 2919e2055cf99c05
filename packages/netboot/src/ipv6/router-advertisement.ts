/**
 * The one ICMPv6 message that we send: a router advertisement that says "I am no router". Pure.
 * iPXE waits 13 to 16 seconds at each start for a router on links that have none; any advertisement ends that wait, also one whose lifetime
 * is 0 ("not a default router", RFC 4861 section 4.2) and which has neither prefix nor parameters. A host that takes it in keeps what it has.
 */
import { macToBytes } from '@lpmos/core';
import type { MacAddress } from '@lpmos/core';

const ROUTER_ADVERTISEMENT = 134;
const MESSAGE_BYTES = 16;

/**
 * RFC 4861 section 4.2 with everything unspecified: hop limit, M and O flags, router lifetime, reachable time and retransmission timer are 0.
 * The checksum is 0 as well: it covers addresses of the IPv6 header, and the kernel fills it in (RFC 3542 section 3.1).
 */
export function noRouterAdvertisement(): Uint8Array {
  const message = new Uint8Array(MESSAGE_BYTES);
  message[0] = ROUTER_ADVERTISEMENT;
  return message;
}

/** Section 6.1.2: a receiver drops an advertisement whose hop limit tells that a router has passed it on. */
export const ADVERTISEMENT_HOP_LIMIT = 255;

/**
 * The address that firmware and iPXE give to a card before anybody has told them one: `fe80::5054:ff:fe12:3456`.
 * RFC 4291 appendix A (modified EUI-64) and section 2.5.6. A system that chooses random addresses does not have it.
 */
export function linkLocalAddress(mac: MacAddress): string {
  const [first = 0, second = 0, third = 0, ...last] = macToBytes(mac);
  const identifier = [first ^ 0b10, second, third, 0xff, 0xfe, ...last];
  const groups = [0, 2, 4, 6].map((at) => (identifier[at] ?? 0) * 256 + (identifier[at + 1] ?? 0));
  return `fe80::${groups.map((group) => group.toString(16)).join(':')}`;
}
