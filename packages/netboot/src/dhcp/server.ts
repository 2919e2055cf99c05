/**
 * The thin shell of the DHCP server: receive, decode, admit, ask, respond, apply, send. Every step but the last is a pure function elsewhere.
 * Nothing thrown leaves the boundary of one packet, no packet is queued (the kernel's buffer is the queue) and replies in flight are bounded.
 * The answer never waits: the region decides from memory, and persisting a lease is the listener's business, behind the answer.
 */
import type { Clock, MacAddress } from '@lpmos/core';
import { LpmosError } from '@lpmos/core';
import type { BootDecider } from '../boot-decider';
import type { BootEvent, BootEventListener } from '../boot-event';
import type { AdmittedRequest } from './admit';
import { admit } from './admit';
import type { DatagramPort, Endpoint } from './datagram-port';
import { encodePacket } from './encode-packet';
import { isHostOf, readIpv4 } from './ipv4';
import type { Lease } from './lease-table';
import { LeaseTable } from './lease-table';
import type { DhcpLink, LinkPlan } from './link';
import { planLink } from './link';
import { decodePacket } from './packet';
import { parseDhcpLink } from './parse-link';
import type { DhcpResponse } from './respond';
import { respond } from './respond';

export interface DhcpServerOptions {
  readonly link: DhcpLink;
  readonly decider: BootDecider;
  readonly clock: Clock;
  /** Opens the port; see openUdpSocket. */
  readonly open: () => Promise<DatagramPort>;
  readonly onEvent: BootEventListener;
  /** What an earlier run knew. Records that do not fit the link are left out with an event. */
  readonly initialLeases?: readonly Lease[];
  /** Called for bound, released and declined leases (an offer is not worth keeping); must not block. */
  readonly onLease?: (lease: Lease) => void;
  /** The socket broke and the server serves nobody any more. */
  readonly onFailure?: (error: Error) => void;
}

export interface DhcpServer {
  /** @returns where it listens. @throws LpmosError `unavailable`, `invalid_argument` or, when started twice, `internal`. */
  start(): Promise<Endpoint>;
  /** Safe to call twice and before start. */
  stop(): Promise<void>;
  /** Every record, expired ones included. */
  leases(): readonly Lease[];
  leaseOf(mac: MacAddress): Lease | undefined;
}

/** Replies that the system has not taken yet; more are dropped, and the clients ask again. */
const MAX_REPLIES_IN_FLIGHT = 1024;

/** @throws LpmosError `invalid_argument` with every problem of the link. */
export function createDhcpServer(options: DhcpServerOptions): DhcpServer {
  const checked = parseDhcpLink(options.link);
  if (checked.kind === 'problems') {
    throw new LpmosError({
      code: 'invalid_argument',
      message: `The DHCP link is wrong: ${checked.problems.map((entry) => `${entry.path} ${entry.problem}`).join('; ')}`,
      fields: checked.problems,
    });
  }
  const plan = planLink(checked.link);
  const table = new LeaseTable(plan);
  const emit = guarded(options.onEvent);
  for (const lease of options.initialLeases ?? []) {
    if (!isOnLink(plan, lease) || !table.apply(lease)) emit(storedLeaseRefused(lease));
  }
  const port = portLife({ ...options, onDatagram: packetHandler({ options, plan, table, emit }) });
  return {
    start: port.start,
    stop: port.stop,
    leases: () => table.all(),
    leaseOf: (mac) => table.ofMac(mac),
  };
}

interface Shell {
  readonly options: DhcpServerOptions;
  readonly plan: LinkPlan;
  readonly table: LeaseTable;
  readonly emit: BootEventListener;
}

type PacketHandler = (port: DatagramPort, bytes: Uint8Array, from: Endpoint) => void;

function packetHandler(shell: Shell): PacketHandler {
  const { options, emit } = shell;
  // Lease times are epoch times that survive a restart, on a clock that no time server can step.
  const epochMs = options.clock.nowMs() - options.clock.monotonicMs();
  const flight = { replies: 0 };
  return (port, bytes, from) => {
    try {
      handle(shell, { port, bytes, from, flight, nowMs: epochMs + options.clock.monotonicMs() });
    } catch (thrown) {
      emit(
        event(from, { request: 'DHCP', outcome: 'failed', reason: `internal fault: ${describe(thrown)}` }),
      );
    }
  };
}

interface Arrival {
  readonly port: DatagramPort;
  readonly bytes: Uint8Array;
  readonly from: Endpoint;
  readonly flight: { replies: number };
  readonly nowMs: number;
}

