/**
 * Rules RL1 to RL8 (relays) and P1 to P13 (PXE options) of rules/dhcp.ts as raw packets on real sockets.
 * Each test names its rule. Real firmware is in the end-to-end tests.
 */
import { addressOption, encodePacket, readAddress, subOptions, textOption, u16Option } from '@lpmos/netboot';
import type { DhcpPacket } from '@lpmos/netboot';
import { rule } from './harness/dhcp-rule';
import type { Wire, Options } from './harness/netboot-dhcp-wire';
import {
  LINK,
  OTHER_RELAY,
  RELAY,
  SERVER,
  closeWires,
  hex,
  newMac,
  pxe,
  typeOf,
  unhex,
} from './harness/netboot-dhcp-wire';

afterEach(closeWires);

const codes = (packet: DhcpPacket): number[] => [...packet.options.keys()];
const agent = (...parts: readonly (readonly [number, Uint8Array])[]): [number, Uint8Array] => [
  82,
  subOptions(parts),
];
/** The options area up to and with its end. */
const areaOf = (bytes: Uint8Array): string => hex(bytes.subarray(240)).replace(/ff(00)*$/, 'ff');

async function offerTo(
  wire: Wire,
  options: Options,
  giaddr?: string,
): Promise<{ packet: DhcpPacket; bytes: Uint8Array; at: string }> {
  return wire.ask(
    wire.request({ type: 'DHCPDISCOVER', ...(giaddr === undefined ? {} : { giaddr }) }, options),
  );
}

rule('RL1: a relayed request is answered at giaddr', async (peer) => {
  const wire = await peer.open();
  const { packet, at } = await offerTo(wire, [], RELAY);
  expect([at, packet.giaddr, packet.hops]).toEqual([RELAY, RELAY, 0]);
});

rule('RL2: option 82 comes back byte for byte, as the last option', async (peer) => {
  const wire = await peer.open();
  const information = agent(
    [1, textOption('eth1/7')],
    [2, new Uint8Array(80).fill(255)],
    [151, unhex('00ff00')],
  );
  const { bytes } = await offerTo(wire, [information, [61, unhex('0102')], ...pxe()], RELAY);
  expect(
    areaOf(bytes).endsWith(`52${Buffer.of(information[1].length).toString('hex')}${hex(information[1])}ff`),
  ).toBe(true);
});

rule('RL3: when room is short, option 82 stays and what was only asked for goes', async (peer) => {
  const dnsServers = Array.from({ length: 30 }, (_, n) => `127.0.4.${n}`);
  const wire = await peer.open({
    link: { dnsServers, boot: { ...LINK.boot, loaders: { x64: 'x'.repeat(120) } } },
  });
  const information = agent([1, new Uint8Array(198).fill(7)]);
  const { packet, bytes } = await offerTo(
    wire,
    [...pxe(), information, [55, Uint8Array.of(1, 6)], [57, u16Option(300)]],
    RELAY,
  );
  expect(bytes.length).toBeLessThanOrEqual(548);
  expect([hex(packet.options.get(82)), packet.file]).toEqual([`01c6${'07'.repeat(198)}`, 'x'.repeat(120)]);
  expect([codes(packet).includes(1), codes(packet).includes(6)]).toEqual([true, false]);
});

rule('RL4: option 82 without a relay’s address is no identity and renames nothing', async (peer) => {
  const wire = await peer.open();
  const spoofed = agent([5, addressOption('10.0.0.0')], [11, addressOption('127.0.0.66')]);
  const one = await offerTo(wire, [spoofed]);
  const other = await offerTo(wire, [spoofed]);
  expect(readAddress(one.packet.options, 54)).toBe(SERVER);
  expect([one.at, one.packet.yiaddr === other.packet.yiaddr]).toEqual(['broadcast', false]);
});

rule('RL5: link selection must name our link; a relay’s name for the server is ours', async (peer) => {
  const wire = await peer.open();
  const named = await offerTo(
    wire,
    [agent([5, addressOption('127.0.0.0')], [11, addressOption(RELAY)])],
    RELAY,
  );
  expect(readAddress(named.packet.options, 54)).toBe(RELAY);
  const take = (server: string): DhcpPacket =>
    wire.request({ type: 'DHCPREQUEST', giaddr: RELAY }, [
      [50, addressOption('127.0.1.99')],
      [54, addressOption(server)],
      agent([11, addressOption(RELAY)]),
    ]);
  expect(typeOf((await wire.ask(take(RELAY))).packet)).toBe(5);
  const selectsOther = wire.request({ type: 'DHCPDISCOVER', giaddr: RELAY }, [
    agent([5, addressOption('10.0.0.0')]),
  ]);
  await wire.silence(take(SERVER), selectsOther);
});

