/**
 * DHCP rules D1 to D35 (rules/dhcp.ts) as raw packets on real sockets: what ordinary clients never send, and the bytes of what they get.
 * Each test names its rule. What foreign programs show is in netboot-dhcp-clients.test.ts.
 */
import type { MacAddress } from '@lpmos/core';
import {
  addressOption,
  encodePacket,
  readAddress,
  readText,
  readU32,
  textOption,
  u16Option,
  u32Option,
} from '@lpmos/netboot';
import type { DhcpPacket, Lease } from '@lpmos/netboot';
import { itWhen } from '../integration/harness/it-when';
import { rule } from './harness/dhcp-rule';
import { DhcpLab } from './harness/netboot-dhcp-lab';
import type { Options } from './harness/netboot-dhcp-wire';
import {
  RELAY,
  RESERVED,
  SERVER,
  STRANGER,
  Wire,
  closeWires,
  hex,
  newMac,
  pxe,
  typeOf,
} from './harness/netboot-dhcp-wire';

afterEach(closeWires);

const wish = (address: string): [number, Uint8Array] => [50, addressOption(address)];
const choose = (address: string): [number, Uint8Array] => [54, addressOption(address)];
const codes = (packet: DhcpPacket): number[] => [...packet.options.keys()];
/** A frame without the zeros behind its options. */
const unpadded = (packet: DhcpPacket): Uint8Array => {
  const bytes = encodePacket(packet);
  return bytes.subarray(0, bytes.lastIndexOf(255) + 1);
};
/** A frame with this options area. */
const withOptions = (packet: DhcpPacket, area: readonly number[]): Uint8Array =>
  Uint8Array.from([...encodePacket(packet).subarray(0, 240), ...area]);

rule('D1: an OFFER copies what it must and has nothing that it must not', async (peer) => {
  const wire = await peer.open();
  const request = wire.request({ type: 'DHCPDISCOVER', broadcast: true, secs: 9, giaddr: RELAY }, [
    wish('127.0.1.9'),
    [55, Uint8Array.of(1, 3, 50, 55, 57)],
    [57, u16Option(1472)],
  ]);
  const { packet } = await wire.ask(request);
  const { xid, flags, giaddr, chaddr } = request;
  expect(packet).toMatchObject({ op: 2, htype: 1, hlen: 6, hops: 0, xid, flags, giaddr });
  expect([hex(packet.chaddr), packet.ciaddr, packet.yiaddr]).toEqual([hex(chaddr), '0.0.0.0', '127.0.1.9']);
  expect([typeOf(packet), readAddress(packet.options, 54), readU32(packet.options, 51)]).toEqual([
    2,
    SERVER,
    3600,
  ]);
  for (const never of [50, 55, 57]) expect(codes(packet)).not.toContain(never);
});

rule('D2: an ACK says what the OFFER said', async (peer) => {
  const wire = await peer.open();
  const mac = newMac();
  const offer = (await wire.ask(wire.request({ type: 'DHCPDISCOVER', mac }, pxe()))).packet;
  const chosen = [...pxe(), wish(offer.yiaddr), choose(SERVER)];
  const ack = (await wire.ask(wire.request({ type: 'DHCPREQUEST', mac }, chosen))).packet;
  expect(typeOf(ack)).toBe(5);
  const said = ({ yiaddr, siaddr, file, options }: DhcpPacket): unknown => [
    [yiaddr, siaddr, file],
    [...options].filter(([code]) => code !== 53).map(([code, value]) => [code, hex(value)]),
  ];
  expect(said(ack)).toEqual(said(offer));
});

rule('D3: option 61 comes back when it was sent, and only then', async (peer) => {
  const wire = await peer.open();
  const identifier = Uint8Array.of(0xff, 1, 2, 3, 4, 0, 1, 0, 1, 9);
  const sent = await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, [[61, identifier]]));
  expect(hex(sent.packet.options.get(61))).toBe(hex(identifier));
  const unsent = await wire.ask(wire.request({ type: 'DHCPDISCOVER' }));
  expect(codes(unsent.packet)).not.toContain(61);
});

rule('D4: option 53 is first, 255 ends the options, the message has 300 bytes', async (peer) => {
  const wire = await peer.open();
  const { bytes } = await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, [[55, Uint8Array.of(1)]]));
  expect(bytes).toHaveLength(300);
  expect(hex(bytes.subarray(236, 243))).toBe('63825363350102');
  expect(hex(bytes.subarray(240))).toMatch(/^3501023604.{8}3304.{8}0104ff000000ff(?:00)+$/);
});

