/**
 * The DHCP service of one link: its ports, its lease table, its start and its end. What happens to a packet is packet-handler.ts.
 * Up to three ports: the server's (67), the boot server's (4011, proxyDHCP) and, to hear other servers, the clients' (68).
 * Invariant: it starts with all the ports that it answers on or with none, and hears on none after stop.
 */
import type { Clock, FieldProblem, MacAddress } from '@lpmos/core';
import { LpmosError } from '@lpmos/core';
import type { BootDecider } from '../boot-decider';
import type { BootEvent, BootEventListener } from '../boot-event';
import type { DatagramPort, Endpoint, Inlet } from './datagram-port';
import { isHostOf, readIpv4 } from './ipv4';
import { holderAt, isKnownPeer } from './known-peer';
import type { Lease } from './lease-table';
import { LeaseTable } from './lease-table';
import type { DhcpLink, LinkPlan } from './link';
import { planLink } from './link';
import type { LinkGroup } from './link-group';
import type { LinkState, PacketHandler } from './packet-handler';
import { packetHandler } from './packet-handler';
import { parseDhcpLink } from './parse-link';

export type OpenPort = () => Promise<DatagramPort>;

export interface DhcpServerOptions {
  readonly link: DhcpLink;
  readonly decider: BootDecider;
  readonly clock: Clock;
  /** Opens the server's port; see openUdpSocket. Only a link that is reached by relays alone may do without: others of its group hear them. */
  readonly open?: OpenPort;
  /** The other links of the daemon. */
  readonly group?: LinkGroup;
  /** Opens the boot server's port (4011). Required in mode `proxy`; in mode `server` for firmware that asks there as well. */
  readonly openBootServer?: OpenPort;
  /** Opens the clients' port to hear other servers; see openUdpListener. Without it only replies to port 67 show them. */
  readonly openClientPort?: OpenPort;
  readonly onEvent: BootEventListener;
  /** What an earlier run knew; see openLeaseJournal. Records that do not fit the link are left out with an event. */
  readonly initialLeases?: readonly Lease[];
  /** Called for bound, released and declined leases (an offer is not worth keeping); must not block. */
  readonly onLease?: (lease: Lease) => void;
  /** Whether this daemon leads its region now: asked for each request of a link with a partner. Without it, it always does. */
  readonly leads?: () => boolean;
  /** A socket broke and the server serves nobody any more. */
  readonly onFailure?: (error: Error) => void;
}

export interface DhcpServer {
  /** @returns where it listens, or is reached through its group. @throws LpmosError `unavailable`, `invalid_argument` or, when started twice, `internal`. */
  start(): Promise<Endpoint>;
  /** Safe to call twice and before start. */
  stop(): Promise<void>;
  /**
   * Goes on with other settings of the same link and the same leases, from the next packet on.
   * @throws LpmosError `invalid_argument` with every problem, also for what cannot change while it runs; nothing has changed then.
   */
  reconfigure(link: DhcpLink): void;
  /** Where the boot server listens (4011), once started with one. */
  bootServer(): Endpoint | undefined;
  /** Every record, expired ones included. */
  leases(): readonly Lease[];
  leaseOf(mac: MacAddress): Lease | undefined;
  /** Who holds an address now, for services whose requests name no machine; see known-peer.ts. */
  holderOf(address: string): MacAddress | undefined;
  /** Whether a peer is a machine of this link, to which other boot servers may answer; see known-peer.ts. */
  knows(address: string): boolean;
}

/** @throws LpmosError `invalid_argument` with every problem of the link. */
export function createDhcpServer(options: DhcpServerOptions): DhcpServer {
  const emit = guarded(options.onEvent);
  const checked = checkedLink(options);
  const { decider, clock, onLease, group, leads } = options;
  // Lease times are epoch times that survive a restart, on a clock that no time server can step.
  const epochMs = clock.nowMs() - clock.monotonicMs();
  const nowMs = (): number => epochMs + clock.monotonicMs();
  const stored = (options.initialLeases ?? []).map((lease) => begunByNow(lease, nowMs()));
  let state = linkState(checked, stored, emit);
  const handler = packetHandler({
    ...{ state: () => state, decider, nowMs, emit },
    ...(group === undefined ? {} : { group }),
    ...(onLease === undefined ? {} : { onLease }),
    ...(leads === undefined ? {} : { leads }),
  });
  return {
    ...portLife({ options, emit, handler }),
    reconfigure: (link) => {
      const next = checkedLink({ ...options, link });
      refuseFixed(state.plan.link, next);
      state = linkState(next, state.table.all(), emit);
    },
    leases: () => state.table.all(),
    leaseOf: (mac) => state.table.ofMac(mac),
    holderOf: (address) => holderAt({ ...state, nowMs: nowMs() }, address),
    knows: (address) => isKnownPeer({ ...state, nowMs: nowMs() }, address),
  };
}