rule('RL6: a relay that is not listed hears nothing', async (peer) => {
  const wire = await peer.open();
  await wire.hearAt('127.0.0.9');
  await wire.silence(
    wire.request({ type: 'DHCPDISCOVER', giaddr: '127.0.0.9' }),
    wire.request({ type: 'DHCPDISCOVER', giaddr: '255.255.255.255' }),
    wire.request({ type: 'DHCPDISCOVER', giaddr: SERVER }),
  );
});

rule('RL7: options 90 and 145 are passed over and not repeated', async (peer) => {
  const wire = await peer.open();
  const options: Options = [
    [90, new Uint8Array(11).fill(1)],
    [145, Uint8Array.of(1)],
    [116, Uint8Array.of(1)],
    [55, Uint8Array.of(1, 90, 145, 116)],
  ];
  expect(codes((await offerTo(wire, options)).packet)).toEqual([53, 54, 51, 1]);
});

rule('RL8: one DISCOVER through two relays gets one address and two answers', async (peer) => {
  const wire = await peer.open();
  const request = wire.request({ type: 'DHCPDISCOVER' });
  const answers = [
    await wire.ask({ ...request, giaddr: RELAY }),
    await wire.ask({ ...request, giaddr: OTHER_RELAY }),
  ];
  expect(answers.map(({ at }) => at)).toEqual([RELAY, OTHER_RELAY]);
  expect(new Set(answers.map(({ packet }) => packet.yiaddr)).size).toBe(1);
});

rule('P1: PXE and HTTP clients are known by how option 60 begins', async (peer) => {
  const wire = await peer.open();
  const fileFor = async (vendorClass: string, type = 7): Promise<string> => {
    const options: Options = [
      [60, textOption(vendorClass)],
      [93, u16Option(type)],
      [55, Uint8Array.of(1, 66, 67)],
    ];
    const { packet } = await offerTo(wire, options);
    return packet.file === '' && !codes(packet).some((code) => code === 66 || code === 67)
      ? 'none'
      : packet.file;
  };
  expect(await fileFor('PXEClient:Arch:00007:UNDI:003000')).toBe('ipxe.efi');
  expect(await fileFor('PXEClient')).toBe('ipxe.efi');
  expect(await fileFor('HTTPClient:Arch:00016:UNDI:003000', 16)).toBe('http://127.0.0.1/ipxe.efi');
  for (const other of ['MSFT 5.0', 'pxeclient', 'xPXEClient', '']) expect(await fileFor(other)).toBe('none');
});

rule('P2: option 60 comes back as PXEClient alone, option 97 unchanged', async (peer) => {
  const wire = await peer.open();
  const machine = unhex(`00${'5a'.repeat(16)}`);
  const { bytes, packet } = await offerTo(wire, [...pxe(), [97, machine]]);
  expect(areaOf(bytes)).toContain('3c09505845436c69656e74');
  expect(hex(packet.options.get(97))).toBe(hex(machine));
});

rule('P3: option 93 decides the file, and an unknown type is reported with its number', async (peer) => {
  const wire = await peer.open();
  const files: Record<number, string> = { 0: 'undionly.kpxe', 7: 'ipxe.efi', 9: 'ipxe.efi', 11: 'arm64.efi' };
  for (const type of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 21, 27, 28, 41, 255, 256, 65_535]) {
    wire.events.length = 0;
    const { packet } = await offerTo(wire, pxe(type));
    expect([type, packet.file]).toEqual([type, files[type] ?? '']);
    expect(packet.yiaddr).not.toBe('0.0.0.0');
    const told = wire
      .reasons()
      .some((reason) => new RegExp(`refused: no TFTP loader .* option 93 = ${type} `).test(reason));
    wire.ours(() => expect([type, told]).toEqual([type, files[type] === undefined]));
  }
});

rule(
  'P4: of several types the first that can be served wins; an odd length costs the file, not the lease',
  async (peer) => {
    const wire = await peer.open();
    const fileFor = async (types: string): Promise<[string, boolean]> => {
      const { packet } = await offerTo(wire, [
        [60, textOption('PXEClient')],
        [93, unhex(types)],
      ]);
      return [packet.file, packet.yiaddr !== '0.0.0.0'];
    };
    expect(await fileFor('001b0007')).toEqual(['ipxe.efi', true]);
    expect(await fileFor('001b000b0007')).toEqual(['arm64.efi', true]);
    expect(await fileFor('000700')).toEqual(['', true]);
  },
);

