import type { BootDecision } from '@lpmos/core';
import { admit } from './admit';
import type { BootRequest } from './boot-request';
import { bootRequest } from './boot-request';
import { encodePacket } from './encode-packet';
import { AGENT, LAB, LOCAL_DISK, MAC, OTHER_MAC, RESERVED_MAC, SILENT, WAIT } from './fixtures/lab';
import type { Lease } from './lease-table';
import { LeaseTable } from './lease-table';
import type { DhcpLink } from './link';
import { planLink } from './link';
import { OPTION } from './option-codes';
import { address, readAddress, readText, readU32, readU8, subOptions, text, u16, u32, u8 } from './options';
import type { DhcpPacket } from './packet';
import { decodePacket } from './packet';
import type { DhcpResponse } from './respond';
import { respond } from './respond';

const NOW = 5_000_000;
const XID = 0x3903f326;
const SERVER = LAB.serverAddress;
const PXE_X64: [number, Uint8Array][] = [
  [OPTION.clientSystemArchitecture, u16(7)],
  [OPTION.vendorClassIdentifier, text('PXEClient:Arch:00007:UNDI:003000')],
];

interface Setting {
  readonly leases?: readonly Lease[];
  readonly decision?: BootDecision;
  readonly link?: Partial<DhcpLink>;
  readonly options?: readonly (readonly [number, Uint8Array])[];
  readonly fields?: Partial<DhcpPacket>;
}

type Message = Partial<BootRequest> & Pick<BootRequest, 'type'>;

function answerTo(message: Message, setting: Setting = {}): DhcpResponse {
  const plan = planLink({ ...LAB, ...setting.link });
  const table = new LeaseTable(plan);
  for (const lease of setting.leases ?? []) table.apply(lease);
  const built = bootRequest({ mac: MAC, xid: XID, ...message, options: new Map(setting.options ?? []) });
  const admission = admit({ ...built, ...setting.fields }, plan);
  if (admission.kind === 'ignored') return { ...admission, refused: false };
  const decision = setting.decision ?? SILENT;
  return respond({ request: admission.request, plan, decision, leases: table, nowMs: NOW });
}

type Reply = Extract<DhcpResponse, { kind: 'reply' }>;

function replyTo(message: Message, setting: Setting = {}): Reply {
  const response = answerTo(message, setting);
  if (response.kind !== 'reply') throw new Error(`ignored: ${response.reason}`);
  return response;
}

function lease(rest: Partial<Lease> = {}): Lease {
  return {
    mac: MAC,
    address: '10.77.0.105',
    state: 'bound',
    sinceMs: NOW,
    expiresAtMs: NOW + 60_000,
    ...rest,
  };
}

const requesting = (dotted: string): [number, Uint8Array] => [OPTION.requestedAddress, address(dotted)];
const choosing = (dotted: string): [number, Uint8Array] => [OPTION.serverIdentifier, address(dotted)];

