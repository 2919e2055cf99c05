import type { BootDecision } from '@lpmos/core';
import { admit } from './admit';
import type { BootRequest } from './boot-request';
import { bootRequest } from './boot-request';
import { decodePacket } from './packet';
import { CAPTURES } from './fixtures/captures';
import { AGENT, LAB, MAC, SILENT, bytesHex, hexBytes } from './fixtures/lab';
import type { DhcpLink } from './link';
import { planLink } from './link';
import { address, readAddress, readU8, text, u16 } from './options';
import type { DhcpResponse } from './respond';
import type { ProxyPort } from './respond-proxy';
import { respondProxy } from './respond-proxy';

const { pool: _pool, ...BARE } = LAB;
const PROXY: DhcpLink = { ...BARE, mode: 'proxy', reservations: [] };
const PXE: [number, Uint8Array][] = [
  [60, text('PXEClient:Arch:00007:UNDI:003000')],
  [93, u16(7)],
  [97, hexBytes(`00${'22'.repeat(16)}`)],
];
const FROM = { address: '10.77.0.66', port: 4011 };

interface Setting {
  readonly port?: ProxyPort;
  readonly decision?: BootDecision;
  readonly link?: Partial<DhcpLink>;
  readonly options?: readonly (readonly [number, Uint8Array])[];
  readonly from?: typeof FROM;
}

type Message = Partial<BootRequest> & Pick<BootRequest, 'type'>;

function answerTo(message: Message, setting: Setting = {}): DhcpResponse {
  const plan = planLink({ ...PROXY, ...setting.link });
  const options = new Map(setting.options ?? PXE);
  const admission = admit(bootRequest({ mac: MAC, xid: 9, ...message, options }), plan);
  if (admission.kind === 'ignored') throw new Error(admission.reason);
  const { decision = AGENT, port = 'dhcp', from = FROM } = setting;
  return respondProxy({ request: admission.request, plan, decision, port, from });
}

function replyTo(message: Message, setting?: Setting) {
  const response = answerTo(message, setting);
  if (response.kind !== 'reply') throw new Error(`ignored: ${response.reason}`);
  return response;
}

const vendor = (reply: { packet: { options: ReadonlyMap<number, Uint8Array> } }): string =>
  bytesHex(reply.packet.options.get(43) ?? new Uint8Array());

describe('on the DHCP port', () => {
  it('offers boot data and nothing of a lease or of the network (X1)', () => {
    const options = [...PXE, [55, Uint8Array.of(1, 3, 6, 15, 51, 58)] as const];
    const { packet, to, lease, type } = replyTo({ type: 'DHCPDISCOVER', broadcast: true }, { options });
    expect([type, packet.yiaddr, packet.siaddr, packet.file]).toEqual([
      'DHCPOFFER',
      '0.0.0.0',
      '10.77.0.1',
      'ipxe.efi',
    ]);
    expect([...packet.options.keys()]).toEqual([53, 54, 60, 97, 43, 66, 67]);
    expect(readAddress(packet.options, 54)).toBe('10.77.0.1');
    expect(packet.options.get(97)).toEqual(PXE[2]?.[1]);
    expect(to).toEqual({ address: '255.255.255.255', port: 68 });
    expect(lease).toBeUndefined();
  });

  it.each<[string, Message, Setting]>([
    ['a client without option 60', { type: 'DHCPDISCOVER' }, { options: [[93, u16(7)]] }],
    ['an iPXE without option 60', { type: 'DHCPDISCOVER' }, { options: [[77, text('iPXE')]] }],
    ['an operating system', { type: 'DHCPDISCOVER' }, { options: [[60, text('MSFT 5.0')]] }],
    ['a machine that is not ours', { type: 'DHCPDISCOVER' }, { decision: SILENT }],
    ['a REQUEST', { type: 'DHCPREQUEST' }, { options: [...PXE, [54, address('10.77.0.1')]] }],
    ['a renewal', { type: 'DHCPREQUEST', ciaddr: '10.77.0.66' }, {}],
    ['an INFORM', { type: 'DHCPINFORM', ciaddr: '10.77.0.66' }, {}],
    ['a DECLINE', { type: 'DHCPDECLINE' }, {}],
    ['a RELEASE', { type: 'DHCPRELEASE', ciaddr: '10.77.0.66' }, {}],
  ])('leaves %s alone (X1, X2)', (_, message, setting) => {
    expect(answerTo(message, setting)).toMatchObject({ kind: 'ignored', refused: false });
  });

  it('reports firmware that it should boot and cannot', () => {
    const options = [
      [60, text('PXEClient')],
      [93, u16(11)],
    ] as const;
    expect(answerTo({ type: 'DHCPDISCOVER' }, { options })).toMatchObject({
      kind: 'ignored',
      refused: true,
      reason: expect.stringContaining('option 93 = 11') as string,
    });
  });

  it('answers through a relay at the relay', () => {
    const reply = replyTo({ type: 'DHCPDISCOVER', giaddr: '10.77.0.200' });
    expect([reply.to, reply.packet.giaddr]).toEqual([{ address: '10.77.0.200', port: 67 }, '10.77.0.200']);
  });

  it('gives iPXE the script, and no word about proxies, which only the server that leases may say (X8)', () => {
    const { packet } = replyTo({ type: 'DHCPDISCOVER' }, { options: [...PXE, [77, text('iPXE')]] });
    expect(packet.file).toBe(LAB.boot.scriptUrl);
    expect(packet.options.has(175)).toBe(false);
    expect(packet.options.has(43)).toBe(false);
  });

  it('gives HTTP firmware its URL under its own class', () => {
    const options = [
      [60, text('HTTPClient:Arch:00016:UNDI:003000')],
      [93, u16(16)],
    ] as const;
    const { packet } = replyTo({ type: 'DHCPDISCOVER' }, { options });
    expect([packet.options.get(60), packet.file]).toEqual([text('HTTPClient'), LAB.boot.httpLoaders?.x64]);
  });

  it('answers the captured netboot clients and no other captured client', () => {
    const answered = CAPTURES.flatMap(({ name, frame }) => {
      const decoded = decodePacket(hexBytes(frame));
      if (decoded.kind !== 'packet') throw new Error(decoded.problem);
      const plan = planLink({ ...PROXY, relays: [decoded.packet.giaddr] });
      const admission = admit(decoded.packet, plan);
      if (admission.kind === 'ignored') throw new Error(admission.reason);
      const { request } = admission;
      const from = { address: '0.0.0.0', port: 68 };
      const response = respondProxy({ request, plan, decision: AGENT, port: 'dhcp', from });
      return response.kind === 'reply' ? [`${name}: ${response.packet.file}`] : [];
    });
    expect(answered).toEqual([
      `iPXE ROM, BIOS, DHCPDISCOVER: ${LAB.boot.scriptUrl}`,
      'EDK2 PXE, x86-64, DHCPDISCOVER: ipxe.efi',
      `iPXE chainloaded on UEFI, DHCPDISCOVER: ${LAB.boot.scriptUrl}`,
      `EDK2 HTTP boot, x86-64, DHCPDISCOVER: ${LAB.boot.httpLoaders?.x64}`,
      'udhcpc 1.35 with -V PXEClient, DHCPDISCOVER: undionly.kpxe',
    ]);
  });
});

