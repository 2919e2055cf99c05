/** A running server with other settings, and servers of several links beside each other, on ports in memory. */
import type { BootEvent } from '../boot-event';
import { bootRequest } from './boot-request';
import type { DatagramListener, DatagramPort, Endpoint } from './datagram-port';
import { encodePacket } from './encode-packet';
import { AGENT, LAB, MAC, OTHER_MAC } from './fixtures/lab';
import type { Lease } from './lease-table';
import type { DhcpLink } from './link';
import { createLinkGroup } from './link-group';
import { messageTypeName } from './option-codes';
import type { DhcpPacket } from './packet';
import { decodePacket } from './packet';
import type { DhcpServerOptions } from './server';
import { createDhcpServer } from './server';

interface Sent {
  readonly packet: DhcpPacket;
  readonly to: Endpoint;
}

function memoryPort() {
  const sent: Sent[] = [];
  let listener: DatagramListener | undefined;
  const port: DatagramPort = {
    local: { address: '10.77.0.1', port: 67 },
    send: (bytes, to) => {
      const decoded = decodePacket(bytes);
      if (decoded.kind === 'packet') sent.push({ packet: decoded.packet, to });
      return Promise.resolve();
    },
    listen: (given) => {
      listener = given;
    },
    close: () => Promise.resolve(),
  };
  const hear = (request: Parameters<typeof bootRequest>[0]): Sent | undefined => {
    sent.length = 0;
    listener?.onDatagram(encodePacket(bootRequest(request)), { address: '10.77.0.254', port: 68 });
    return sent[0];
  };
  return { open: () => Promise.resolve(port), hear };
}

const typeOf = (sent: Sent | undefined): string | undefined =>
  sent && messageTypeName(sent.packet.options.get(53)?.[0] ?? 0);

async function started(options: Partial<DhcpServerOptions> = {}) {
  const port = memoryPort();
  const events: BootEvent[] = [];
  const server = createDhcpServer({
    link: LAB,
    decider: { decide: () => AGENT },
    clock: { nowMs: () => 1_700_000_000_000, monotonicMs: () => 5 },
    open: port.open,
    onEvent: (event) => events.push(event),
    ...options,
  });
  await server.start();
  return { server, events, hear: port.hear };
}

/** Not the address that the MAC would get by its hash. */
const HELD: Lease = {
  mac: OTHER_MAC,
  address: '10.77.0.108',
  state: 'bound',
  sinceMs: 0,
  expiresAtMs: 1_700_000_060_000,
};

describe('a server that goes on with other settings', () => {
  it('keeps every lease, and tells the next packet what is new', async () => {
    const { server, hear } = await started({ initialLeases: [HELD] });
    server.reconfigure({ ...LAB, leaseSeconds: 77 });
    expect(server.leaseOf(OTHER_MAC)).toEqual(HELD);
    const ack = hear({ type: 'DHCPREQUEST', mac: OTHER_MAC, xid: 1, ciaddr: HELD.address });
    expect([typeOf(ack), ack?.packet.yiaddr, ack?.packet.options.get(51)?.[3]]).toEqual([
      'DHCPACK',
      HELD.address,
      77,
    ]);
  });

  it('refuses an address that is no longer in the pool, and gives another', async () => {
    const { server, hear } = await started({ initialLeases: [HELD] });
    server.reconfigure({ ...LAB, pool: { first: '10.77.0.200', last: '10.77.0.201' } });
    expect(typeOf(hear({ type: 'DHCPREQUEST', mac: OTHER_MAC, xid: 1, ciaddr: HELD.address }))).toBe(
      'DHCPNAK',
    );
    const offer = hear({ type: 'DHCPDISCOVER', mac: OTHER_MAC, xid: 2 });
    expect(offer?.packet.yiaddr).toMatch(/^10\.77\.0\.20[01]$/);
  });

  it('falls silent as an observer, and speaks again as a server', async () => {
    const { server, hear } = await started();
    server.reconfigure({ ...LAB, mode: 'observe' });
    expect(hear({ type: 'DHCPDISCOVER', mac: MAC, xid: 1 })).toBeUndefined();
    server.reconfigure(LAB);
    expect(typeOf(hear({ type: 'DHCPDISCOVER', mac: MAC, xid: 2 }))).toBe('DHCPOFFER');
  });

  it.each<[string, Partial<DhcpLink>, RegExp]>([
    ['its subnet', { subnet: '10.77.0.0/23' }, /subnet cannot change while the server runs/],
    ['its address', { serverAddress: '10.77.0.2' }, /serverAddress cannot change/],
    ['its ports', { ports: { server: 1067, client: 68, relay: 67 } }, /ports cannot change/],
    ['a mode that needs a port', { mode: 'proxy', reservations: [] }, /proxy needs the boot server/],
    ['nonsense', { leaseSeconds: 0 }, /leaseSeconds must be/],
  ])('refuses to change %s, and has changed nothing', async (_what, change, problem) => {
    const { server, hear } = await started();
    const { pool: _none, ...withoutPool } = LAB;
    const base = change.mode === 'proxy' ? withoutPool : LAB;
    expect(() => server.reconfigure({ ...base, unknownClients: 'ignore', ...change })).toThrow(problem);
    expect(typeOf(hear({ type: 'DHCPDISCOVER', mac: MAC, xid: 1 }))).toBe('DHCPOFFER');
  });
});

