import { parseMacAddress } from '@lpmos/core';
import {
  addressOption,
  decodePacket,
  encodePacket,
  OPTION,
  subOptions,
  textOption,
  u32Option,
} from '@lpmos/netboot';
import type { DhcpPacket } from '@lpmos/netboot';
import { startDhcp, stepDhcp } from './dhcp-client';
import type { DhcpClient, DhcpStep } from './dhcp-client';
import type { BootClient } from './dhcp-options';

const CLIENT: BootClient = {
  program: 'ipxe',
  firmware: 'bios',
  mac: parseMacAddress('52:54:00:00:00:01'),
  uuid: '00000000-0000-0000-0000-000000000000',
};
const CONTEXT: DhcpClient = { client: CLIENT, xid: 0x01020304, giaddr: '127.0.0.1' };

const sent = (step: DhcpStep): DhcpPacket[] =>
  step.effects.flatMap((effect) => (effect.kind === 'send' ? [effect.packet] : []));
const kinds = (step: DhcpStep): string[] => step.effects.map((effect) => effect.kind);

function reply(
  type: number,
  options: [number, Uint8Array][] = [],
  over: Partial<DhcpPacket> = {},
): DhcpPacket {
  const [request] = sent(startDhcp(CONTEXT));
  if (request === undefined) throw new Error('no DISCOVER');
  const all: [number, Uint8Array][] = [
    [53, Uint8Array.of(type)],
    [54, addressOption('10.0.0.1')],
    ...options,
  ];
  return { ...request, op: 2, yiaddr: '10.0.0.7', siaddr: '10.0.0.1', options: new Map(all), ...over };
}
const NO_PROXY: [number, Uint8Array] = [OPTION.ipxeEncapsulated, subOptions([[176, Uint8Array.of(1)]])];
const feed = (step: DhcpStep, packet: DhcpPacket): DhcpStep =>
  stepDhcp(CONTEXT, step.state, { kind: 'reply', packet });
const timeout = (step: DhcpStep): DhcpStep => stepDhcp(CONTEXT, step.state, { kind: 'timeout' });

it('sends the bytes that SeaBIOS with an iPXE ROM was captured sending', () => {
  const [discover] = sent(startDhcp(CONTEXT));
  const hex = Buffer.from(encodePacket(discover as DhcpPacket))
    .subarray(240)
    .toString('hex');
  const vendor = Buffer.from('PXEClient:Arch:00000:UNDI:002001').toString('hex');
  expect(hex).toBe(
    `350101390205c05d0200005e030102013c20${vendor}4d0469505845` +
      '3717010306070c0f111a2b3c4243778081828384858687afcb' +
      'af30b105011af41000eb03010000170101220101130101110101270101190101290101100102210101150101180101120101' +
      `3d07015254000000016111${'00'.repeat(17)}ff`,
  );
});

it('sends the bytes that OVMF was captured sending, without option 61', () => {
  const client: BootClient = { ...CLIENT, program: 'pxe', firmware: 'uefi' };
  const [discover] = sent(startDhcp({ ...CONTEXT, client }));
  const hex = Buffer.from(encodePacket(discover as DhcpPacket))
    .subarray(240)
    .toString('hex');
  const vendor = Buffer.from('PXEClient:Arch:00007:UNDI:003000').toString('hex');
  expect(hex).toBe(
    '350101390205c037230102030405060c0d0f111216171c28292a2b3233363a3b3c4243618081828384858687' +
      `6111${'00'.repeat(17)}5e030103005d0200073c20${vendor}ff`,
  );
  expect(discover?.flags).toBe(0x8000);
});

it('requests what was offered, with 54 and 50 at the end, and takes the ACK', () => {
  const offered = feed(startDhcp(CONTEXT), reply(2, [NO_PROXY]));
  const [request] = sent(offered);
  expect(kinds(offered)).toEqual(['offered', 'send', 'arm']);
  expect([...(request?.options.keys() ?? [])].slice(-2)).toEqual([54, 50]);
  const lease: [number, Uint8Array][] = [
    [51, u32Option(600)],
    [67, textOption('http://x/${net0/mac}')],
  ];
  const bound = feed(offered, reply(5, lease));
  expect(bound.effects).toEqual([
    {
      kind: 'bound',
      lease: {
        address: '10.0.0.7',
        serverIdentifier: '10.0.0.1',
        leaseSeconds: 600,
        nextServer: '10.0.0.1',
        bootFile: 'http://x/${net0/mac}',
        router: '',
        hostname: '',
      },
    },
  ]);
});

it('waits for a proxy unless told not to', () => {
  const offered = feed(startDhcp(CONTEXT), reply(2));
  expect(kinds(offered)).toEqual(['offered', 'arm']);
  expect(sent(timeout(offered))).toHaveLength(1);
});

it('ignores replies for others, requests, and offers without an address or a server', () => {
  const start = startDhcp(CONTEXT);
  const strangers = [
    reply(2, [], { xid: 9 }),
    reply(2, [], { op: 1 }),
    reply(2, [], { chaddr: Uint8Array.of(2, 0, 0, 0, 0, 9) }),
    reply(2, [], { yiaddr: '0.0.0.0' }),
    reply(2, [], { options: new Map([[53, Uint8Array.of(2)]]) }),
    reply(5),
  ];
  for (const stranger of strangers)
    expect(feed(start, stranger)).toEqual({ state: start.state, effects: [] });
});

it('gives up after its patience, and after three refusals', () => {
  let step = startDhcp(CONTEXT);
  const delays: number[] = [];
  while (step.state.phase !== 'over') {
    delays.push(...step.effects.flatMap((effect) => (effect.kind === 'arm' ? [effect.delaySeconds] : [])));
    step = timeout(step);
  }
  expect(delays).toEqual([1, 2, 4, 8, 10]);
  expect(step.effects).toMatchObject([{ kind: 'failed', reason: 'no DHCPOFFER after 5 DHCPDISCOVERs' }]);
  step = startDhcp(CONTEXT);
  for (let naks = 0; naks < 3; naks += 1) step = feed(feed(step, reply(2, [NO_PROXY])), reply(6));
  expect(step.effects).toMatchObject([{ kind: 'failed' }]);
});

it('what it sends decodes', () => {
  const [discover] = sent(startDhcp(CONTEXT));
  const decoded = decodePacket(encodePacket(discover as DhcpPacket));
  expect(decoded).toMatchObject({
    kind: 'packet',
    packet: { xid: 0x01020304, giaddr: '127.0.0.1', hops: 1 },
  });
});
