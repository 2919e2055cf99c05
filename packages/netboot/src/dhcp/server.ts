/**
 * The DHCP service of one link: its ports, its lease table, its start and its end. What happens to a packet is packet-handler.ts.
 * Up to three ports: the server's (67), the boot server's (4011, proxyDHCP) and, to hear other servers, the clients' (68).
 * Invariant: it starts with all the ports that it answers on or with none, and hears on none after stop.
 */
import type { Clock, MacAddress } from '@lpmos/core';
import { LpmosError } from '@lpmos/core';
import type { BootDecider } from '../boot-decider';
import type { BootEvent, BootEventListener } from '../boot-event';
import type { DatagramPort, Endpoint } from './datagram-port';
import { isHostOf, readIpv4 } from './ipv4';
import { isKnownPeer } from './known-peer';
import type { Lease } from './lease-table';
import { LeaseTable } from './lease-table';
import type { DhcpLink, LinkPlan } from './link';
import { planLink } from './link';
import type { Inlet, PacketHandler } from './packet-handler';
import { packetHandler } from './packet-handler';
import { parseDhcpLink } from './parse-link';

export type OpenPort = () => Promise<DatagramPort>;

export interface DhcpServerOptions {
  readonly link: DhcpLink;
  readonly decider: BootDecider;
  readonly clock: Clock;
  /** Opens the server's port; see openUdpSocket. */
  readonly open: OpenPort;
  /** Opens the boot server's port (4011). Required in mode `proxy`; in mode `server` for firmware that asks there as well. */
  readonly openBootServer?: OpenPort;
  /** Opens the clients' port to hear other servers; see openUdpListener. Without it only replies to port 67 show them. */
  readonly openClientPort?: OpenPort;
  readonly onEvent: BootEventListener;
  /** What an earlier run knew; see openLeaseJournal. Records that do not fit the link are left out with an event. */
  readonly initialLeases?: readonly Lease[];
  /** Called for bound, released and declined leases (an offer is not worth keeping); must not block. */
  readonly onLease?: (lease: Lease) => void;
  /** A socket broke and the server serves nobody any more. */
  readonly onFailure?: (error: Error) => void;
}

export interface DhcpServer {
  /** @returns where it listens. @throws LpmosError `unavailable`, `invalid_argument` or, when started twice, `internal`. */
  start(): Promise<Endpoint>;
  /** Safe to call twice and before start. */
  stop(): Promise<void>;
  /** Where the boot server listens (4011), once started with one. */
  bootServer(): Endpoint | undefined;
  /** Every record, expired ones included. */
  leases(): readonly Lease[];
  leaseOf(mac: MacAddress): Lease | undefined;
  /** Whether a peer is a machine of this link, to which other boot servers may answer; see known-peer.ts. */
  knows(address: string): boolean;
}

/** @throws LpmosError `invalid_argument` with every problem of the link. */
export function createDhcpServer(options: DhcpServerOptions): DhcpServer {
  const plan = planLink(checkedLink(options));
  const table = new LeaseTable(plan);
  const emit = guarded(options.onEvent);
  for (const lease of options.initialLeases ?? []) {
    if (!isOnLink(plan, lease) || !table.apply(lease)) emit(storedLeaseRefused(lease));
  }
  const { decider, clock, onLease } = options;
  const ports = portLife({
    options,
    emit,
    onDatagram: packetHandler({
      plan,
      table,
      decider,
      clock,
      emit,
      ...(onLease === undefined ? {} : { onLease }),
    }),
  });
  return {
    ...ports,
    leases: () => table.all(),
    leaseOf: (mac) => table.ofMac(mac),
    knows: (address) => isKnownPeer({ plan, table, nowMs: clock.nowMs() }, address),
  };
}

function checkedLink({ link, openBootServer }: DhcpServerOptions): DhcpLink {
  const checked = parseDhcpLink(link);
  const problems = checked.kind === 'problems' ? [...checked.problems] : [];
  if (link.mode === 'proxy' && openBootServer === undefined) {
    problems.push({ path: 'mode', problem: 'proxy needs the boot server’s port too; give openBootServer' });
  }
  if (checked.kind === 'link' && problems.length === 0) return checked.link;
  throw new LpmosError({
    code: 'invalid_argument',
    message: `The DHCP link is wrong: ${problems.map((entry) => `${entry.path} ${entry.problem}`).join('; ')}`,
    fields: problems,
  });
}

interface PortLife {
  readonly options: DhcpServerOptions;
  readonly emit: BootEventListener;
  readonly onDatagram: PacketHandler;
}

function portLife(life: PortLife): Pick<DhcpServer, 'start' | 'stop' | 'bootServer'> {
  const opened: DatagramPort[] = [];
  let starting: Promise<Endpoint> | undefined;
  let bootServer: DatagramPort | undefined;
  const close = async (): Promise<void> => {
    await Promise.all(opened.splice(0).map((port) => port.close()));
  };
  const open = async (inlet: Inlet, opener: OpenPort): Promise<DatagramPort> => {
    const port = await opener();
    opened.push(port);
    port.listen({
      onDatagram: (bytes, from) => life.onDatagram(inlet, port, bytes, from),
      onError: (error) =>
        inlet === 'client-port' ? life.emit(deafTo(error)) : life.options.onFailure?.(error),
    });
    return port;
  };
  const startAll = async (): Promise<Endpoint> => {
    const { options } = life;
    try {
      // The boot server first: an OFFER may send clients there.
      if (options.openBootServer !== undefined)
        bootServer = await open('boot-server', options.openBootServer);
      if (options.openClientPort !== undefined) await listenForOthers(life, open, options.openClientPort);
      return (await open('dhcp', options.open)).local;
    } catch (thrown) {
      await close();
      throw thrown;
    }
  };
  return {
    start: async () => {
      if (starting !== undefined) {
        throw new LpmosError({
          code: 'internal',
          message: 'The DHCP server was started twice; make a new one',
        });
      }
      starting = startAll();
      return starting;
    },
    stop: async () => {
      await starting?.catch(() => undefined);
      await close();
    },
    bootServer: () => bootServer?.local,
  };
}

/** Hearing other servers is a comfort: where the host's own DHCP client holds the port, booting goes on without it. */
async function listenForOthers(
  { emit }: PortLife,
  open: (inlet: Inlet, opener: OpenPort) => Promise<DatagramPort>,
  opener: OpenPort,
): Promise<void> {
  try {
    await open('client-port', opener);
  } catch (thrown) {
    emit(deafTo(thrown));
  }
}

function deafTo(thrown: unknown): BootEvent {
  const why = thrown instanceof Error ? thrown.message.slice(0, 200) : 'unknown';
  const reason = `other DHCP servers of the link will not be seen: ${why}`;
  return {
    protocol: 'dhcp',
    peer: '0.0.0.0',
    request: 'listen on the client port',
    outcome: 'failed',
    reason,
  };
}

function storedLeaseRefused(lease: Lease): BootEvent {
  return {
    protocol: 'dhcp',
    mac: lease.mac,
    peer: lease.address,
    request: 'stored lease',
    outcome: 'ignored',
    reason: `${lease.address} is no client address of this link`,
  };
}

function isOnLink(plan: LinkPlan, lease: Lease): boolean {
  const number = readIpv4(lease.address);
  return number !== undefined && isHostOf(plan.subnet, number);
}

/** A listener that throws loses its event and nothing else. */
function guarded(listener: BootEventListener): BootEventListener {
  return (entry) => {
    try {
      listener(entry);
    } catch {
      // The listener reports its own faults; the next packet must be served.
    }
  };
}
