/**
 * Rules of DHCP, its relays, PXE and proxyDHCP that the boot service keeps: D (RFC 2131 and 2132), RL (relays), P (PXE options) and
 * X (proxyDHCP and port 4011). The tests are netboot-dhcp-rules, netboot-dhcp-pxe-rules, netboot-proxydhcp-rules and, with foreign
 * programs, netboot-dhcp-clients. `raw packets` are datagrams of our making on real sockets, some of them captured from firmware.
 */
import type { ConformanceRule } from './rule';

const RAW = ['raw packets'] as const;

function row(
  id: string,
  rule: string,
  specification: string,
  more: { readonly clients?: readonly string[]; readonly remark?: string } = {},
): ConformanceRule {
  const { clients = [], remark } = more;
  return {
    id,
    rule,
    specification,
    clients: [...RAW, ...clients],
    ...(remark === undefined ? {} : { remark }),
  };
}

const CORE: readonly ConformanceRule[] = [
  row(
    'D1',
    'An OFFER copies xid, flags, giaddr and chaddr, has ciaddr 0, yiaddr, 53, 54 and 51, and never 50, 55 or 57',
    'RFC 2131 section 4.3.1, table 3',
  ),
  row('D2', 'An ACK copies ciaddr and says what the OFFER said', 'RFC 2131 section 4.3.1', {
    clients: ['udhcpc', 'dhclient', 'dhcpcd', 'perfdhcp'],
  }),
  row('D3', 'Option 61 comes back when it was sent, and only then', 'RFC 6842', { clients: ['dhcpcd'] }),
  row(
    'D4',
    'Option 53 is first, 255 ends the options, and a message has at least 300 bytes',
    'RFC 2131 section 3, RFC 1542 section 2.1',
  ),
  row('D5', 'Messages shorter than 300 bytes are served', 'RFC 2131 section 2', { clients: ['perfdhcp'] }),
  row(
    'D6',
    'A client without an address is answered on the link, with the broadcast flag and without',
    'RFC 2131 section 4.1',
    {
      clients: ['udhcpc', 'dhclient', 'dhcpcd'],
      remark:
        'Always by broadcast, which every client takes; a unicast would need a raw socket or the neighbour table.',
    },
  ),
  row('D7', 'A renewing client is answered by unicast at ciaddr', 'RFC 2131 section 4.3.2', {
    clients: ['udhcpc', 'dhclient', 'dhcpcd'],
  }),
  row('D8', 'A rebinding client (no option 54) is answered', 'RFC 2131 section 4.3.2'),
  row(
    'D9',
    'A client that takes another server’s offer hears nothing, and our address is free again at once',
    'RFC 2131 section 4.3.2',
  ),
  row(
    'D10',
    'INIT-REBOOT: known and right is acknowledged, known and wrong refused, unknown met with silence',
    'RFC 2131 section 4.3.2',
    { clients: ['dhclient'] },
  ),
  row(
    'D11',
    'A NAK through a relay goes to giaddr with the broadcast bit, without address and lease time',
    'RFC 2131 section 4.3.2',
  ),
  row(
    'D12',
    'DECLINE quarantines, RELEASE frees, both without a reply; only the holder may',
    'RFC 2131 sections 4.3.3 and 4.3.4',
    { clients: ['udhcpc', 'dhclient', 'dhcpcd'] },
  ),
  row('D13', 'INFORM is acknowledged at ciaddr without yiaddr and lease time', 'RFC 2131 section 4.3.5'),
  row(
    'D14',
    'Only what option 55 asks for is sent beside what the protocol and booting need, in its order',
    'RFC 2131 section 4.3.1',
  ),
  row(
    'D15',
    'A reply is no longer than option 57 and the link allow',
    'RFC 2132 section 9.10; OVMF asks for 65 280',
  ),
  row(
    'D16',
    'Overload is read in all its forms, and used only when nothing else has room',
    'RFC 2132 section 9.3',
  ),
  row('D17', 'An option in several pieces is joined', 'RFC 3396 section 7'),
  row('D18', 'An option that comes twice and makes no sense joined drops the packet', 'RFC 3396 section 7'),
  row('D19', 'An impossible length drops the packet, with no partial effect', 'RFC 2132 section 9'),
  row('D20', 'Only Ethernet addresses of six bytes are served', 'RFC 2131 section 2'),
  row('D21', 'More than 16 hops are a loop; secs and fewer hops decide nothing', 'RFC 1542 section 4.1.1'),
  row(
    'D22',
    'A DISCOVER that is repeated, with the same xid or a new one, is offered the same address',
    'RFC 2131 section 4.3.1',
  ),
  row(
    'D23',
    'The MAC is the identity of a lease: firmware, iPXE and system of one machine have one address',
    'LPMOS; OVMF sends no option 61, dhcpcd a DUID',
    { clients: ['udhcpc'] },
  ),
  row(
    'D24',
    'Machines with equal option 61 or 97 have different addresses',
    'LPMOS; vendors ship equal UUIDs',
  ),
  row(
    'D25',
    'T1 is a half and T2 seven eighths of the lease; a wish for a longer one is capped, one of zero is not granted',
    'RFC 2131 section 4.4.5',
  ),
  row(
    'D26',
    'With an exhausted pool new clients hear nothing, somebody is told, and others renew',
    'RFC 2131 section 4.3.1',
  ),
  row(
    'D27',
    'Under pressure an offer that nobody took goes to another client after ten seconds',
    'RFC 2131 section 4.3.1',
  ),
  row(
    'D28',
    'Network, broadcast, own, router, name server and reserved addresses are never leased, even when asked for',
    'RFC 2131 section 4.3.1',
  ),
  row(
    'D29',
    'A wish for a free address of the pool is granted; one for another network is passed over',
    'RFC 2131 section 4.3.1',
    { clients: ['udhcpc'] },
  ),
  row('D30', 'BOOTP without option 53 is not served', 'RFC 2131 section 2; RFC 1534'),
  row(
    'D31',
    'Replies go to port 68 of clients and port 67 of relays, whatever port the request came from',
    'RFC 2131 section 4.1',
  ),
  row('D32', 'A client on another link of the host gets nothing', 'RFC 2131 section 4.1', {
    clients: ['udhcpc'],
    remark:
      'With a socket of the device the request is not even seen; with an address alone it is, and its answer leaves by the boot link.',
  }),
  row('D33', 'A host name from the wire is neither believed nor repeated', 'Kea CVE-2025-11232'),
  row('D34', 'A unicast request for no link of ours is dropped', 'Kea CVE-2025-40779'),
  row('D35', 'No probe delays an answer: hundreds of new clients are all offered an address', 'LPMOS'),
];

