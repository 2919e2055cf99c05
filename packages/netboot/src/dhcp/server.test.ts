import type { BootDecision, MacAddress } from '@lpmos/core';
import fc from 'fast-check';
import type { BootEvent } from '../boot-event';
import { bootRequest } from './boot-request';
import type { DatagramListener, DatagramPort, Endpoint } from './datagram-port';
import { encodePacket } from './encode-packet';
import { CAPTURES } from './fixtures/captures';
import { AGENT, LAB, MAC, OTHER_MAC, hexBytes } from './fixtures/lab';
import type { Lease } from './lease-table';
import type { DhcpPacket } from './packet';
import { decodePacket } from './packet';
import type { DhcpServerOptions } from './server';
import { createDhcpServer } from './server';

/** A network in memory: what the server sends, and a way to send to it. */
class MemoryPort implements DatagramPort {
  readonly local: Endpoint = { address: '10.77.0.1', port: 67 };
  readonly sent: { packet: DhcpPacket; to: Endpoint }[] = [];
  listener: DatagramListener | undefined;
  closed = 0;
  behaviour: () => Promise<void> = () => Promise.resolve();

  send(bytes: Uint8Array, to: Endpoint): Promise<void> {
    const decoded = decodePacket(bytes);
    if (decoded.kind !== 'packet') throw new Error(`the server sent nonsense: ${decoded.problem}`);
    this.sent.push({ packet: decoded.packet, to });
    return this.behaviour();
  }
  listen(listener: DatagramListener): void {
    this.listener = listener;
  }
  close(): Promise<void> {
    this.closed += 1;
    return Promise.resolve();
  }
  receive(bytes: Uint8Array): void {
    this.listener?.onDatagram(bytes, { address: '0.0.0.0', port: 68 });
  }
}

async function started(options: Partial<DhcpServerOptions> = {}) {
  const port = new MemoryPort();
  const events: BootEvent[] = [];
  const time = { wallMs: 1_700_000_000_000, monotonicMs: 5 };
  const server = createDhcpServer({
    link: LAB,
    decider: { decide: () => AGENT },
    clock: { nowMs: () => time.wallMs, monotonicMs: () => time.monotonicMs },
    open: () => Promise.resolve(port),
    onEvent: (event) => events.push(event),
    ...options,
  });
  await server.start();
  return { server, port, events, time };
}

function discover(mac: MacAddress = MAC): Uint8Array {
  return encodePacket(bootRequest({ type: 'DHCPDISCOVER', mac, xid: 7 }));
}

function renew(ciaddr: string, mac: MacAddress = MAC): Uint8Array {
  return encodePacket(bootRequest({ type: 'DHCPREQUEST', mac, xid: 8, ciaddr }));
}

