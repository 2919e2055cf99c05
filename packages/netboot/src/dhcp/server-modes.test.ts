import type { MacAddress } from '@lpmos/core';
import type { BootEvent } from '../boot-event';
import type { BootRequest } from './boot-request';
import { bootRequest } from './boot-request';
import type { DatagramListener, DatagramPort, Endpoint } from './datagram-port';
import { encodePacket } from './encode-packet';
import { AGENT, LAB, MAC, hexBytes } from './fixtures/lab';
import type { Lease } from './lease-table';
import type { DhcpLink, LinkMode } from './link';
import { address, text, u16, u8 } from './options';
import type { DhcpPacket } from './packet';
import { decodePacket } from './packet';
import type { DhcpServerOptions } from './server';
import { createDhcpServer } from './server';

class MemoryPort implements DatagramPort {
  readonly sent: { packet: DhcpPacket; to: Endpoint }[] = [];
  listener: DatagramListener | undefined;
  closed = 0;
  constructor(readonly local: Endpoint) {}
  send(bytes: Uint8Array, to: Endpoint): Promise<void> {
    const decoded = decodePacket(bytes);
    if (decoded.kind !== 'packet') throw new Error(`the server sent nonsense: ${decoded.problem}`);
    this.sent.push({ packet: decoded.packet, to });
    return Promise.resolve();
  }
  listen(listener: DatagramListener): void {
    this.listener = listener;
  }
  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }
  receive(packet: DhcpPacket, from: Endpoint = { address: '0.0.0.0', port: 68 }): void {
    this.listener?.onDatagram(encodePacket(packet), from);
  }
}

const PXE = new Map([
  [60, text('PXEClient:Arch:00007:UNDI:003000')],
  [93, u16(7)],
  [97, hexBytes(`00${'22'.repeat(16)}`)],
]);

function linkOf(mode: LinkMode): DhcpLink {
  const { pool, ...rest } = LAB;
  return mode === 'proxy' ? { ...rest, mode, reservations: [] } : { ...rest, mode, ...(pool && { pool }) };
}

async function started(mode: LinkMode, options: Partial<DhcpServerOptions> = {}) {
  const [dhcp, bootServer, clients] = [67, 4011, 68].map(
    (port) => new MemoryPort({ address: '10.77.0.1', port }),
  );
  if (!dhcp || !bootServer || !clients) throw new Error('unreachable');
  const events: BootEvent[] = [];
  const kept: Lease[] = [];
  const server = createDhcpServer({
    link: linkOf(mode),
    decider: { decide: () => AGENT },
    clock: { nowMs: () => 1_000_000, monotonicMs: () => 0 },
    open: () => Promise.resolve(dhcp),
    openBootServer: () => Promise.resolve(bootServer),
    openClientPort: () => Promise.resolve(clients),
    onEvent: (event) => events.push(event),
    onLease: (lease) => kept.push(lease),
    ...options,
  });
  await server.start();
  return { server, dhcp, bootServer, clients, events, kept };
}

const message = (
  request: Partial<BootRequest> & Pick<BootRequest, 'type'>,
  mac: MacAddress = MAC,
): DhcpPacket => bootRequest({ mac, xid: 7, options: PXE, ...request });
const NEAR = { address: '10.77.0.105', port: 4011 };

it('a proxy offers on 67, acknowledges on 4011 and keeps no lease', async () => {
  const { server, dhcp, bootServer, kept } = await started('proxy');
  dhcp.receive(message({ type: 'DHCPDISCOVER' }));
  dhcp.receive(message({ type: 'DHCPREQUEST', ciaddr: NEAR.address }));
  bootServer.receive(message({ type: 'DHCPREQUEST', ciaddr: NEAR.address }), NEAR);
  expect(dhcp.sent.map(({ packet }) => packet.options.get(53))).toEqual([u8(2)]);
  expect(bootServer.sent).toEqual([expect.objectContaining({ to: NEAR })]);
  expect([server.leases(), kept]).toEqual([[], []]);
  expect(server.bootServer()).toEqual({ address: '10.77.0.1', port: 4011 });
});

it('a server answers on 67 once, with a lease, and on 4011 without (X6)', async () => {
  const { server, dhcp, bootServer } = await started('server');
  dhcp.receive(message({ type: 'DHCPDISCOVER' }));
  bootServer.receive(message({ type: 'DHCPREQUEST', ciaddr: NEAR.address }), NEAR);
  expect(dhcp.sent.map(({ packet }) => packet.yiaddr)).toEqual([server.leaseOf(MAC)?.address]);
  expect(bootServer.sent.map(({ packet }) => packet.yiaddr)).toEqual(['0.0.0.0']);
});