const RELAYS: readonly ConformanceRule[] = [
  row('RL1', 'A relayed request is answered at giaddr', 'RFC 2131 section 4.1', { clients: ['perfdhcp'] }),
  row('RL2', 'Option 82 comes back byte for byte, as the last option', 'RFC 3046 section 2.1'),
  row('RL3', 'When room is short, option 82 stays and what was only asked for goes', 'RFC 3046 section 2.1'),
  row(
    'RL4',
    'Option 82 without a relay’s address is no identity and renames nothing',
    'RFC 3046 section 2.1',
  ),
  row(
    'RL5',
    'Link selection must name our link; a relay’s name for the server is ours',
    'RFC 3527, RFC 5107',
  ),
  row('RL6', 'A relay that is not listed hears nothing', 'RFC 3046 section 5', { clients: ['perfdhcp'] }),
  row('RL7', 'Authentication (90) and option 145 are passed over and not repeated', 'RFC 3118, RFC 6704', {
    clients: ['dhcpcd'],
  }),
  row('RL8', 'One DISCOVER through two relays: one address, two answers', 'RFC 2131 section 4.1'),
];

const PXE: readonly ConformanceRule[] = [
  row(
    'P1',
    'PXE and HTTP clients are known by how option 60 begins; others get no boot data',
    'RFC 4578 section 2, PXE 2.1',
    { clients: ['udhcpc'] },
  ),
  row('P2', 'Option 60 comes back as PXEClient alone, option 97 unchanged', 'PXE 2.1 section 2.2.1'),
  row(
    'P3',
    'Option 93 decides the file; an unknown type gets none, and somebody is told',
    'RFC 4578 section 2.1 with errata; IANA',
  ),
  row(
    'P4',
    'Of several types in option 93 the first that can be served wins; an odd length costs the boot file, not the lease',
    'RFC 4578 section 2.1',
  ),
  row(
    'P5',
    'Server and file stand in siaddr, file, 66 and 67, and agree',
    'RFC 2132 sections 9.4 and 9.5; some ROMs read only one of them',
  ),
  row('P6', 'file ends in NUL, option 67 does not', 'RFC 2132 section 9.5', {
    remark:
      'ROMs of BIOS read past option 67 (netboot.xyz#1198), so theirs ends in a NUL, as dnsmasq sends it to all.',
  }),
  row('P7', 'A name over 127 characters stands in option 67 alone, whole', 'RFC 2132 section 9.5'),
  row('P8', 'An option 97 of any form comes back as it is and identifies nobody', 'RFC 4578 section 2.3'),
  row('P9', 'Option 43 holds well-formed sub-options and its own end', 'RFC 2132 section 8.4'),
  row(
    'P10',
    'PXE firmware is told to load the file at once (43.6 = 8), without a visit to port 4011',
    'PXE 2.1, option 43 sub-option 6',
  ),
  row('P11', 'Nothing that we answer forbids a discovery that we answer', 'PXE 2.1, option 43 sub-option 6', {
    remark: 'Bits 0 to 2 are always clear, and no multicast group is joined.',
  }),
  row(
    'P12',
    'Options 128 to 135 in the list of wishes are passed over',
    'RFC 4578 section 2.4; OVMF asks for all',
  ),
  row('P13', 'The operating system of a machine that boots from us gets no boot file', 'RFC 4578', {
    clients: ['udhcpc'],
  }),
];