rule('D5: messages shorter than 300 bytes are served', async (peer) => {
  const wire = await peer.open();
  const short = unpadded(wire.request({ type: 'DHCPDISCOVER' }));
  expect(short).toHaveLength(244);
  expect(typeOf((await wire.ask(short)).packet)).toBe(2);
  // Without its end option, as some relays cut it.
  expect(typeOf((await wire.ask(short.subarray(0, 243))).packet)).toBe(2);
});

rule(
  'D6: a client without an address is answered on the link, with the broadcast flag and without',
  async (peer) => {
    const wire = await peer.open();
    for (const broadcast of [true, false]) {
      const { at, from, packet } = await wire.ask(wire.request({ type: 'DHCPDISCOVER', broadcast }));
      expect([at, from, packet.flags]).toEqual([
        'broadcast',
        `${SERVER}:${wire.port}`,
        broadcast ? 0x8000 : 0,
      ]);
    }
  },
);

rule('D7: a renewing client is answered at ciaddr', async (peer) => {
  const wire = await peer.open();
  const mac = newMac();
  const ciaddr = await wire.lease(mac);
  await wire.hearAt(ciaddr);
  const { at, packet } = await wire.ask(wire.request({ type: 'DHCPREQUEST', mac, ciaddr }, [choose(SERVER)]));
  expect([at, typeOf(packet), packet.ciaddr, packet.yiaddr]).toEqual([ciaddr, 5, ciaddr, ciaddr]);
});

rule('D8: a rebinding client is answered, even by a daemon that has forgotten it', async (peer) => {
  const wire = await peer.open();
  const [mac, ciaddr] = [newMac(), '127.0.1.77'];
  await wire.hearAt(ciaddr);
  const { at, packet } = await wire.ask(wire.request({ type: 'DHCPREQUEST', mac, ciaddr, broadcast: true }));
  expect([at, typeOf(packet), packet.yiaddr]).toEqual([ciaddr, 5, ciaddr]);
  wire.ours((server) => expect(server.leaseOf(mac)).toMatchObject({ state: 'bound', address: ciaddr }));
});

rule('D9: who takes another server’s offer hears nothing, and our address is free at once', async (peer) => {
  const wire = await peer.open();
  const mac = newMac();
  const { packet } = await wire.ask(wire.request({ type: 'DHCPDISCOVER', mac }, [wish('127.0.1.40')]));
  const other = [wish('127.0.0.9'), choose('127.0.0.2')];
  await wire.silence(wire.request({ type: 'DHCPREQUEST', mac }, other));
  const next = await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, [wish('127.0.1.40')]));
  expect([packet.yiaddr, next.packet.yiaddr]).toEqual(['127.0.1.40', '127.0.1.40']);
});

rule('D10: INIT-REBOOT is acknowledged, refused or met with silence', async (peer) => {
  const wire = await peer.open();
  const mac = newMac();
  const address = await wire.lease(mac);
  const reboot = (who: MacAddress, old: string): DhcpPacket =>
    wire.request({ type: 'DHCPREQUEST', mac: who }, [wish(old)]);
  expect((await wire.ask(reboot(mac, address))).packet.yiaddr).toBe(address);
  for (const wrong of ['192.168.7.7', '127.0.1.249']) {
    const { packet, at } = await wire.ask(reboot(mac, wrong));
    expect([typeOf(packet), at, packet.yiaddr]).toEqual([6, 'broadcast', '0.0.0.0']);
  }
  await wire.silence(reboot(newMac(), '127.0.1.9'), reboot(newMac(), '192.168.7.7'));
  // Who renews what is not its own must hear it without the address that it may no longer use.
  await wire.hearAt('127.0.1.248');
  const refused = await wire.ask(wire.request({ type: 'DHCPREQUEST', mac, ciaddr: '127.0.1.248' }));
  expect([typeOf(refused.packet), refused.at]).toEqual([6, 'broadcast']);
});

rule(
  'D11: a NAK through a relay goes to giaddr with the broadcast bit, without address and lease time',
  async (peer) => {
    const wire = await peer.open();
    const mac = newMac();
    await wire.lease(mac);
    const wrong = wire.request({ type: 'DHCPREQUEST', mac, giaddr: RELAY }, [wish('192.168.7.7')]);
    const { packet, at } = await wire.ask(wrong);
    expect([typeOf(packet), at, packet.flags, packet.yiaddr]).toEqual([6, RELAY, 0x8000, '0.0.0.0']);
    expect(codes(packet)).toEqual([53, 54, 56]);
  },
);