describe('createDhcpServer', () => {
  it('refuses a wrong link with every problem', () => {
    const create = (): unknown =>
      createDhcpServer({ ...({} as DhcpServerOptions), link: { ...LAB, leaseSeconds: 0, name: '' } });
    expect(create).toThrow(/name must be .*; leaseSeconds must be/);
  });

  it('answers, tells what it did and remembers the lease', async () => {
    const { server, port, events } = await started();
    port.receive(discover());
    expect(port.sent).toHaveLength(1);
    expect(events).toEqual([
      expect.objectContaining({
        protocol: 'dhcp',
        mac: MAC,
        request: 'DHCPDISCOVER',
        stage: 'os',
        outcome: 'answered',
        decision: AGENT,
      }),
    ]);
    expect(server.leaseOf(MAC)).toMatchObject({ state: 'offered', address: port.sent[0]?.packet.yiaddr });
    expect(server.leases()).toHaveLength(1);
  });

  it('reports bound, released and declined leases for keeping, and no offers', async () => {
    const kept: Lease[] = [];
    const { port, server } = await started({ onLease: (lease) => kept.push(lease) });
    port.receive(discover());
    const address = server.leaseOf(MAC)?.address ?? '';
    port.receive(renew(address));
    port.receive(encodePacket(bootRequest({ type: 'DHCPRELEASE', mac: MAC, xid: 9, ciaddr: address })));
    expect(kept.map(({ state }) => state)).toEqual(['bound', 'released']);
    expect(server.leaseOf(MAC)).toBeUndefined();
  });

  it('knows whose an address is although a time server steps the clock', async () => {
    const { port, server, time } = await started();
    port.receive(discover());
    const address = server.leaseOf(MAC)?.address ?? '';
    port.receive(renew(address));
    time.wallMs += 365 * 86_400_000;
    expect([server.knows(address), server.holderOf(address)]).toEqual([true, MAC]);
    time.monotonicMs += 2 * 3_600_000;
    expect([server.knows(address), server.holderOf(address)]).toEqual([false, undefined]);
  });

  it('goes on with the leases of an earlier run, in time that no clock step moves', async () => {
    const lease: Lease = {
      mac: OTHER_MAC,
      address: '10.77.0.105',
      state: 'bound',
      sinceMs: 0,
      expiresAtMs: 1_700_000_060_000,
    };
    const foreign: Lease = { ...lease, mac: MAC, address: '192.0.2.5' };
    const { port, server, time, events } = await started({ initialLeases: [lease, foreign] });
    expect(server.leases()).toEqual([lease]);
    expect(events).toEqual([expect.objectContaining({ request: 'stored lease', outcome: 'ignored' })]);
    time.wallMs += 3_600_000;
    port.receive(renew('10.77.0.105'));
    expect(port.sent[0]?.packet.yiaddr).toBe('0.0.0.0');
    time.monotonicMs += 60_000;
    port.receive(renew('10.77.0.105'));
    expect(port.sent[1]?.packet.yiaddr).toBe('10.77.0.105');
  });

  it('keeps a stored lease for no longer than it was given, when the clock was ahead as it was stored', async () => {
    const year = 365 * 86_400_000;
    const ahead: Lease = {
      ...{ mac: OTHER_MAC, address: '10.77.0.105', state: 'bound' },
      ...{ sinceMs: 1_700_000_000_000 + year, expiresAtMs: 1_700_000_000_000 + year + 3_600_000 },
    };
    const { port, server, time } = await started({ initialLeases: [ahead] });
    port.receive(renew('10.77.0.105'));
    time.monotonicMs += 3_600_000;
    port.receive(renew('10.77.0.105'));
    expect(port.sent.map(({ packet }) => packet.yiaddr)).toEqual(['0.0.0.0', '10.77.0.105']);
    expect(server.leaseOf(OTHER_MAC)).toBeUndefined();
  });

  it('survives a decider, a listener and a lease keeper that throw, and serves the next packet', async () => {
    let broken = true;
    const explode = (): void => {
      if (broken) throw new Error('boom');
    };
    const decide = (): BootDecision => {
      explode();
      return AGENT;
    };
    const faulty: Partial<DhcpServerOptions>[] = [
      { decider: { decide } },
      { onEvent: explode },
      { onLease: explode },
    ];
    for (const options of faulty) {
      broken = true;
      const { port } = await started(options);
      expect(() => port.receive(renew('10.77.0.105'))).not.toThrow();
      broken = false;
      port.sent.length = 0;
      port.receive(renew('10.77.0.105'));
      expect(port.sent).toHaveLength(1);
    }
  });

  it('reports what cannot be sent, and drops replies when too many wait for the network', async () => {
    const { port, events } = await started();
    port.behaviour = () => Promise.reject(new Error('ENETUNREACH'));
    port.receive(discover());
    await new Promise(setImmediate);
    expect(events.at(-1)).toMatchObject({
      outcome: 'failed',
      reason: expect.stringContaining('ENETUNREACH') as string,
    });
    port.behaviour = () => new Promise(() => undefined);
    port.sent.length = 0;
    for (let index = 0; index < 1100; index += 1) port.receive(discover());
    expect(port.sent).toHaveLength(1024);
    expect(events.some(({ outcome, reason }) => outcome === 'failed' && reason.includes('dropped'))).toBe(
      true,
    );
  });

  it('sends nothing when the client wants more echoed than it has room for, and says so', async () => {
    const { port, events } = await started();
    const options = new Map([
      [61, new Uint8Array(255)],
      [82, new Uint8Array(255)],
    ]);
    port.receive(encodePacket(bootRequest({ type: 'DHCPDISCOVER', mac: MAC, xid: 7, options })));
    port.receive(encodePacket(bootRequest({ type: 'DHCPDISCOVER', mac: MAC, xid: 7, options })));
    // Option 82 alone: once it left as a frame of 750 bytes with an empty overload (found by the fuzzer).
    const alone = new Map([[82, new Uint8Array(460)]]);
    port.receive(encodePacket(bootRequest({ type: 'DHCPDISCOVER', mac: MAC, xid: 7, options: alone })));
    expect(port.sent).toEqual([]);
    expect(events.filter(({ outcome }) => outcome === 'refused').map(({ reason }) => reason)).toEqual([
      expect.stringContaining('does not fit'),
      expect.stringContaining('does not fit'),
      expect.stringContaining('option 82 does not fit'),
    ]);
  });

  it('tells a broken socket to its owner, refuses a second start, stops twice', async () => {
    const failures: Error[] = [];
    const { server, port } = await started({ onFailure: (error) => failures.push(error) });
    port.listener?.onError(new Error('EBADF'));
    expect(failures.map(({ message }) => message)).toEqual(['EBADF']);
    await expect(server.start()).rejects.toThrow(/started twice/);
    await server.stop();
    await server.stop();
    expect(port.closed).toBeGreaterThan(0);
  });

  it('stops before it was started and after a start that failed', async () => {
    const base = {
      link: LAB,
      decider: { decide: () => AGENT },
      clock: { nowMs: () => 0, monotonicMs: () => 0 },
      onEvent: () => undefined,
    };
    await createDhcpServer({ ...base, open: () => Promise.resolve(new MemoryPort()) }).stop();
    const failing = createDhcpServer({ ...base, open: () => Promise.reject(new Error('taken')) });
    await expect(failing.start()).rejects.toThrow('taken');
    await failing.stop();
  });

  it('survives any datagram, keeps its table bounded and serves a good client afterwards (D19, R-KEA-1)', async () => {
    const octet = fc.integer({ min: 0, max: 255 });
    const frames = CAPTURES.map((capture) => hexBytes(capture.frame));
    const mutated = fc
      .tuple(fc.constantFrom(...frames), fc.array(fc.tuple(fc.nat(), octet), { maxLength: 10 }))
      .map(([bytes, edits]) => {
        const copy = bytes.slice();
        for (const [at, value] of edits) copy[at % copy.length] = value;
        return copy;
      });
    for (const link of [
      LAB,
      { ...LAB, unknownClients: 'ignore' as const, relays: ['0.0.0.1', '10.77.0.1'] },
    ]) {
      const { port, server, events } = await started({ link });
      fc.assert(
        fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 600 })), (bytes) => {
          events.length = 0;
          port.receive(bytes);
          expect(events.length).toBeGreaterThan(0);
          expect(events.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
        }),
        { numRuns: 2000 },
      );
      expect(server.leases().length).toBeLessThanOrEqual(12);
      port.sent.length = 0;
      const { address = '' } = server.leases()[0] ?? {};
      port.receive(renew(address, server.leases()[0]?.mac));
      expect(port.sent).toHaveLength(1);
    }
  });
});