function handle(shell: Shell, arrival: Arrival): void {
  const { options, plan, table, emit } = shell;
  const { from, nowMs } = arrival;
  const decoded = decodePacket(arrival.bytes);
  if (decoded.kind === 'malformed') {
    const reason = `malformed at byte ${decoded.offset}: ${decoded.problem}`;
    return emit(event(from, { request: 'malformed DHCP datagram', outcome: 'ignored', reason }));
  }
  const admission = admit(decoded.packet, plan);
  if (admission.kind === 'ignored') {
    const { mac, reason, type = 'DHCP' } = admission;
    return emit(
      event(from, { request: type, outcome: 'ignored', reason, ...(mac === undefined ? {} : { mac }) }),
    );
  }
  const { request } = admission;
  const decision = options.decider.decide(request.mac);
  const response = respond({ request, plan, decision, leases: table, nowMs });
  if (!applyLease(shell, response)) {
    return emit(event(from, { ...about(request), outcome: 'refused', reason: 'the lease table is full' }));
  }
  if (response.kind === 'reply') sendReply(shell, arrival, request, response);
  const outcome =
    response.kind === 'reply' ? (response.type === 'DHCPNAK' ? 'refused' : 'answered') : silence(response);
  emit(event(from, { ...about(request), decision, outcome, reason: response.reason }));
  if (response.kind === 'reply' && response.fault !== undefined) {
    emit(event(from, { ...about(request), decision, outcome: 'refused', reason: response.fault }));
  }
}

function silence(response: { readonly refused: boolean }): 'refused' | 'ignored' {
  return response.refused ? 'refused' : 'ignored';
}

/** Before the reply leaves, so that the next packet already sees it. */
function applyLease({ table, options }: Shell, { lease }: DhcpResponse): boolean {
  if (lease === undefined) return true;
  if (!table.apply(lease)) return false;
  if (lease.state !== 'offered') options.onLease?.(lease);
  return true;
}

type Reply = Extract<DhcpResponse, { kind: 'reply' }>;

function sendReply(
  { emit }: Shell,
  { port, from, flight }: Arrival,
  request: AdmittedRequest,
  reply: Reply,
): void {
  const report = (outcome: 'failed' | 'refused', reason: string): void =>
    emit(event(from, { ...about(request), outcome, reason }));
  if (flight.replies >= MAX_REPLIES_IN_FLIGHT) {
    return report('failed', `${MAX_REPLIES_IN_FLIGHT} replies wait for the network: this one is dropped`);
  }
  const frame = encoded(reply);
  if (typeof frame === 'string') return report('refused', `${reply.type} was not sent: ${frame}`);
  flight.replies += 1;
  port
    .send(frame, reply.to)
    .catch((thrown: unknown) =>
      report('failed', `${reply.type} to ${reply.to.address} was not sent: ${describe(thrown)}`),
    )
    .finally(() => {
      flight.replies -= 1;
    });
}

/** A request can carry more to be echoed (options 61, 82 and 97) than its own option 57 leaves room for. */
function encoded(reply: Reply): Uint8Array | string {
  try {
    return encodePacket(reply.packet, { maxBytes: reply.maxBytes });
  } catch (thrown) {
    if (thrown instanceof RangeError) return thrown.message;
    throw thrown;
  }
}

interface PortLife {
  readonly open: () => Promise<DatagramPort>;
  readonly onDatagram: PacketHandler;
  readonly onFailure?: (error: Error) => void;
}

function portLife({ open, onDatagram, onFailure }: PortLife): Pick<DhcpServer, 'start' | 'stop'> {
  let opening: Promise<DatagramPort> | undefined;
  return {
    start: async () => {
      if (opening !== undefined) {
        throw new LpmosError({
          code: 'internal',
          message: 'The DHCP server was started twice; make a new one',
        });
      }
      opening = open();
      const port = await opening;
      port.listen({
        onDatagram: (bytes, from) => onDatagram(port, bytes, from),
        onError: (error) => onFailure?.(error),
      });
      return port.local;
    },
    stop: async () => {
      const port = await opening?.catch(() => undefined);
      await port?.close();
    },
  };
}

function about(request: AdmittedRequest): Pick<BootEvent, 'mac' | 'request' | 'stage'> {
  return { mac: request.mac, request: request.type, stage: request.client.stage };
}

function event(from: Endpoint, rest: Omit<BootEvent, 'protocol' | 'peer'>): BootEvent {
  return { protocol: 'dhcp', peer: from.address, ...rest };
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

function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message.slice(0, 200) : 'unknown';
}