rule('D12: DECLINE quarantines, RELEASE frees, without a reply, and only for the holder', async (peer) => {
  const wire = await peer.open();
  const [mac, thief] = [newMac(), newMac()];
  const address = await wire.lease(mac, [wish('127.0.1.41')]);
  await wire.silence(wire.request({ type: 'DHCPRELEASE', mac: thief, ciaddr: address }));
  wire.ours((server) => expect(server.leaseOf(mac)?.state).toBe('bound'));
  await wire.silence(wire.request({ type: 'DHCPRELEASE', mac, ciaddr: address }));
  wire.ours((server) => expect(server.leaseOf(mac)).toBeUndefined());
  await wire.lease(mac, [wish('127.0.1.41')]);
  await wire.silence(wire.request({ type: 'DHCPDECLINE', mac }, [wish(address)]));
  for (const who of [mac, thief]) {
    const again = await wire.ask(wire.request({ type: 'DHCPDISCOVER', mac: who }, [wish(address)]));
    expect(again.packet.yiaddr).not.toBe(address);
  }
});

rule('D13: INFORM is acknowledged at ciaddr without an address and a lease time', async (peer) => {
  const wire = await peer.open();
  await wire.hearAt('127.0.3.3');
  const { packet, at } = await wire.ask(wire.request({ type: 'DHCPINFORM', ciaddr: '127.0.3.3' }));
  expect([typeOf(packet), at, packet.yiaddr, packet.ciaddr]).toEqual([
    5,
    '127.0.3.3',
    '0.0.0.0',
    '127.0.3.3',
  ]);
  for (const never of [51, 58, 59]) expect(codes(packet)).not.toContain(never);
  wire.ours((server) => expect(server.leases().map(({ address }) => address)).not.toContain('127.0.3.3'));
});

rule('D14: only what was asked for is sent, in the order of the question', async (peer) => {
  const wire = await peer.open();
  const asked = async (...list: number[]): Promise<number[]> =>
    codes((await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, [[55, Uint8Array.from(list)]]))).packet);
  expect(await asked(1, 3)).toEqual([53, 54, 51, 1, 3]);
  expect(await asked(15, 252, 6, 1)).toEqual([53, 54, 51, 15, 6, 1]);
});

rule('D15: a reply is no longer than option 57 and the link allow', async (peer) => {
  const dnsServers = Array.from({ length: 63 }, (_, n) => `127.0.4.${n}`);
  const wire = await peer.open({ link: { dnsServers, ntpServers: dnsServers } });
  for (const [limit, longest] of [
    [300, 548],
    [576, 548],
    [1500, 1472],
    [65_280, 1472],
  ] as const) {
    const options: Options = [...pxe(), [57, u16Option(limit)], [55, Uint8Array.of(1, 6, 42)]];
    const { bytes, packet } = await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, options));
    expect(bytes.length).toBeLessThanOrEqual(longest);
    expect([packet.file, codes(packet).includes(42)]).toEqual(['ipxe.efi', longest > 548]);
  }
  // What must come back unchanged fills the frame, so that only the limit of the link keeps it whole on the wire.
  const echoed: Options = [
    ...pxe(),
    [61, new Uint8Array(500).fill(1)],
    [97, new Uint8Array(350).fill(2)],
    [57, u16Option(65_280)],
    [55, Uint8Array.of(1, 6, 42)],
  ];
  const full = await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, echoed));
  expect([full.bytes.length > 1100, full.bytes.length <= 1472]).toEqual([true, true]);
  expect(codes(full.packet)).not.toContain(42);
});

rule('D16: overload is read in all its forms, and used only when nothing else has room', async (peer) => {
  const wire = await peer.open();
  for (const form of [1, 2, 3]) {
    const base = withOptions(wire.request({ type: 'DHCPDISCOVER' }), [52, 1, form, 53, 1, 1, 255]);
    // The wish in `file`, or in `sname` where that alone carries options; both end in 255.
    base.set([50, 4, 127, 0, 1, 60 + form, 255], form === 2 ? 44 : 108);
    if (form === 3) base.set([255], 44);
    expect((await wire.ask(base)).packet.yiaddr).toBe(`127.0.1.${60 + form}`);
  }
  const roomy = await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, pxe()));
  expect(roomy.bytes.subarray(240, roomy.bytes.indexOf(255, 240)).includes(52)).toBe(false);
  const big: Options = [...pxe(), [61, new Uint8Array(150).fill(1)], [82, new Uint8Array(120).fill(2)]];
  const tight = await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, big));
  expect([tight.bytes.length <= 548, tight.packet.file]).toEqual([true, 'ipxe.efi']);
  expect(hex(tight.packet.options.get(61))).toBe('01'.repeat(150));
});

