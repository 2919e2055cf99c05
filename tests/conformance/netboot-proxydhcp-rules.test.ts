/**
 * Rules X1 to X9 of rules/dhcp.ts: proxyDHCP beside another DHCP server, and the boot server's port, as raw packets on real sockets.
 * Each test names its rule. Loopback plays the link; the boot server's port is one that the system chose.
 */
import type { BootDecision } from '@lpmos/core';
import type { DhcpPacket } from '@lpmos/netboot';
import { addressOption, encodePacket, textOption, u8Option } from '@lpmos/netboot';
import type { Options } from './harness/netboot-dhcp-wire';
import {
  LINK,
  PROXY_LINK,
  RELAY,
  SERVER,
  STRANGER,
  Wire,
  closeWires,
  hex,
  newMac,
  pxe,
  typeOf,
  unhex,
} from './harness/netboot-dhcp-wire';

afterEach(closeWires);

const CLIENT = '127.0.1.200';
const MACHINE: Options[number] = [97, unhex(`00${'5a'.repeat(16)}`)];
const IPXE: Options = [...pxe(), [77, textOption('iPXE')], [175, unhex('130101')]];
const EDK2_LIST: Options[number] = [
  55,
  Uint8Array.of(1, 2, 3, 4, 5, 6, 12, 13, 15, 51, 54, 58, 59, 60, 66, 67, 97, 128),
];
const codes = (packet: DhcpPacket): number[] => [...packet.options.keys()];
const openProxy = (decision?: BootDecision): Promise<Wire> =>
  Wire.open({ link: PROXY_LINK, ...(decision === undefined ? {} : { decision }) });

it('X1: a proxy OFFER has boot data and nothing of a lease or of the network', async () => {
  const wire = await openProxy();
  const options: Options = [...pxe(), MACHINE, EDK2_LIST];
  const { packet, at } = await wire.ask(wire.request({ type: 'DHCPDISCOVER', broadcast: true }, options));
  expect([at, typeOf(packet), packet.yiaddr, packet.siaddr, packet.file]).toEqual([
    'broadcast',
    2,
    '0.0.0.0',
    SERVER,
    'ipxe.efi',
  ]);
  expect(codes(packet)).toEqual([53, 54, 60, 97, 43, 66, 67]);
  expect([hex(packet.options.get(54)), hex(packet.options.get(60)), hex(packet.options.get(97))]).toEqual([
    hex(addressOption(SERVER)),
    hex(textOption('PXEClient')),
    hex(MACHINE[1]),
  ]);
  const relayed = await wire.ask(wire.request({ type: 'DHCPDISCOVER', giaddr: RELAY }, options));
  expect(relayed.at).toBe(RELAY);
  await wire.silence(
    wire.request({ type: 'DHCPDISCOVER' }),
    wire.request({ type: 'DHCPDISCOVER' }, [[60, textOption('udhcp 1.35')]]),
    wire.request({ type: 'DHCPDISCOVER', mac: STRANGER }, options),
  );
});

it('X2: a proxy never leases and answers no REQUEST on the DHCP port', async () => {
  const wire = await openProxy();
  const selects = (server: string): DhcpPacket =>
    wire.request({ type: 'DHCPREQUEST' }, [
      ...pxe(),
      [50, addressOption(CLIENT)],
      [54, addressOption(server)],
    ]);
  await wire.silence(
    selects('127.0.0.2'),
    selects(SERVER),
    wire.request({ type: 'DHCPREQUEST', ciaddr: CLIENT }, pxe()),
    wire.request({ type: 'DHCPREQUEST' }, [...pxe(), [50, addressOption('192.168.7.7')]]),
    wire.request({ type: 'DHCPINFORM', ciaddr: CLIENT }, pxe()),
    wire.request({ type: 'DHCPDECLINE' }, [[50, addressOption(CLIENT)]]),
    wire.request({ type: 'DHCPRELEASE', ciaddr: CLIENT }),
  );
  expect(wire.server.leases()).toEqual([]);
});

it('X3: on port 4011 the answer goes to the address and port of the request', async () => {
  const wire = await openProxy();
  // EDK2 asks without the broadcast flag, iPXE with it; both from the address that they were leased.
  for (const broadcast of [false, true]) {
    const client = await wire.clientAt(CLIENT);
    const ask = wire.request({ type: 'DHCPREQUEST', ciaddr: CLIENT, broadcast }, [...pxe(), MACHINE]);
    const { at, from } = await client.ask(ask);
    expect([at, from]).toEqual([`${CLIENT} itself`, `${SERVER}:${wire.bootServerPort}`]);
  }
});

