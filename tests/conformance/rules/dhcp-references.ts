/**
 * What dnsmasq 2.90 and Kea 2.2 make of the DHCP rules: `keeps` where the very test of the rule passes against them, else in one line why it
 * fails. A rule that is not here cannot be asked of them on the test's wire (it is about our own boot data, or Kea would have to broadcast on
 * loopback). harness/dhcp-rule.ts runs each; docs/conformance.md shows them.
 */
import type { DhcpReferenceName } from '../harness/dhcp-reference';

/** `keeps`, or how the server differs. */
export type ReferenceVerdict = 'keeps' | (string & {});

const MORE_THAN_ASKED = 'it sends 58 and 59, and the broadcast address, unasked';
const OTHER_ORDER = 'it sends options in the order of their codes, and 58 and 59 unasked';
const NO_ROOM_LIMIT = 'it does not heed option 57: its replies grow beyond it';
const NO_PXE_OPTIONS = 'it leaves options 60, 66, 67 and 43 out unless each is configured';
const NO_IDENTIFIER_OF_PXE = 'it knows a client by option 61, so that firmware, iPXE and system are three';

/** By the id of the rule. */
export const DHCP_REFERENCE_ROWS: Readonly<
  Record<string, Readonly<Partial<Record<DhcpReferenceName, ReferenceVerdict>>>>
> = {
  D1: { dnsmasq: 'keeps', kea: 'keeps' },
  D2: { dnsmasq: 'keeps', kea: 'keeps' },
  D3: { dnsmasq: 'it does not send option 61 back', kea: 'keeps' },
  D4: { dnsmasq: MORE_THAN_ASKED, kea: 'its shortest message has 299 bytes' },
  D5: { dnsmasq: 'keeps', kea: 'keeps' },
  D6: { dnsmasq: 'it leaves the source of a broadcast to the routing table' },
  D7: { dnsmasq: 'keeps', kea: 'keeps' },
  D8: { dnsmasq: 'keeps', kea: 'keeps' },
  D9: { dnsmasq: 'authoritative, it refuses the REQUEST that names another server', kea: 'keeps' },
  D10: { dnsmasq: 'authoritative, it answers clients that it does not know' },
  D11: { dnsmasq: 'keeps', kea: 'it does not set the broadcast bit of a NAK' },
  D12: { dnsmasq: 'a declined address is offered again when it is wished for', kea: 'keeps' },
  D13: { dnsmasq: 'it answers an INFORM at the port that it came from', kea: 'keeps' },
  D14: { dnsmasq: MORE_THAN_ASKED, kea: OTHER_ORDER },
  D15: {
    dnsmasq: 'of two options that do not both fit it keeps the later one and drops the name servers',
    kea: NO_ROOM_LIMIT,
  },
  D16: {
    dnsmasq: 'it does not send option 61 back',
    kea: 'it does not read options in sname and file',
  },
  D17: {
    dnsmasq: 'it takes the first piece of an option for the whole',
    kea: 'it takes the last piece of an option for the whole and drops the packet',
  },
  D18: { dnsmasq: 'it takes the first piece of an option for the whole', kea: 'it takes one of them' },
  D19: { dnsmasq: 'keeps', kea: 'keeps' },
  D20: { dnsmasq: 'it serves hardware addresses of other lengths', kea: 'it serves other lengths' },
  D21: { dnsmasq: 'it does not look at hops', kea: 'it does not look at hops' },
  D22: { dnsmasq: 'keeps', kea: 'it remembers no offer: each DISCOVER is offered the next address' },
  D23: { dnsmasq: NO_IDENTIFIER_OF_PXE, kea: 'keeps' },
  D24: { dnsmasq: 'equal identifiers are one client to it', kea: 'keeps' },
  D25: { dnsmasq: 'its shortest lease is two minutes', kea: 'a wish for no time gets the longest' },
  D26: { dnsmasq: 'keeps', kea: 'keeps' },
  D27: { dnsmasq: 'it keeps no offer', kea: 'it keeps no offer' },
  D28: {
    dnsmasq: 'it leases whatever its range holds, our router and name server included',
    kea: 'it leases whatever its pool holds, and is silent where it should refuse',
  },
  D29: { dnsmasq: 'keeps', kea: 'keeps' },
  D30: { dnsmasq: 'keeps', kea: 'keeps' },
  D31: { dnsmasq: 'keeps' },
  D33: { dnsmasq: 'it believes a host name from the wire and sends it back', kea: OTHER_ORDER },
  D34: {
    dnsmasq: 'authoritative, it refuses a stranger’s renewal from another network',
    kea: 'authoritative, it refuses a stranger’s renewal from another network',
  },
  D35: { dnsmasq: 'it offers some of them one address: it keeps no offers', kea: 'keeps' },
  RL1: { dnsmasq: 'keeps', kea: 'keeps' },
  RL2: { dnsmasq: 'keeps', kea: 'keeps' },
  RL3: { dnsmasq: 'it drops option 82 when room is short', kea: NO_ROOM_LIMIT },
  RL4: { dnsmasq: 'it believes a link selection that no relay has made' },
  RL5: { dnsmasq: 'keeps', kea: 'it leaves its own name in option 54' },
  RL6: { dnsmasq: 'keeps', kea: 'it serves every relay of its subnet' },
  RL7: { dnsmasq: MORE_THAN_ASKED, kea: OTHER_ORDER },
  RL8: { dnsmasq: 'keeps', kea: 'it remembers no offer: each DISCOVER is offered the next address' },
  P2: { dnsmasq: NO_PXE_OPTIONS, kea: NO_PXE_OPTIONS },
  P5: { dnsmasq: NO_PXE_OPTIONS, kea: NO_PXE_OPTIONS },
  P8: { dnsmasq: 'it sends option 97 back only as PXE proxy', kea: 'it drops an option 97 without a byte' },
  P12: { dnsmasq: MORE_THAN_ASKED, kea: NO_PXE_OPTIONS },
  P13: { dnsmasq: 'siaddr is its own address for everybody', kea: OTHER_ORDER },
};