rule('D17: an option in several pieces is joined', async (peer) => {
  const wire = await peer.open();
  const split = (packet: DhcpPacket): Uint8Array =>
    withOptions(packet, [
      ...[53, 1, 1, 93, 1, 0, 60, 3, 0x50, 0x58, 0x45, 61, 2, 1, 2, 93, 1, 7],
      ...[60, 6, 0x43, 0x6c, 0x69, 0x65, 0x6e, 0x74, 61, 1, 3, 255],
    ]);
  const { packet } = await wire.ask(split(wire.request({ type: 'DHCPDISCOVER' })));
  expect([packet.file, hex(packet.options.get(61))]).toEqual(['ipxe.efi', '010203']);
});

rule('D18: an option that comes twice and makes no sense joined drops the packet', async (peer) => {
  const wire = await peer.open();
  const request = wire.request({ type: 'DHCPDISCOVER' });
  await wire.silence(
    withOptions(request, [53, 1, 1, 53, 1, 1, 255]),
    withOptions(request, [53, 1, 1, 50, 4, 127, 0, 1, 9, 50, 4, 127, 0, 1, 10, 255]),
  );
  wire.ours(() =>
    expect(wire.reasons().slice(0, 2)).toEqual([
      expect.stringMatching(/ignored: option 53 has 2 bytes/),
      expect.stringMatching(/ignored: option 50 has 8 bytes/),
    ]),
  );
});

rule('D19: an impossible length drops the packet, with no partial effect', async (peer) => {
  const wire = await peer.open();
  const mac = newMac();
  const address = await wire.lease(mac);
  let before: readonly Lease[] = [];
  wire.ours((server) => (before = server.leases()));
  const release = wire.request({ type: 'DHCPRELEASE', mac, ciaddr: address });
  await wire.silence(
    ...[50, 51, 54, 57, 58, 59].map((code) => withOptions(release, [53, 1, 7, code, 3, 1, 2, 3, 255])),
    withOptions(release, [53, 1, 7, 61, 200, 1, 255]),
    withOptions(release, [53, 1, 7, 61]),
    withOptions(release, [53, 1, 7, 52, 1, 9, 255]),
    withOptions(release, [53, 0, 255]),
  );
  wire.ours((server) => expect(server.leases().slice(0, before.length)).toEqual(before));
});

rule('D20: only Ethernet addresses of six bytes are served', async (peer) => {
  const wire = await peer.open();
  const bytes = encodePacket(wire.request({ type: 'DHCPDISCOVER' }));
  const changed = (at: number, value: number): Uint8Array => {
    const copy = bytes.slice();
    copy[at] = value;
    return copy;
  };
  await wire.silence(
    ...[0, 1, 5, 7, 16, 17, 255].map((hlen) => changed(2, hlen)),
    changed(1, 6),
    changed(1, 32),
  );
  // A group address is nobody's own.
  await wire.silence(changed(28, 0x53));
});

rule('D21: more than 16 hops are a loop; fewer, and secs, decide nothing', async (peer) => {
  const wire = await peer.open();
  await wire.silence(
    wire.request({ type: 'DHCPDISCOVER', hops: 17 }),
    wire.request({ type: 'DHCPDISCOVER', hops: 255 }),
  );
  for (const [hops, secs] of [
    [16, 0],
    [0, 65_535],
  ] as const) {
    expect(typeOf((await wire.ask(wire.request({ type: 'DHCPDISCOVER', hops, secs }))).packet)).toBe(2);
  }
});

rule(
  'D22: a repeated DISCOVER is offered the same address, with the same xid and with a new one',
  async (peer) => {
    const wire = await peer.open();
    const mac = newMac();
    const request = wire.request({ type: 'DHCPDISCOVER', mac });
    const given = [request, request, wire.request({ type: 'DHCPDISCOVER', mac, secs: 8 })];
    const addresses = [];
    for (const each of given) addresses.push((await wire.ask(each)).packet.yiaddr);
    expect(new Set(addresses).size).toBe(1);
  },
);