describe('DHCPDISCOVER', () => {
  it('is offered an address with the fields of RFC 2131 table 3 (D1)', () => {
    const { packet, to, lease: offered } = replyTo({ type: 'DHCPDISCOVER', broadcast: true, secs: 4 });
    expect(packet).toMatchObject({ op: 2, htype: 1, hlen: 6, hops: 0, xid: XID, secs: 0, flags: 0x8000 });
    expect(packet).toMatchObject({
      ciaddr: '0.0.0.0',
      giaddr: '0.0.0.0',
      chaddr: Uint8Array.of(0x52, 0x54, 0, 0, 0, 1),
    });
    expect(packet.yiaddr).toBe(offered?.address);
    expect(readU8(packet.options, 53)).toBe(2);
    expect(readAddress(packet.options, 54)).toBe(SERVER);
    expect(readU32(packet.options, 51)).toBe(3600);
    for (const never of [50, 55, 57, 60, 61, 66, 67]) expect(packet.options.has(never)).toBe(false);
    expect(offered).toMatchObject({ state: 'offered', expiresAtMs: NOW + 30_000 });
    expect(to).toEqual({ address: '255.255.255.255', port: 68 });
  });

  it('is answered alike twice, and keeps a live lease as it is (D22)', () => {
    const held = lease();
    const again = replyTo({ type: 'DHCPDISCOVER', xid: 7 }, { leases: [held] });
    expect(again.packet.yiaddr).toBe(held.address);
    expect(again.lease).toBeUndefined();
  });

  it('gives one address to firmware, iPXE and system, whatever client identifier they send (D23)', () => {
    const identifiers = [[], ['01525400000001'], ['ff0000000100010001aabbccdd525400000001']];
    const given = identifiers.map(
      ([id]) =>
        replyTo(
          { type: 'DHCPDISCOVER' },
          { options: id ? [[61, Uint8Array.from(Buffer.from(id, 'hex'))]] : [] },
        ).packet,
    );
    expect(new Set(given.map((packet) => packet.yiaddr)).size).toBe(1);
    expect(given.map((packet) => packet.options.has(61))).toEqual([false, true, true]);
  });

  it('gives machines with equal client identifier and UUID different addresses (D24)', () => {
    const same: Setting['options'] = [
      [61, new Uint8Array(7)],
      [97, new Uint8Array(17)],
    ];
    const one = replyTo({ type: 'DHCPDISCOVER' }, { options: same });
    const other = replyTo(
      { type: 'DHCPDISCOVER', mac: OTHER_MAC },
      { options: same, leases: one.lease ? [one.lease] : [] },
    );
    expect(other.packet.yiaddr).not.toBe(one.packet.yiaddr);
  });

  it('caps a wish for a longer lease and grants a shorter one, never one of no length (D25)', () => {
    const granted = (seconds: number): number | undefined =>
      readU32(replyTo({ type: 'DHCPDISCOVER' }, { options: [[51, u32(seconds)]] }).packet.options, 51);
    expect([granted(0xffffffff), granted(600), granted(0)]).toEqual([3600, 600, 60]);
  });

  it('is answered by broadcast, whatever address it names as its own: nobody else is to get our reply', () => {
    for (const ciaddr of ['198.51.100.7', '10.77.0.60']) {
      const { to } = replyTo({ type: 'DHCPDISCOVER', ciaddr });
      expect(to).toEqual({ address: '255.255.255.255', port: 68 });
    }
  });

  it('gets nothing when the pool is exhausted, and that is reported (D26)', () => {
    const link = { pool: { first: '10.77.0.105', last: '10.77.0.105' } };
    const full = { link, leases: [lease({ mac: OTHER_MAC })] };
    expect(answerTo({ type: 'DHCPDISCOVER' }, full)).toMatchObject({ kind: 'ignored', refused: true });
  });

  it('gets what it asks for in option 55, in that order, and not more (D14)', () => {
    const codes = (list: number[]): number[] => [
      ...replyTo({ type: 'DHCPDISCOVER' }, { options: [[55, Uint8Array.from(list)]] }).packet.options.keys(),
    ];
    expect(codes([1, 3])).toEqual([53, 54, 51, 1, 3]);
    expect(codes([15, 6, 28, 3, 1, 145, 58, 59])).toEqual([53, 54, 51, 15, 6, 28, 3, 1, 58, 59]);
  });

  it('names T1 and T2 when asked, and the host name of a reservation only (D25, D33)', () => {
    const options: Setting['options'] = [
      [55, Uint8Array.of(12, 58, 59)],
      [12, text('; reboot')],
    ];
    const { packet } = replyTo({ type: 'DHCPDISCOVER', mac: RESERVED_MAC }, { options });
    expect([readText(packet.options, 12), readU32(packet.options, 58), readU32(packet.options, 59)]).toEqual([
      'node-9',
      1800,
      3150,
    ]);
    expect(replyTo({ type: 'DHCPDISCOVER' }, { options }).packet.options.has(12)).toBe(false);
  });
});