const PROXY: readonly ConformanceRule[] = [
  row(
    'X1',
    'A proxy OFFER has yiaddr 0, our address in siaddr and 54, 60 and 97, no lease time and no parameter; netboot clients only',
    'PXE 2.1 section 2.2.3',
  ),
  row('X2', 'A proxy never leases and answers no REQUEST on port 67', 'PXE 2.1 section 2.2.3'),
  row(
    'X3',
    'On port 4011 the answer goes to the address and port of the request',
    'PXE 2.1 section 2.2.4; EDK2 asks from 4011, iPXE from 68',
  ),
  row('X4', 'It is an ACK with 53, 54, 60, 97 and the file, and no lease', 'PXE 2.1 section 2.2.4'),
  row('X5', 'The item of a boot menu (43.71) comes back with its file', 'PXE 2.1, option 43 sub-option 71', {
    remark: 'We send no menu of our own; the item comes from another server’s.',
  }),
  row('X6', 'A server that leases answers on 4011 as well, and each request once', 'PXE 2.1 section 2.4'),
  row('X7', 'The proxy OFFER is the same before and after the OFFER with an address', 'PXE 2.1 section 2.4'),
  row('X8', 'iPXE gets the script on both ports, never itself', 'ipxe issues 908 and 913'),
  row(
    'X9',
    'INFORM on 4011 is acknowledged; DISCOVER and nonsense there are dropped',
    'PXE 2.1 section 2.2.4',
  ),
];

export const DHCP_RULES: readonly ConformanceRule[] = [...CORE, ...RELAYS, ...PXE, ...PROXY];