it('an observer sends nothing, keeps nothing, and says what either mode would have sent', async () => {
  const { dhcp, bootServer, events, kept } = await started('observe');
  dhcp.receive(message({ type: 'DHCPDISCOVER' }));
  dhcp.receive(message({ type: 'DHCPDISCOVER', options: new Map() }));
  dhcp.receive(message({ type: 'DHCPREQUEST', ciaddr: '10.77.0.105' }));
  bootServer.receive(message({ type: 'DHCPREQUEST', ciaddr: NEAR.address }), NEAR);
  expect([dhcp.sent, bootServer.sent, kept]).toEqual([[], [], []]);
  expect(events.map(({ outcome }) => outcome)).toEqual(['ignored', 'ignored', 'ignored', 'ignored']);
  expect(events.map(({ reason }) => reason)).toEqual([
    expect.stringMatching(
      /^observed: as server would send DHCPOFFER 10\.77\.0\.1\d\d, loader ipxe\.efi: .*; as proxy would send proxy DHCPOFFER, loader ipxe\.efi: /,
    ),
    expect.stringMatching(/^observed: would send DHCPOFFER 10\.77\.0\.1\d\d, an operating system asks/),
    expect.stringMatching(
      /^observed: as server would send DHCP.*; as proxy DHCPREQUEST belongs to the server/,
    ),
    expect.stringMatching(/^observed: would send proxy DHCPACK, loader ipxe\.efi/),
  ]);
});

describe('servers that are not ours', () => {
  const offer = (server: string): DhcpPacket => ({
    ...bootRequest({ type: 'DHCPDISCOVER', mac: MAC, xid: 1 }),
    op: 2,
    options: new Map([
      [53, u8(2)],
      [54, address(server)],
    ]),
  });
  const rogue = { address: '10.77.0.2', port: 67 };

  it('are reported once, from either port, and our own broadcasts are not', async () => {
    const { clients, dhcp, events } = await started('server');
    clients.receive(offer('10.77.0.1'), { address: '10.77.0.1', port: 67 });
    for (let n = 0; n < 5; n += 1) clients.receive(offer('10.77.0.2'), rogue);
    dhcp.receive(offer('10.77.0.9'), { address: '10.77.0.9', port: 67 });
    const reports = (): BootEvent[] =>
      events.filter(({ request }) => request === 'DHCPOFFER of another server');
    const deadline = performance.now() + 10_000;
    while (reports().length < 2 && performance.now() < deadline) await new Promise(setImmediate);
    // The look-up of the MAC may finish in either order.
    const byPeer = [...reports()].sort((one, other) => one.peer.localeCompare(other.peer));
    expect(byPeer).toEqual([
      expect.objectContaining({ outcome: 'failed', mac: MAC, peer: '10.77.0.2' }),
      expect.objectContaining({ peer: '10.77.0.9' }),
    ]);
  });

  it('cannot stop the service when the client port is taken or breaks', async () => {
    const failures: Error[] = [];
    const taken = await started('server', {
      openClientPort: () => Promise.reject(new Error('taken')),
      onFailure: (error) => failures.push(error),
    });
    expect(taken.events).toEqual([
      expect.objectContaining({
        outcome: 'failed',
        reason: expect.stringMatching(/will not be seen: taken/) as string,
      }),
    ]);
    const broken = await started('server', { onFailure: (error) => failures.push(error) });
    broken.clients.listener?.onError(new Error('EBADF'));
    expect([broken.events[0]?.reason, failures]).toEqual([expect.stringMatching(/not be seen: EBADF/), []]);
    broken.bootServer.listener?.onError(new Error('EBADF'));
    expect(failures).toHaveLength(1);
  });

  it('nonsense on the client port is nobody’s event', async () => {
    const { clients, events } = await started('server');
    clients.receive(message({ type: 'DHCPDISCOVER' }));
    expect([events, clients.sent]).toEqual([[], []]);
  });
});

it('starts with all ports or none, and stops with all', async () => {
  const { server, dhcp, bootServer, clients } = await started('proxy');
  await server.stop();
  expect([dhcp.closed, bootServer.closed, clients.closed]).toEqual([1, 1, 1]);
  const lonely = new MemoryPort({ address: '10.77.0.1', port: 4011 });
  const starting = started('proxy', {
    open: () => Promise.reject(new Error('67 is taken')),
    openBootServer: () => Promise.resolve(lonely),
  });
  await expect(starting).rejects.toThrow('67 is taken');
  expect(lonely.closed).toBe(1);
});

it('a proxy without its second port is refused, with all other problems', () => {
  const create = (): unknown =>
    createDhcpServer({ ...({} as DhcpServerOptions), link: { ...linkOf('proxy'), leaseSeconds: 0 } });
  expect(create).toThrow(/leaseSeconds must be.*; mode proxy needs the boot server/);
});