describe('DHCPREQUEST', () => {
  const offered = lease({ state: 'offered' });
  const select = [requesting('10.77.0.105'), choosing(SERVER)];

  it('that takes our offer is acknowledged with the data of the offer (D2)', () => {
    const setting = { leases: [offered], decision: AGENT, options: [...PXE_X64] };
    const offer = replyTo({ type: 'DHCPDISCOVER' }, setting);
    const ack = replyTo({ type: 'DHCPREQUEST' }, { ...setting, options: [...PXE_X64, ...select] });
    expect(ack.lease).toMatchObject({ state: 'bound', address: '10.77.0.105', expiresAtMs: NOW + 3_600_000 });
    const sameButType = (packet: DhcpPacket): unknown => [...packet.options].filter(([code]) => code !== 53);
    expect(sameButType(ack.packet)).toEqual(sameButType(offer.packet));
    expect(ack.packet).toMatchObject({
      yiaddr: '10.77.0.105',
      siaddr: offer.packet.siaddr,
      file: offer.packet.file,
    });
  });

  it('that takes another server frees our offer at once and gets silence (D9)', () => {
    const other = [requesting('10.77.0.105'), choosing('10.77.0.2')];
    const response = answerTo({ type: 'DHCPREQUEST' }, { leases: [offered], options: other });
    expect(response).toMatchObject({ kind: 'ignored', lease: { state: 'released', address: '10.77.0.105' } });
    const keeps = answerTo({ type: 'DHCPREQUEST' }, { leases: [lease()], options: other });
    expect(keeps.lease).toBeUndefined();
  });

  it('for an address of somebody else is refused, loudly enough for a client without an address (D10)', () => {
    const taken = { leases: [lease({ mac: OTHER_MAC })], options: select };
    const nak = replyTo({ type: 'DHCPREQUEST' }, taken);
    expect(nak).toMatchObject({ type: 'DHCPNAK', to: { address: '255.255.255.255', port: 68 } });
    expect(nak.packet).toMatchObject({ yiaddr: '0.0.0.0', siaddr: '0.0.0.0' });
    expect([...nak.packet.options.keys()]).toEqual([53, 54, 56]);
    expect(nak.lease).toBeUndefined();
  });

  it('after a restart that lost the offer is still acknowledged, for the address is free', () => {
    expect(replyTo({ type: 'DHCPREQUEST' }, { options: select }).type).toBe('DHCPACK');
  });

  it.each<[string, Message['mac'], readonly Lease[], string, string]>([
    ['a known client with its address', MAC, [lease()], '10.77.0.105', 'DHCPACK'],
    [
      'a known client with an expired lease that is still free',
      MAC,
      [lease({ expiresAtMs: NOW })],
      '10.77.0.105',
      'DHCPACK',
    ],
    ['a known client with another address', MAC, [lease()], '10.77.0.106', 'DHCPNAK'],
    ['a known client on the wrong network', MAC, [lease()], '192.168.7.7', 'DHCPNAK'],
    ['a known client with an address of another server of the link', MAC, [lease()], '10.77.0.50', 'silence'],
    ['a known client with a reservation of another', MAC, [lease()], '10.77.0.9', 'DHCPNAK'],
    ['a known client with what the network itself uses', MAC, [lease()], SERVER, 'DHCPNAK'],
    [
      'a client with what we gave and may give no more',
      MAC,
      [lease({ address: '10.77.0.50' })],
      '10.77.0.50',
      'DHCPNAK',
    ],
    ['a reserved client with its address', RESERVED_MAC, [], '10.77.0.9', 'DHCPACK'],
    ['a reserved client with another address', RESERVED_MAC, [], '10.77.0.105', 'DHCPNAK'],
    ['an unknown client, right network', MAC, [], '10.77.0.105', 'silence'],
    ['an unknown client, wrong network', MAC, [], '192.168.7.7', 'silence'],
  ])('INIT-REBOOT: %s (D10)', (_, mac, leases, dotted, expected) => {
    const response = answerTo(
      { type: 'DHCPREQUEST', mac: mac ?? MAC },
      { leases, options: [requesting(dotted)] },
    );
    expect(response.kind === 'reply' ? response.type : 'silence').toBe(expected);
  });

  it.each<[string, readonly Lease[], string, string]>([
    ['its live lease', [lease()], '10.77.0.105', 'DHCPACK'],
    ['a lease that this daemon forgot', [], '10.77.0.105', 'DHCPACK'],
    [
      'what others found in use after this daemon forgot the lease',
      [lease({ mac: OTHER_MAC, state: 'declined' })],
      '10.77.0.105',
      'DHCPACK',
    ],
    ['what it declined here and got elsewhere', [lease({ state: 'declined' })], '10.77.0.105', 'DHCPACK'],
    ['an address that is another machine’s now', [lease({ mac: OTHER_MAC })], '10.77.0.105', 'DHCPNAK'],
    ['another address than its lease', [lease()], '10.77.0.106', 'DHCPNAK'],
    ['an address reserved for another machine', [], '10.77.0.9', 'DHCPNAK'],
    ['an address that is no business of ours', [], '10.77.0.50', 'silence'],
    ['what another server of the link gave to a client of ours', [lease()], '10.77.0.50', 'silence'],
    [
      'what another server gave to a former client of ours',
      [lease({ expiresAtMs: NOW - 1 })],
      '10.77.0.50',
      'silence',
    ],
    ['what we gave and may give no more', [lease({ address: '10.77.0.50' })], '10.77.0.50', 'DHCPNAK'],
    ['an address of another network', [], '192.168.7.7', 'silence'],
  ])('RENEWING and REBINDING: %s (D7, D8)', (_, leases, ciaddr, expected) => {
    const response = answerTo({ type: 'DHCPREQUEST', ciaddr }, { leases });
    expect(response.kind === 'reply' ? response.type : 'silence').toBe(expected);
    // Who is refused may no longer use the address, so the refusal must reach it without.
    if (expected === 'DHCPNAK')
      expect(response).toMatchObject({ to: { address: '255.255.255.255', port: 68 } });
    if (expected !== 'DHCPACK' || response.kind !== 'reply') return;
    expect(response.to).toEqual({ address: ciaddr, port: 68 });
    expect(response.packet).toMatchObject({ ciaddr, yiaddr: ciaddr });
  });

  it('without any address is ignored', () => {
    expect(answerTo({ type: 'DHCPREQUEST' }, { options: [choosing(SERVER)] }).kind).toBe('ignored');
  });
});