function linkState(link: DhcpLink, leases: readonly Lease[], emit: BootEventListener): LinkState {
  const plan = planLink(link);
  const table = new LeaseTable(plan);
  for (const lease of leases) {
    if (!isOnLink(plan, lease) || !table.apply(lease)) emit(storedLeaseRefused(lease));
  }
  return { plan, table };
}

/** What sockets and leases hang on. */
const FIXED = ['name', 'serverAddress', 'partnerAddress', 'subnet', 'relayedOnly', 'ports'] as const;

function refuseFixed(now: DhcpLink, next: DhcpLink): void {
  const fields = FIXED.filter((field) => JSON.stringify(now[field]) !== JSON.stringify(next[field])).map(
    (path) => ({ path, problem: 'cannot change while the server runs; restart it' }),
  );
  if (fields.length > 0) throw wrongLink(fields);
}

function checkedLink({ link, open, openBootServer }: DhcpServerOptions): DhcpLink {
  const checked = parseDhcpLink(link);
  const problems = checked.kind === 'problems' ? [...checked.problems] : [];
  const isHeardByOthers = link.relayedOnly === true;
  if (open === undefined && !isHeardByOthers) {
    problems.push({ path: 'ports', problem: 'need a socket on a link that we are on; give open' });
  }
  if (link.mode === 'proxy' && openBootServer === undefined && !isHeardByOthers) {
    problems.push({ path: 'mode', problem: 'proxy needs the boot server’s port too; give openBootServer' });
  }
  if (checked.kind === 'link' && problems.length === 0) return checked.link;
  throw wrongLink(problems);
}

function wrongLink(problems: readonly FieldProblem[]): LpmosError {
  return new LpmosError({
    code: 'invalid_argument',
    message: `The DHCP link is wrong: ${problems.map((entry) => `${entry.path} ${entry.problem}`).join('; ')}`,
    fields: problems,
  });
}

interface PortLife {
  readonly options: DhcpServerOptions;
  readonly emit: BootEventListener;
  readonly handler: PacketHandler;
}

function portLife(life: PortLife): Pick<DhcpServer, 'start' | 'stop' | 'bootServer'> {
  const opened: DatagramPort[] = [];
  let leave: (() => void) | undefined;
  let starting: Promise<Endpoint> | undefined;
  let bootServer: DatagramPort | undefined;
  const close = async (): Promise<void> => {
    leave?.();
    await Promise.all(opened.splice(0).map((port) => port.close()));
  };
  const open = async (inlet: Inlet, opener: OpenPort): Promise<DatagramPort> => {
    const port = await opener();
    opened.push(port);
    port.listen({
      onDatagram: (bytes, from) => life.handler.onDatagram(inlet, port, bytes, from),
      onError: (error) =>
        inlet === 'client-port' ? life.emit(deafTo(error)) : life.options.onFailure?.(error),
    });
    return port;
  };
  const startAll = async (): Promise<Endpoint> => {
    const { options } = life;
    const { link } = options;
    try {
      // The boot server first: an OFFER may send clients there.
      if (options.openBootServer !== undefined)
        bootServer = await open('boot-server', options.openBootServer);
      if (options.openClientPort !== undefined) await listenForOthers(life, open, options.openClientPort);
      const here = { address: link.serverAddress, port: link.ports.server };
      const local = options.open === undefined ? here : (await open('dhcp', options.open)).local;
      leave = options.group?.join(life.handler.member);
      return local;
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

/**
 * A record of the future was written while the clock was ahead (a drained battery, a clock in local time) and before a time server set it
 * right: it counts from now, or its address would be nobody else's until that future.
 */
function begunByNow(lease: Lease, nowMs: number): Lease {
  const aheadMs = lease.sinceMs - nowMs;
  return aheadMs <= 0 ? lease : { ...lease, sinceMs: nowMs, expiresAtMs: lease.expiresAtMs - aheadMs };
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
