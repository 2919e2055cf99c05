/**
 * The DHCP server on real sockets of the loopback interface, with ports that the system chose: broadcast, relay and unicast replies,
 * a taken port, an address that is not ours. What needs real links and foreign clients is in tests/conformance.
 */
import type { BootDecision, MacAddress } from '@lpmos/core';
import type { Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import type { DhcpLink, DhcpPacket, DhcpServer } from '@lpmos/netboot';
import {
  addressOption,
  bootRequest,
  createDhcpServer,
  decodePacket,
  encodePacket,
  OPTION,
  openUdpSocket,
} from '@lpmos/netboot';

const MAC = '52:54:00:00:00:01' as MacAddress;
const SERVER = '127.0.0.1';
const DECISION: BootDecision = { kind: 'local-disk', reason: 'the machine is installed' };
const ANSWER_WITHIN_MS = 5_000;

let client: Socket;
let server: DhcpServer | undefined;

beforeEach(async () => {
  client = createSocket({ type: 'udp4', reuseAddr: true });
  client.bind(0, '0.0.0.0');
  await once(client, 'listening');
});

afterEach(async () => {
  await server?.stop();
  server = undefined;
  client.close();
});

function link(): DhcpLink {
  const port = client.address().port;
  return {
    name: 'loopback',
    serverAddress: SERVER,
    subnet: '127.0.0.0/8',
    pool: { first: '127.0.1.1', last: '127.0.1.50' },
    dnsServers: [],
    leaseSeconds: 600,
    offerSeconds: 30,
    reservations: [],
    relays: ['127.0.0.7'],
    ports: { server: 0, client: port, relay: port },
    boot: { nextServer: SERVER, loaders: {}, scriptUrl: 'http://127.0.0.1/boot.ipxe' },
    unknownClients: 'lease',
  };
}

async function start(): Promise<number> {
  server = createDhcpServer({
    link: link(),
    decider: { decide: () => DECISION },
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    open: openUdpSocket({ serverAddress: SERVER, port: 0 }),
    onEvent: () => undefined,
  });
  return (await server.start()).port;
}

async function exchange(
  port: number,
  request: DhcpPacket,
): Promise<{ packet: DhcpPacket; from: string; port: number }> {
  const answer = once(client, 'message', { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  client.send(encodePacket(request), port, SERVER);
  const [bytes, from] = (await answer) as [Uint8Array, { address: string; port: number }];
  const decoded = decodePacket(bytes);
  if (decoded.kind !== 'packet') throw new Error(decoded.problem);
  return { packet: decoded.packet, from: from.address, port: from.port };
}

function codeOf(packet: DhcpPacket): number | undefined {
  return packet.options.get(OPTION.messageType)?.[0];
}

describe('the DHCP server on sockets', () => {
  it('answers a client without address by broadcast, from its own address and port', async () => {
    const port = await start();
    const offer = await exchange(port, bootRequest({ type: 'DHCPDISCOVER', mac: MAC, xid: 1 }));
    expect([codeOf(offer.packet), offer.from, offer.port]).toEqual([2, SERVER, port]);
    const options = new Map([
      [OPTION.requestedAddress, addressOption(offer.packet.yiaddr)],
      [OPTION.serverIdentifier, addressOption(SERVER)],
    ]);
    const ack = await exchange(port, bootRequest({ type: 'DHCPREQUEST', mac: MAC, xid: 1, options }));
    expect([codeOf(ack.packet), ack.packet.yiaddr]).toEqual([5, offer.packet.yiaddr]);
    expect(server?.leaseOf(MAC)).toMatchObject({ state: 'bound', address: offer.packet.yiaddr });
  });

  it('answers through a relay at the relay’s port, and a renewing client at its address', async () => {
    const port = await start();
    const relayed = await exchange(
      port,
      bootRequest({ type: 'DHCPDISCOVER', mac: MAC, xid: 2, giaddr: '127.0.0.7' }),
    );
    expect([codeOf(relayed.packet), relayed.packet.giaddr]).toEqual([2, '127.0.0.7']);
    const ciaddr = relayed.packet.yiaddr;
    const renewed = await exchange(port, bootRequest({ type: 'DHCPREQUEST', mac: MAC, xid: 3, ciaddr }));
    expect([codeOf(renewed.packet), renewed.packet.yiaddr]).toEqual([5, ciaddr]);
  });

  it('goes on after nonsense', async () => {
    const port = await start();
    for (const length of [0, 1, 239, 240, 1400]) client.send(new Uint8Array(length).fill(0x35), port, SERVER);
    const offer = await exchange(port, bootRequest({ type: 'DHCPDISCOVER', mac: MAC, xid: 4 }));
    expect(codeOf(offer.packet)).toBe(2);
  });

  it('says who is in the way when the port is taken, and what to mend when the address is not ours', async () => {
    const port = await start();
    await expect(openUdpSocket({ serverAddress: SERVER, port })()).rejects.toThrow(
      new RegExp(`UDP port ${port} is taken .* "ss -ulpn`),
    );
    await expect(openUdpSocket({ serverAddress: '192.0.2.1', port: 0 })()).rejects.toThrow(
      /serverAddress 192\.0\.2\.1 is no address of this host/,
    );
  });

  it('can be started again on its port once it has stopped', async () => {
    const port = await start();
    await server?.stop();
    server = undefined;
    const again = await openUdpSocket({ serverAddress: SERVER, port })();
    expect(again.local).toEqual({ address: SERVER, port });
    await again.close();
  });
});