describe('DHCPDECLINE, DHCPRELEASE, DHCPINFORM (D12, D13)', () => {
  it('quarantines a declined address without a reply', () => {
    const declined = answerTo(
      { type: 'DHCPDECLINE' },
      { leases: [lease()], options: [requesting('10.77.0.105')] },
    );
    expect(declined).toMatchObject({ kind: 'ignored', refused: true });
    expect(declined.lease).toMatchObject({
      state: 'declined',
      address: '10.77.0.105',
      expiresAtMs: NOW + 600_000,
    });
  });

  it.each<[string, Message, Setting]>([
    [
      'DECLINE of an address that it does not have',
      { type: 'DHCPDECLINE' },
      { options: [requesting('10.77.0.106')] },
    ],
    [
      'DECLINE of what another server offered',
      { type: 'DHCPDECLINE' },
      { options: [requesting('10.77.0.105'), choosing('10.77.0.2')] },
    ],
    ['RELEASE of an address that it does not have', { type: 'DHCPRELEASE', ciaddr: '10.77.0.106' }, {}],
    ['RELEASE by another machine', { type: 'DHCPRELEASE', ciaddr: '10.77.0.105', mac: OTHER_MAC }, {}],
    [
      'RELEASE to another server',
      { type: 'DHCPRELEASE', ciaddr: '10.77.0.105' },
      { options: [choosing('10.77.0.2')] },
    ],
  ])('%s changes nothing', (_, message, setting) => {
    const response = answerTo(message, { ...setting, leases: [lease()] });
    expect(response.kind).toBe('ignored');
    expect(response.lease).toBeUndefined();
  });

  it('frees a released address without a reply', () => {
    const released = answerTo({ type: 'DHCPRELEASE', ciaddr: '10.77.0.105' }, { leases: [lease()] });
    expect(released).toMatchObject({ kind: 'ignored', lease: { state: 'released' } });
  });

  it('answers INFORM with parameters and no lease, to addresses of the link only', () => {
    const { packet, to, type, lease: changed } = replyTo({ type: 'DHCPINFORM', ciaddr: '10.77.0.60' });
    expect([type, packet.yiaddr, packet.ciaddr]).toEqual(['DHCPACK', '0.0.0.0', '10.77.0.60']);
    expect([packet.options.has(51), packet.options.has(58), packet.options.has(3)]).toEqual([
      false,
      false,
      true,
    ]);
    expect(to).toEqual({ address: '10.77.0.60', port: 68 });
    expect(changed).toBeUndefined();
    for (const ciaddr of ['0.0.0.0', '8.8.8.8', '10.77.0.255', SERVER]) {
      expect(answerTo({ type: 'DHCPINFORM', ciaddr }).kind).toBe('ignored');
    }
  });
});