describe('on the boot server’s port', () => {
  const at = (setting: Setting = {}): Setting => ({ port: 'boot-server', ...setting });
  const ask = { type: 'DHCPREQUEST', ciaddr: '10.77.0.66' } as const;

  it.each(['DHCPREQUEST', 'DHCPINFORM'] as const)(
    '%s is acknowledged where it came from (X3, X4)',
    (type) => {
      for (const from of [FROM, { address: '10.77.0.66', port: 68 }]) {
        const { packet, to } = replyTo({ ...ask, type }, at({ from }));
        expect(to).toEqual(from);
        expect(readU8(packet.options, 53)).toBe(5);
        expect([packet.yiaddr, packet.ciaddr, packet.file]).toEqual(['0.0.0.0', '10.77.0.66', 'ipxe.efi']);
        expect([...packet.options.keys()]).toEqual([53, 54, 60, 97, 43, 66, 67]);
        expect(vendor({ packet })).toBe('060108ff');
      }
    },
  );

  it('gives the item of a boot menu back (X5)', () => {
    const item = (value: string): Setting => at({ options: [...PXE, [43, hexBytes(value)]] });
    expect(vendor(replyTo(ask, item('470480000000ff')))).toBe('470480000000ff');
    expect(vendor(replyTo(ask, item('470480000000')))).toBe('470480000000ff');
    for (const wrong of ['4703800000ff', '4704800000', 'ff470480000000', '']) {
      expect(vendor(replyTo(ask, item(wrong)))).toBe('060108ff');
    }
    const ipxe = at({
      options: [
        [60, text('PXEClient')],
        [77, text('iPXE')],
        [43, hexBytes('470480010000ff')],
      ],
    });
    expect([replyTo(ask, ipxe).packet.file, vendor(replyTo(ask, ipxe))]).toEqual([
      LAB.boot.scriptUrl,
      '470480010000ff',
    ]);
  });

  it.each<[string, Message, Setting]>([
    ['a DISCOVER (X9)', { type: 'DHCPDISCOVER' }, {}],
    ['a RELEASE (X9)', { type: 'DHCPRELEASE', ciaddr: '10.77.0.66' }, {}],
    ['who asks another boot server', ask, { options: [...PXE, [54, address('10.77.0.2')]] }],
    ['a machine that is not ours', ask, { decision: SILENT }],
    ['a client without option 60', ask, { options: [] }],
    ['a sender without address', ask, { from: { address: '0.0.0.0', port: 68 } }],
    ['a sender without port', ask, { from: { address: '10.77.0.66', port: 0 } }],
    ['ourselves', ask, { from: { address: '10.77.0.1', port: 4011 } }],
    ['a broadcast address', ask, { from: { address: '10.77.0.255', port: 68 } }],
    ['a multicast address', ask, { from: { address: '224.0.1.2', port: 68 } }],
    ['a sender of another network', ask, { link: { relays: [] }, from: { address: '192.0.2.9', port: 68 } }],
  ])('ignores %s', (_, message, setting) => {
    expect(answerTo(message, at(setting)).kind).toBe('ignored');
  });

  it('answers clients of other networks when there are relays, and those who name us', () => {
    const options = [...PXE, [54, address('10.77.0.1')] as const];
    const from = { address: '10.99.3.4', port: 68 };
    expect(replyTo(ask, at({ from, options })).to).toEqual(from);
  });
});