rule('D23: firmware, iPXE and system of one machine have one address', async (peer) => {
  const wire = await peer.open();
  const mac = newMac();
  const own = [1, ...mac.split(':').map((pair) => Number.parseInt(pair, 16))];
  const stages: Options[] = [
    pxe(),
    [...pxe(), [77, textOption('iPXE')], [61, Uint8Array.from(own)]],
    [[61, Uint8Array.of(0xff, 1, 2, 3, 4, 0, 1, 0, 1, 5, 6)]],
  ];
  const addresses = [];
  for (const stage of stages) addresses.push(await wire.lease(mac, stage));
  expect(new Set(addresses).size).toBe(1);
});

rule('D24: machines with equal identifiers have different addresses', async (peer) => {
  const wire = await peer.open();
  const same: Options = [
    [61, Uint8Array.of(0, 1, 2)],
    [97, new Uint8Array(17)],
  ];
  expect(await wire.lease(newMac(), same)).not.toBe(await wire.lease(newMac(), same));
});

rule('D25: T1 is a half and T2 seven eighths; a wish is capped and never granted as zero', async (peer) => {
  const wire = await peer.open();
  const times = async (seconds?: number): Promise<unknown> => {
    const asked: Options = [
      [55, Uint8Array.of(58, 59)],
      ...(seconds === undefined ? [] : ([[51, u32Option(seconds)]] as const)),
    ];
    const { options } = (await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, asked))).packet;
    return [51, 58, 59].map((code) => readU32(options, code));
  };
  expect(await times()).toEqual([3600, 1800, 3150]);
  expect(await times(0xffffffff)).toEqual([3600, 1800, 3150]);
  expect(await times(600)).toEqual([600, 300, 525]);
  expect(await times(0)).toEqual([60, 30, 52]);
});

rule(
  'D26: with an exhausted pool new clients hear nothing, somebody is told, and others renew',
  async (peer) => {
    const wire = await peer.open({ link: { pool: { first: '127.0.1.1', last: '127.0.1.3' } } });
    const macs = [newMac(), newMac(), newMac()];
    let ciaddr = '';
    for (const mac of macs.toReversed()) ciaddr = await wire.lease(mac);
    await wire.silence(wire.request({ type: 'DHCPDISCOVER' }));
    wire.ours(() => expect(wire.reasons()).toContainEqual('refused: no free address on link wire'));
    const [mac = newMac()] = macs;
    expect(typeOf((await wire.ask(wire.request({ type: 'DHCPREQUEST', mac, ciaddr }))).packet)).toBe(5);
  },
);

rule('D27: under pressure an untaken offer goes to another client after ten seconds', async (peer) => {
  const wire = await peer.open({ link: { pool: { first: '127.0.1.1', last: '127.0.1.1' } } });
  await wire.ask(wire.request({ type: 'DHCPDISCOVER' }));
  wire.time.ms += 9_999;
  await wire.silence(wire.request({ type: 'DHCPDISCOVER' }));
  wire.time.ms += 1;
  expect(typeOf((await wire.ask(wire.request({ type: 'DHCPDISCOVER' }))).packet)).toBe(2);
});

rule(
  'D28: addresses of the network itself and reserved ones are never leased, even when asked for',
  async (peer) => {
    // The pool spans them all.
    const pool = { first: '127.0.0.10', last: '127.0.9.255' };
    const wire = await peer.open({ link: { pool, router: '127.255.255.254', subnet: '127.0.0.0/8' } });
    const taken = [
      '127.0.0.0',
      '127.255.255.255',
      SERVER,
      '127.255.255.254',
      '127.0.0.53',
      RELAY,
      RESERVED.address,
    ];
    for (const address of taken) {
      const offer = await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, [wish(address)]));
      expect([typeOf(offer.packet), taken.includes(offer.packet.yiaddr)]).toEqual([2, false]);
      const select = wire.request({ type: 'DHCPREQUEST' }, [wish(address), choose(SERVER)]);
      expect(typeOf((await wire.ask(select)).packet)).toBe(6);
    }
  },
);

rule('D29: a wish for a free address is granted, one for another network passed over', async (peer) => {
  const wire = await peer.open();
  const wished = async (address: string): Promise<DhcpPacket> =>
    (await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, [wish(address)]))).packet;
  expect((await wished('127.0.1.123')).yiaddr).toBe('127.0.1.123');
  const foreign = await wished('192.168.7.7');
  expect([typeOf(foreign), foreign.yiaddr.startsWith('127.0.1.')]).toEqual([2, true]);
});