describe('the gate', () => {
  it.each<[string, Partial<DhcpPacket>]>([
    ['a reply', { op: 2 }],
    ['hlen 0 (D20)', { hlen: 0, chaddr: new Uint8Array() }],
    ['hlen 16 (D20)', { hlen: 16, chaddr: new Uint8Array(16).fill(2) }],
    ['another hardware type', { htype: 32 }],
    ['a group address as chaddr', { chaddr: Uint8Array.of(1, 0, 94, 0, 0, 1) }],
    ['17 hops (D21)', { hops: 17 }],
    ['BOOTP (D30)', { options: new Map() }],
    ['two of option 53, joined (D18)', { options: new Map([[53, Uint8Array.of(1, 1)]]) }],
    ['an unknown message type', { options: new Map([[53, u8(13)]]) }],
    ['a message of servers', { options: new Map([[53, u8(5)]]) }],
    [
      'option 50 of 3 bytes (D19)',
      {
        options: new Map([
          [53, u8(1)],
          [50, new Uint8Array(3)],
        ]),
      },
    ],
    ['a relay that is not ours (RL6, D34)', { giaddr: '192.0.2.1' }],
  ])('drops %s', (_, fields) => {
    expect(answerTo({ type: 'DHCPDISCOVER' }, { fields })).toMatchObject({ kind: 'ignored' });
  });

  it('lets 16 hops and option 93 of odd length pass (D21, P4)', () => {
    expect(answerTo({ type: 'DHCPDISCOVER', hops: 16 }, { options: [[93, new Uint8Array(3)]] }).kind).toBe(
      'reply',
    );
  });
});

describe('relays', () => {
  const relayed = { type: 'DHCPDISCOVER', giaddr: '10.77.0.200', hops: 1 } as const;

  it('get the reply on port 67 with option 82 as the last, byte for byte (RL1, RL2)', () => {
    const information = subOptions([
      [1, text('eth1/7')],
      [2, new Uint8Array(80).fill(255)],
    ]);
    const reply = replyTo(relayed, {
      options: [
        [82, information],
        [61, Uint8Array.of(1, 2)],
      ],
    });
    expect(reply.to).toEqual({ address: '10.77.0.200', port: 67 });
    const bytes = encodePacket(reply.packet, { maxBytes: reply.maxBytes });
    const end = bytes.lastIndexOf(82, bytes.length - 80);
    expect(bytes.subarray(end + 2, end + 2 + information.length)).toEqual(information);
    expect(
      bytes.subarray(end + 2 + information.length).every((byte, at) => byte === (at === 0 ? 255 : 0)),
    ).toBe(true);
  });

  it('may rename the server and must select our link (RL5)', () => {
    const renamed = (number: string): Setting => ({ options: [[82, subOptions([[11, address(number)]])]] });
    expect(readAddress(replyTo(relayed, renamed('10.77.0.200')).packet.options, 54)).toBe('10.77.0.200');
    const accept = { ...relayed, type: 'DHCPREQUEST' } as const;
    const options = [...(renamed('10.77.0.200').options ?? []), requesting('10.77.0.105')];
    expect(replyTo(accept, { options: [...options, choosing('10.77.0.200')] }).type).toBe('DHCPACK');
    expect(answerTo(accept, { options: [...options, choosing(SERVER)] }).kind).toBe('ignored');
    const selects = (number: string): Setting => ({ options: [[82, subOptions([[5, address(number)]])]] });
    expect(answerTo(relayed, selects('10.77.0.0')).kind).toBe('reply');
    expect(answerTo(relayed, selects('10.78.0.0')).kind).toBe('ignored');
  });

  it('are not played by clients: option 82 without giaddr renames nothing and comes back (RL4)', () => {
    const options: Setting['options'] = [[82, subOptions([[11, address('10.77.0.66')]])]];
    const { packet } = replyTo({ type: 'DHCPDISCOVER' }, { options });
    expect(readAddress(packet.options, 54)).toBe(SERVER);
    expect(packet.options.get(82)).toEqual(options[0]?.[1]);
  });

  it('hear a refusal with the broadcast bit, without address and lease time (D11)', () => {
    const message = { ...relayed, type: 'DHCPREQUEST', ciaddr: '10.77.0.9' } as const;
    const nak = replyTo(message);
    expect(nak).toMatchObject({ type: 'DHCPNAK', to: { address: '10.77.0.200', port: 67 } });
    expect(nak.packet).toMatchObject({ flags: 0x8000, yiaddr: '0.0.0.0', ciaddr: '0.0.0.0' });
    expect(nak.packet.options.has(51)).toBe(false);
  });
});

