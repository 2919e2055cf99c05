/**
 * DHCP towards iPXE and UEFI HTTP boot, on loopback sockets: the test plays the relay, so it needs no privilege and no fixed port.
 * What other clients are told is the business of the DHCP rules.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { BootDecision, MacAddress, TaskId } from '@lpmos/core';
import {
  addressOption,
  bootRequest,
  createDhcpServer,
  decodePacket,
  encodePacket,
  MESSAGE_TYPE,
  OPTION,
  openUdpSocket,
  readText,
  readU8,
  textOption,
  type DhcpPacket,
  type DhcpServer,
} from '@lpmos/netboot';
import { systemClock, until } from './harness/netboot-foreign-clients';

const SERVER = '127.0.0.1';
const RELAY = '127.0.0.7';
const SCRIPT = 'http://127.0.0.1/boot/menu.ipxe';
const SECURE_SCRIPT = 'https://127.0.0.1/boot/menu.ipxe';
const HTTP_LOADER = 'http://127.0.0.1/boot/assets/ipxe.efi';
const DECISION: BootDecision = {
  kind: 'agent',
  purpose: 'report',
  taskId: '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d' as TaskId,
  reason: 'the task is ready',
};
type Options = readonly (readonly [number, Uint8Array])[];
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const X64: Options = [
  [OPTION.vendorClassIdentifier, textOption('PXEClient:Arch:00007:UNDI:003016')],
  [OPTION.clientSystemArchitecture, bytes('0007')],
];
const HTTP_CLIENT: Options = [
  [OPTION.vendorClassIdentifier, textOption('HTTPClient:Arch:00016:UNDI:003000')],
  [OPTION.clientSystemArchitecture, bytes('0010')],
];

let relay: Socket;
let server: DhcpServer | undefined;
let port = 0;
let machines = 0;
const replies: DhcpPacket[] = [];

beforeEach(async () => {
  replies.length = 0;
  relay = createSocket('udp4');
  relay.on('message', (datagram) => {
    const decoded = decodePacket(datagram);
    if (decoded.kind === 'packet') replies.push(decoded.packet);
  });
  relay.bind(0, RELAY);
  await once(relay, 'listening');
});
afterEach(async () => {
  await server?.stop();
  relay.close();
});

async function serve(scriptUrl: string): Promise<void> {
  const relayPort = relay.address().port;
  server = createDhcpServer({
    link: {
      name: 'loopback',
      serverAddress: SERVER,
      subnet: '127.0.0.0/8',
      pool: { first: '127.0.1.1', last: '127.0.1.50' },
      dnsServers: [],
      leaseSeconds: 600,
      offerSeconds: 30,
      reservations: [],
      relays: [RELAY],
      ports: { server: 0, client: relayPort, relay: relayPort },
      boot: {
        nextServer: SERVER,
        loaders: { x64: 'ipxe.efi' },
        httpLoaders: { x64: HTTP_LOADER },
        scriptUrl,
      },
      unknownClients: 'lease',
    },
    decider: { decide: () => DECISION },
    clock: systemClock,
    open: openUdpSocket({ serverAddress: SERVER, port: 0 }),
    onEvent: () => undefined,
  });
  ({ port } = await server.start());
}

function freshMac(): MacAddress {
  machines += 1;
  return `52:54:00:00:00:${machines.toString(16).padStart(2, '0')}` as MacAddress;
}

async function ask(
  type: 'DHCPDISCOVER' | 'DHCPREQUEST',
  mac: MacAddress,
  options: Options,
): Promise<DhcpPacket> {
  const xid = machines * 1000 + replies.length + 1;
  const packet = bootRequest({ type, mac, xid, options: new Map(options), giaddr: RELAY });
  const before = replies.length;
  relay.send(encodePacket(packet), port, SERVER);
  await until('an answer', () => replies.length > before);
  const answer = replies[before];
  if (answer === undefined) throw new Error('the answer vanished');
  return answer;
}
const discover = (...options: Options) => ask('DHCPDISCOVER', freshMac(), options);
const fileOf = (answer: DhcpPacket) => answer.file || readText(answer.options, OPTION.bootfileName);

it.each<[string, Options]>([
  ['its user class bare', [[OPTION.userClass, bytes('69505845')]]],
  ['its user class behind a length', [[OPTION.userClass, bytes('04 69505845')]]],
  ['option 175 alone', [[OPTION.ipxeEncapsulated, bytes('130101')]]],
])('IP1: knows iPXE by %s and gives it the script', async (_what, marks) => {
  await serve(SCRIPT);
  expect(fileOf(await discover(...X64, ...marks))).toBe(SCRIPT);
});

it('IP1: gives firmware that is not iPXE the loader', async () => {
  await serve(SCRIPT);
  expect(fileOf(await discover(...X64))).toBe('ipxe.efi');
});

it('IP2: gives an https script only to an iPXE that says it has HTTPS', async () => {
  await serve(SECURE_SCRIPT);
  const without = await discover(...X64, [OPTION.ipxeEncapsulated, bytes('130101')]);
  expect([without.file, readText(without.options, OPTION.bootfileName)]).toEqual(['', undefined]);
  expect(fileOf(await discover(...X64, [OPTION.ipxeEncapsulated, bytes('130101 140101')]))).toBe(
    SECURE_SCRIPT,
  );
});

it('IP3: tells iPXE not to wait for a proxy', async () => {
  await serve(SCRIPT);
  const answer = await discover(...X64, [OPTION.ipxeEncapsulated, bytes('130101')]);
  expect(Buffer.from(answer.options.get(OPTION.ipxeEncapsulated) ?? []).toString('hex')).toBe('b00101');
});

it('IP9: sends one NAK for each wrong request, five times, and then an offer as if nothing had been', async () => {
  await serve(SCRIPT);
  const mac = freshMac();
  const offered = (await ask('DHCPDISCOVER', mac, X64)).yiaddr;
  for (let round = 1; round <= 5; round += 1) {
    const answer = await ask('DHCPREQUEST', mac, [
      ...X64,
      [OPTION.requestedAddress, addressOption('10.9.9.9')],
    ]);
    expect(readU8(answer.options, OPTION.messageType)).toBe(MESSAGE_TYPE.DHCPNAK);
  }
  const again = await ask('DHCPDISCOVER', mac, X64);
  expect([readU8(again.options, OPTION.messageType), again.yiaddr]).toEqual([
    MESSAGE_TYPE.DHCPOFFER,
    offered,
  ]);
  expect(replies).toHaveLength(7);
});

it('H1: gives an HTTP client its class and a URL, and a PXE client a name and never a URL', async () => {
  await serve(SCRIPT);
  const http = await discover(...HTTP_CLIENT);
  expect(readText(http.options, OPTION.vendorClassIdentifier)).toBe('HTTPClient');
  expect(fileOf(http)).toBe(HTTP_LOADER);
  const pxe = await discover(...X64);
  expect(readText(pxe.options, OPTION.vendorClassIdentifier)).toBe('PXEClient');
  expect(fileOf(pxe)).toBe('ipxe.efi');
});