describe('links beside each other', () => {
  const FAR: DhcpLink = {
    ...LAB,
    ...{ name: 'far', relayedOnly: true, subnet: '10.78.0.0/24', relays: ['10.78.0.1'], reservations: [] },
    ...{ pool: { first: '10.78.0.100', last: '10.78.0.109' }, router: '10.78.0.1' },
  };

  it('serve what the others hear; the answer leaves by the port that heard it', async () => {
    const group = createLinkGroup();
    const near = await started({ group });
    const { server: far } = await started({ link: FAR, group });
    const offer = near.hear({ type: 'DHCPDISCOVER', mac: MAC, xid: 1, giaddr: '10.78.0.1' });
    expect([offer?.packet.yiaddr.startsWith('10.78.0.1'), offer?.to]).toEqual([
      true,
      { address: '10.78.0.1', port: 67 },
    ]);
    expect([far.leases().length, near.server.leases().length]).toEqual([1, 0]);
    await far.stop();
    expect(near.hear({ type: 'DHCPDISCOVER', mac: MAC, xid: 2, giaddr: '10.78.0.1' })).toBeUndefined();
  });

  it('may do without a port of their own only when relays reach them', async () => {
    const { open: _none, ...rest } = {
      open: memoryPort().open,
      decider: { decide: () => AGENT },
      onEvent: () => undefined,
    };
    const options = { ...rest, clock: { nowMs: () => 0, monotonicMs: () => 0 }, group: createLinkGroup() };
    expect(() => createDhcpServer({ ...options, link: LAB })).toThrow(/ports need a socket/);
    const server = createDhcpServer({ ...options, link: FAR });
    expect(await server.start()).toEqual({ address: '10.77.0.1', port: 67 });
    await server.stop();
    expect(() => createDhcpServer({ ...options, link: { ...FAR, relays: [] } })).toThrow(
      /at least one relay/,
    );
  });

  it('refuse a client behind a relay where it hears it: no broadcast of ours gets there', async () => {
    const lost: Lease = { ...HELD, address: '10.78.0.200' };
    const { hear } = await started({ link: FAR, group: createLinkGroup(), initialLeases: [lost] });
    const nak = hear({ type: 'DHCPREQUEST', mac: OTHER_MAC, xid: 1, ciaddr: lost.address });
    expect([typeOf(nak), nak?.to]).toEqual(['DHCPNAK', { address: lost.address, port: 68 }]);
  });

  it('say nothing to a stranger on the socket of a link that only relays reach', async () => {
    const { hear, events } = await started({ link: FAR, group: createLinkGroup() });
    expect(hear({ type: 'DHCPDISCOVER', mac: MAC, xid: 1 })).toBeUndefined();
    expect(events.map(({ outcome, reason }) => `${outcome}: ${reason}`)).toEqual([
      expect.stringMatching(/^ignored: link far is reached by relays alone/),
    ]);
  });
});