rule('P5: server and file stand in siaddr, file, 66 and 67, and agree', async (peer) => {
  const wire = await peer.open();
  const { packet } = await offerTo(wire, pxe());
  expect([packet.siaddr, packet.file]).toEqual([SERVER, 'ipxe.efi']);
  expect([hex(packet.options.get(66)), hex(packet.options.get(67))]).toEqual(
    [SERVER, 'ipxe.efi'].map((text) => hex(textOption(text))),
  );
});

rule('P6: file ends in NUL, option 67 does not', async (peer) => {
  const longest = 'y'.repeat(127);
  const wire = await peer.open({ link: { boot: { ...LINK.boot, loaders: { x64: longest } } } });
  const { bytes, packet } = await offerTo(wire, [...pxe(), [57, u16Option(1400)]]);
  expect(hex(bytes.subarray(108, 236))).toBe(`${hex(textOption(longest))}00`);
  expect(packet.options.get(67)).toHaveLength(127);
});

rule('P7: a name over 127 characters stands in option 67 alone, whole', async (peer) => {
  const scriptUrl = `http://127.0.0.1/${'z'.repeat(200)}`;
  const wire = await peer.open({ link: { boot: { ...LINK.boot, scriptUrl } } });
  const { packet, bytes } = await offerTo(wire, [...pxe(), [77, textOption('iPXE')]]);
  expect([packet.file, hex(packet.options.get(67))]).toEqual(['', hex(textOption(scriptUrl))]);
  expect(bytes.length).toBeLessThanOrEqual(548);
});

rule('P8: an option 97 of any form comes back as it is and identifies nobody', async (peer) => {
  const wire = await peer.open();
  const addresses = [];
  for (const form of ['', '00', '07', `ff${'00'.repeat(16)}`, '00'.repeat(40), '00'.repeat(40)]) {
    const { packet } = await offerTo(wire, [...pxe(), [97, unhex(form)]]);
    expect(hex(packet.options.get(97))).toBe(form);
    addresses.push(packet.yiaddr);
  }
  expect(new Set(addresses).size).toBe(6);
});

rule('P9: option 43 holds well-formed sub-options and its own end', async (peer) => {
  const wire = await peer.open();
  const { packet } = await offerTo(wire, pxe());
  const value = [...(packet.options.get(43) ?? [])];
  const seen: number[] = [];
  while (value.length > 1) {
    const [code = 0, length = 0] = value.splice(0, 2);
    expect(value.splice(0, length)).toHaveLength(length);
    seen.push(code);
  }
  expect([seen, value]).toEqual([[6], [255]]);
});

rule('P10: PXE firmware is told to load the file at once', async (peer) => {
  const wire = await peer.open();
  const mac = newMac();
  const offer = await wire.ask(wire.request({ type: 'DHCPDISCOVER', mac }, pxe()));
  const chosen: Options = [...pxe(), [50, addressOption(offer.packet.yiaddr)], [54, addressOption(SERVER)]];
  const ack = await wire.ask(wire.request({ type: 'DHCPREQUEST', mac }, chosen));
  expect([offer, ack].map(({ packet }) => hex(packet.options.get(43)))).toEqual(['060108ff', '060108ff']);
});

rule('P11: nothing that we answer forbids a discovery that we answer', async (peer) => {
  const wire = await peer.open();
  const control = (await offerTo(wire, pxe())).packet.options.get(43)?.[2] ?? 0xff;
  expect(control & 0b111).toBe(0);
  const client = await wire.clientAt('127.0.1.200');
  const ask = wire.request({ type: 'DHCPREQUEST', ciaddr: '127.0.1.200' }, [
    ...pxe(),
    [43, unhex('470480000000ff')],
  ]);
  expect(typeOf((await client.ask(ask)).packet)).toBe(5);
});

rule('P12: options 128 to 135 in the list of wishes are passed over', async (peer) => {
  const wire = await peer.open();
  const list = Uint8Array.of(1, 128, 129, 130, 131, 132, 133, 134, 135, 3);
  const { packet } = await offerTo(wire, [...pxe(), [55, list]]);
  expect(codes(packet)).toEqual([53, 54, 51, 1, 3, 60, 43, 66, 67]);
});

rule('P13: the operating system of a machine that boots from us gets no boot file', async (peer) => {
  const wire = await peer.open();
  const mac = newMac();
  expect((await wire.ask(wire.request({ type: 'DHCPDISCOVER', mac }, pxe()))).packet.file).toBe('ipxe.efi');
  const { packet } = await wire.ask(
    wire.request({ type: 'DHCPDISCOVER', mac }, [[55, Uint8Array.of(1, 43, 60, 66, 67)]]),
  );
  expect([packet.file, packet.siaddr, codes(packet)]).toEqual(['', '0.0.0.0', [53, 54, 51, 1]]);
  expect(encodePacket(packet)).toHaveLength(300);
});