rule('D30: BOOTP and unknown message types are not served', async (peer) => {
  const wire = await peer.open();
  const request = wire.request({ type: 'DHCPDISCOVER' });
  await wire.silence(
    withOptions(request, [255]),
    ...[0, 2, 5, 6, 9, 13, 255].map((type) => withOptions(request, [53, 1, type, 255])),
  );
});

rule(
  'D31: replies go to the clients’ port and to the relay’s, whatever port the request came from',
  async (peer) => {
    const wire = await peer.open();
    // All requests of the wire come from a port that is neither; the sockets that hear have the configured ones.
    expect((await wire.ask(wire.request({ type: 'DHCPDISCOVER' }))).at).toBe('broadcast');
    expect((await wire.ask(wire.request({ type: 'DHCPDISCOVER', giaddr: RELAY }))).at).toBe(RELAY);
  },
);

itWhen(DhcpLab.obstacle('udhcpc'))(
  'D32: a client on another link of the host gets nothing',
  async () => {
    const lab = await DhcpLab.open();
    try {
      const script = lab.script('udhcpc.sh', ['echo "$1 ip=$ip"']);
      const once = ['-f', '-n', '-q', '-t', '2', '-T', '1', '-s', script];
      expect(lab.run('udhcpc', ['-i', lab.addLink(), ...once])).toContain('no lease, failing');
      expect(lab.run('udhcpc', ['-i', lab.device, ...once])).toContain('bound ip=10.77.0.');
    } finally {
      await lab.close();
    }
  },
  90_000,
);

rule('D33: a host name from the wire is neither believed nor repeated', async (peer) => {
  const wire = await peer.open();
  const asking = (name: string): Options => [
    [12, textOption(name)],
    [81, Uint8Array.from([0, 0, 0, ...textOption(name)])],
    [55, Uint8Array.of(12, 81)],
  ];
  for (const name of ['evil', '', '...', '\0\0', '; reboot', 'x'.repeat(255)]) {
    const { packet } = await wire.ask(wire.request({ type: 'DHCPDISCOVER' }, asking(name)));
    expect(codes(packet)).toEqual([53, 54, 51]);
    const reserved = await wire.ask(wire.request({ type: 'DHCPDISCOVER', mac: RESERVED.mac }, asking(name)));
    expect(readText(reserved.packet.options, 12)).toBe(RESERVED.hostname);
  }
});

rule('D34: a unicast request for no link of ours is dropped', async (peer) => {
  const wire = await peer.open();
  await wire.silence(
    wire.request({ type: 'DHCPDISCOVER', giaddr: '192.0.2.1' }),
    wire.request({ type: 'DHCPREQUEST', ciaddr: '192.0.2.9' }),
    wire.request({ type: 'DHCPINFORM', ciaddr: '192.0.2.9' }),
    wire.request({ type: 'DHCPINFORM', ciaddr: '255.255.255.255' }),
    wire.request({ type: 'DHCPINFORM', ciaddr: SERVER }),
  );
});

rule('D35: three hundred new clients at once are all offered an address of their own', async (peer) => {
  const wire = await peer.open({ link: { pool: { first: '127.0.2.1', last: '127.0.4.250' } } });
  const addresses = new Set<string>();
  // Fifty at a time: the buffer of a socket holds them all.
  for (let round = 0; round < 6; round += 1) {
    for (let n = 0; n < 50; n += 1) wire.send(wire.request({ type: 'DHCPDISCOVER' }));
    for (let n = 0; n < 50; n += 1) addresses.add((await wire.next()).packet.yiaddr);
  }
  expect(addresses.size).toBe(300);
});

it('D1: a machine that is not ours gets a plain lease, or nothing where the link says so', async () => {
  const wire = await Wire.open();
  const { packet } = await wire.ask(wire.request({ type: 'DHCPDISCOVER', mac: STRANGER }, pxe()));
  expect([packet.file, packet.siaddr, codes(packet)]).toEqual(['', '0.0.0.0', [53, 54, 51, 1, 3, 6, 15]]);
  const closed = await Wire.open({ link: { unknownClients: 'ignore' } });
  await closed.silence(closed.request({ type: 'DHCPDISCOVER', mac: STRANGER }, pxe()));
});