it('X4: it is an ACK with server, class, machine and file, and no lease', async () => {
  const wire = await openProxy();
  const client = await wire.clientAt(CLIENT);
  const { packet } = await client.ask(
    wire.request({ type: 'DHCPREQUEST', ciaddr: CLIENT }, [...pxe(), MACHINE, EDK2_LIST]),
  );
  expect([typeOf(packet), packet.yiaddr, packet.ciaddr, packet.siaddr, packet.file]).toEqual([
    5,
    '0.0.0.0',
    CLIENT,
    SERVER,
    'ipxe.efi',
  ]);
  expect(codes(packet)).toEqual([53, 54, 60, 97, 43, 66, 67]);
});

it('X5: the item of a boot menu comes back with its file', async () => {
  const wire = await openProxy();
  const client = await wire.clientAt(CLIENT);
  const chosen = async (options: Options): Promise<[string, string]> => {
    const { packet } = await client.ask(wire.request({ type: 'DHCPREQUEST', ciaddr: CLIENT }, options));
    return [hex(packet.options.get(43)), packet.file];
  };
  expect(await chosen([...pxe(), [43, unhex('470480000000ff')]])).toEqual(['470480000000ff', 'ipxe.efi']);
  // iPXE says its class bare after a menu.
  const bare: Options = [
    [60, textOption('PXEClient')],
    [77, textOption('iPXE')],
    [43, unhex('470480010000ff')],
  ];
  expect(await chosen(bare)).toEqual(['470480010000ff', LINK.boot.scriptUrl]);
  for (const wrong of ['4709ff', '4703800000ff', '470580000000ffff', '47']) {
    expect(await chosen([...pxe(), [43, unhex(wrong)]])).toEqual(['060108ff', 'ipxe.efi']);
  }
});

it('X6: a server that leases answers on 4011 as well, and each request once', async () => {
  const wire = await Wire.open();
  const mac = newMac();
  const address = await wire.lease(mac, pxe());
  const client = await wire.clientAt(address);
  const { packet } = await client.ask(wire.request({ type: 'DHCPREQUEST', mac, ciaddr: address }, pxe()));
  expect([typeOf(packet), packet.yiaddr, packet.file, codes(packet).includes(51)]).toEqual([
    5,
    '0.0.0.0',
    'ipxe.efi',
    false,
  ]);
  expect(wire.server.leaseOf(mac)?.address).toBe(address);
  await wire.nothingMore();
});

it('X7: the proxy OFFER is the same before and after the OFFER with an address', async () => {
  const wire = await openProxy();
  const request = wire.request({ type: 'DHCPDISCOVER', secs: 4 }, pxe());
  const before = await wire.ask(request);
  wire.time.ms += 2_000;
  // Another server's OFFER reaches the link in between.
  const yiaddr = CLIENT;
  wire.send({
    ...request,
    op: 2,
    yiaddr,
    options: new Map([
      [53, u8Option(2)],
      [54, addressOption('127.0.0.2')],
    ]),
  });
  const after = await wire.ask({ ...request, secs: 8 });
  expect(hex(after.bytes)).toBe(hex(before.bytes));
});

it('X8: iPXE gets the script on both ports, never itself', async () => {
  const wire = await openProxy();
  const offer = await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, IPXE));
  const client = await wire.clientAt(CLIENT);
  const named: Options = [...IPXE, [54, addressOption(SERVER)]];
  const ack = await client.ask(wire.request({ type: 'DHCPREQUEST', ciaddr: CLIENT, broadcast: true }, named));
  for (const { packet } of [offer, ack]) {
    expect([packet.file, hex(packet.options.get(67))]).toEqual([
      LINK.boot.scriptUrl,
      hex(textOption(LINK.boot.scriptUrl)),
    ]);
    // "Wait for no proxy" is for the server that leases to say.
    expect(codes(packet)).not.toContain(175);
  }
});

it('X9: INFORM on 4011 is acknowledged; DISCOVER and nonsense there are dropped', async () => {
  const wire = await openProxy();
  const client = await wire.clientAt(CLIENT);
  const inform = wire.request({ type: 'DHCPINFORM', ciaddr: CLIENT }, pxe());
  expect(typeOf((await client.ask(inform)).packet)).toBe(5);
  client.send(encodePacket(wire.request({ type: 'DHCPDISCOVER' }, pxe())));
  client.send(encodePacket(wire.request({ type: 'DHCPREQUEST', ciaddr: CLIENT })));
  client.send(encodePacket(wire.request({ type: 'DHCPREQUEST', mac: STRANGER, ciaddr: CLIENT }, pxe())));
  client.send(
    encodePacket(wire.request({ type: 'DHCPREQUEST' }, [...pxe(), [54, addressOption('127.0.0.2')]])),
  );
  for (const length of [0, 1, 239, 240, 1400]) client.send(new Uint8Array(length).fill(0x35));
  const last = await client.ask(wire.request({ type: 'DHCPREQUEST', xid: 77, ciaddr: CLIENT }, pxe()));
  expect(last.packet.xid).toBe(77);
  await wire.nothingMore();
});