describe('room', () => {
  it.each([
    [undefined, 548],
    [300, 548],
    [576, 548],
    [1400, 1372],
    [1500, 1472],
    [65_280, 1472],
  ])('option 57 = %s allows %i bytes (D15)', (asked, bytes) => {
    const options: Setting['options'] = asked === undefined ? [] : [[57, u16(asked)]];
    expect(replyTo({ type: 'DHCPDISCOVER' }, { options }).maxBytes).toBe(bytes);
  });

  it('keeps option 82, mask and boot data and drops what was asked for last, when space is short (RL3)', () => {
    const link = {
      dnsServers: Array.from({ length: 20 }, (_, index) => `10.77.1.${index}`),
      boot: { ...LAB.boot, loaders: { x64: 'x'.repeat(120) } },
    };
    const information = subOptions([[1, new Uint8Array(200)]]);
    const options: Setting['options'] = [...PXE_X64, [55, Uint8Array.of(15, 1, 6)], [82, information]];
    const reply = replyTo(
      { type: 'DHCPDISCOVER', giaddr: '10.77.0.200' },
      { link, options, decision: AGENT },
    );
    const bytes = encodePacket(reply.packet, { maxBytes: reply.maxBytes });
    expect(bytes.length).toBeLessThanOrEqual(548);
    const sent = decodePacket(bytes);
    if (sent.kind !== 'packet') throw new Error(sent.problem);
    expect(sent.packet.options.has(6)).toBe(false);
    expect([1, 60, 82].every((code) => sent.packet.options.has(code))).toBe(true);
    // The two that the fields say as well.
    expect([66, 67].some((code) => sent.packet.options.has(code))).toBe(false);
    expect(sent.packet.file).toBe('x'.repeat(120));
  });
});

describe('decisions', () => {
  it('silent: a plain lease, even to firmware and iPXE', () => {
    const { packet, fault } = replyTo(
      { type: 'DHCPDISCOVER' },
      { options: [...PXE_X64, [175, Uint8Array.of(19, 1, 1)]] },
    );
    expect([packet.siaddr, packet.file]).toEqual(['0.0.0.0', '']);
    for (const never of [43, 60, 66, 67, 97, 175]) expect(packet.options.has(never)).toBe(false);
    expect(fault).toBeUndefined();
  });

  it('silent on a link that ignores unknown clients: nothing, unless the machine has a reservation', () => {
    const link = { unknownClients: 'ignore' } as const;
    for (const type of ['DHCPDISCOVER', 'DHCPREQUEST', 'DHCPINFORM'] as const) {
      expect(answerTo({ type, ciaddr: '10.77.0.105' }, { link }).kind).toBe('ignored');
    }
    expect(answerTo({ type: 'DHCPDISCOVER', mac: RESERVED_MAC }, { link }).kind).toBe('reply');
    expect(answerTo({ type: 'DHCPDISCOVER' }, { link, decision: LOCAL_DISK }).kind).toBe('reply');
  });

  it.each([
    ['agent', AGENT],
    ['local-disk', LOCAL_DISK],
    ['wait', WAIT],
  ])('%s: firmware gets its loader; the script decides the rest', (_, decision) => {
    const { packet } = replyTo({ type: 'DHCPDISCOVER' }, { decision, options: PXE_X64 });
    expect([packet.file, packet.siaddr]).toEqual(['ipxe.efi', LAB.boot.nextServer]);
  });

  it('a loader that is missing costs the boot data, not the lease, and names option 93', () => {
    const options: Setting['options'] = [
      [93, u16(11)],
      [60, text('PXEClient:Arch:00011:UNDI:003000')],
    ];
    const { packet, fault } = replyTo({ type: 'DHCPDISCOVER' }, { decision: AGENT, options });
    expect(packet.file).toBe('');
    expect(packet.options.has(67)).toBe(false);
    expect(fault).toMatch(/option 93 = 11 \(uefi ARM64\)/);
  });
});
