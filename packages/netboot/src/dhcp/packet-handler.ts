/**
 * One datagram from its bytes to its answer: decode, admit, ask the region, decide, apply, send, report. The imperative shell around
 * pure functions, which are all elsewhere; server.ts owns ports and life.
 * Nothing thrown leaves the boundary of one packet, no packet is queued (the kernel's buffer is the queue) and replies in flight are bounded.
 * The answer never waits: the region decides from memory, and persisting a lease is the listener's business, behind the answer.
 */
import type { BootDecider } from '../boot-decider';
import type { BootEvent, BootEventListener } from '../boot-event';
import type { AdmittedRequest } from './admit';
import { admit } from './admit';
import type { DatagramPort, Endpoint, Inlet } from './datagram-port';
import { encodePacket } from './encode-packet';
import { createForeignServerWatch, describeForeignReply, foreignReply } from './foreign-servers';
import type { ForeignServerWatch } from './foreign-servers';
import type { Lease, LeaseTable } from './lease-table';
import type { LinkPlan } from './link';
import type { Arrival, LinkGroup, LinkMember } from './link-group';
import { neighbourMac } from './neighbour-mac';
import type { DhcpPacket } from './packet';
import { decodePacket } from './packet';
import type { DhcpResponse, RespondInput } from './respond';
import { respond } from './respond';
import { respondProxy } from './respond-proxy';
import { sharingOf } from './shared-pool';

/** What a link is at the moment: replaced as a whole when its settings change. */
export interface LinkState {
  readonly plan: LinkPlan;
  readonly table: LeaseTable;
}

export interface PacketHandlerOptions {
  readonly state: () => LinkState;
  /** The links of the daemon, among which a relay may choose; without it this link is alone. */
  readonly group?: LinkGroup;
  readonly decider: BootDecider;
  /** Of leases: milliseconds since the epoch on a clock that does not step. */
  readonly nowMs: () => number;
  readonly emit: BootEventListener;
  readonly onLease?: (lease: Lease) => void;
  /** Whether this daemon leads its region now; without it, it always does. */
  readonly leads?: () => boolean;
}

export interface PacketHandler {
  readonly onDatagram: (inlet: Inlet, port: DatagramPort, bytes: Uint8Array, from: Endpoint) => void;
  /** This link as one of a group. */
  readonly member: LinkMember;
}

/** Replies that the system has not taken yet; more are dropped, and the clients ask again. */
const MAX_REPLIES_IN_FLIGHT = 1024;

interface Shell extends LinkState, Omit<PacketHandlerOptions, 'state' | 'nowMs'> {
  readonly servesSinceMs: number;
  readonly foreign: ForeignServerWatch;
  readonly flight: { replies: number };
}

export function packetHandler(options: PacketHandlerOptions): PacketHandler {
  const { emit } = options;
  const own = {
    foreign: createForeignServerWatch(),
    flight: { replies: 0 },
    servesSinceMs: options.nowMs(),
  };
  let shell: Shell = { ...options, ...options.state(), ...own };
  const current = (): Shell => {
    const { plan, table } = options.state();
    if (plan !== shell.plan || table !== shell.table) shell = { ...shell, plan, table };
    return shell;
  };
  const member: LinkMember = {
    plan: () => options.state().plan,
    serve: (arrival, packet) => serve(current(), arrival, packet),
  };
  return {
    member,
    onDatagram: (inlet, port, bytes, from) => {
      try {
        handle(current(), { inlet, port, bytes, from, nowMs: options.nowMs() });
      } catch (thrown) {
        emit(
          event(from, { request: 'DHCP', outcome: 'failed', reason: `internal fault: ${describe(thrown)}` }),
        );
      }
    },
  };
}

function handle(shell: Shell, arrival: Arrival): void {
  const { plan, emit } = shell;
  const { from, inlet } = arrival;
  // Our own broadcasts come back to the clients' port of this host, one for each answer: not worth decoding.
  if (inlet === 'client-port' && from.address === plan.link.serverAddress) return;
  const decoded = decodePacket(arrival.bytes);
  if (decoded.kind === 'malformed') {
    const reason = `malformed at byte ${decoded.offset}: ${decoded.problem}`;
    return emit(event(from, { request: 'malformed DHCP datagram', outcome: 'ignored', reason }));
  }
  noteForeignServer(shell, arrival, decoded.packet);
  if (inlet === 'client-port') return;
  const home = shell.group?.find(plan, arrival, decoded.packet);
  if (home === undefined) return serve(shell, arrival, decoded.packet);
  if (home.problem === undefined) return home.member.serve(arrival, decoded.packet);
  emit(event(from, { request: 'DHCP', outcome: 'ignored', reason: home.problem }));
}

function serve(shell: Shell, arrival: Arrival, packet: DhcpPacket): void {
  const { plan, emit } = shell;
  const { from } = arrival;
  const admission = admit(packet, plan);
  if (admission.kind === 'ignored') {
    const { mac, reason, type = 'DHCP' } = admission;
    return emit(
      event(from, { request: type, outcome: 'ignored', reason, ...(mac === undefined ? {} : { mac }) }),
    );
  }
  answer(shell, arrival, admission.request);
}

function answer(shell: Shell, arrival: Arrival, request: AdmittedRequest): void {
  const { plan, emit, decider } = shell;
  const { from } = arrival;
  const decision = decider.decide(request.mac);
  const { nowMs } = arrival;
  const sharing = sharingOf(plan, {
    leads: shell.leads ?? alwaysLeads,
    servesSinceMs: shell.servesSinceMs,
    nowMs,
  });
  const input = { request, plan, decision, leases: shell.table, nowMs, sharing };
  const response = decideResponse(arrival, input);
  if (!applyLease(shell, response)) {
    return emit(event(from, { ...about(request), outcome: 'refused', reason: 'the lease table is full' }));
  }
  if (plan.mode === 'observe') {
    const reason = observed(arrival, input, response);
    return emit(event(from, { ...about(request), decision, outcome: 'ignored', reason }));
  }
  if (response.kind === 'reply') sendReply(shell, arrival, request, response);
  emit(event(from, { ...about(request), decision, outcome: outcomeOf(response), reason: response.reason }));
  if (response.kind === 'reply' && response.fault !== undefined) {
    emit(event(from, { ...about(request), decision, outcome: 'refused', reason: response.fault }));
  }
}

const alwaysLeads = (): boolean => true;

/** The boot server's port is one in all modes: firmware that our own OFFER names as a PXE server may ask there as well. */
function decideResponse({ inlet, from }: Arrival, input: RespondInput): DhcpResponse {
  if (inlet === 'boot-server') return respondProxy({ ...input, port: 'boot-server', from });
  return input.plan.mode === 'proxy' ? respondProxy({ ...input, port: 'dhcp', from }) : respond(input);
}

/** What either mode would have said, for who has to choose one. */
function observed({ inlet, from }: Arrival, input: RespondInput, response: DhcpResponse): string {
  const would = (of: DhcpResponse): string => (of.kind === 'reply' ? `would send ${of.reason}` : of.reason);
  if (inlet === 'boot-server' || input.request.client.method === undefined) {
    return `observed: ${would(response)}`;
  }
  const asProxy = respondProxy({ ...input, port: 'dhcp', from });
  return `observed: as server ${would(response)}; as proxy ${would(asProxy)}`;
}

function outcomeOf(response: DhcpResponse): BootEvent['outcome'] {
  if (response.kind === 'reply') return response.type === 'DHCPNAK' ? 'refused' : 'answered';
  return response.refused ? 'refused' : 'ignored';
}

/** Before the reply leaves, so that the next packet already sees it. An observer remembers for itself and keeps nothing. */
function applyLease({ table, plan, onLease }: Shell, { lease }: DhcpResponse): boolean {
  if (lease === undefined) return true;
  if (!table.apply(lease)) return false;
  if (lease.state !== 'offered' && plan.mode !== 'observe') onLease?.(lease);
  return true;
}

type Reply = Extract<DhcpResponse, { kind: 'reply' }>;

function sendReply(
  { emit, flight }: Shell,
  { port, from }: Arrival,
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

function noteForeignServer(shell: Shell, { from, nowMs }: Arrival, packet: DhcpPacket): void {
  const { plan, emit, foreign } = shell;
  const reply = foreignReply(packet, from, plan);
  if (reply === undefined || !foreign.isNews(reply, nowMs)) return;
  // The neighbour table is a file; the look-up is rare (see isNews) and never fails.
  void neighbourMac(reply.sender).then((mac) =>
    emit(
      event(from, {
        ...(reply.client === undefined ? {} : { mac: reply.client }),
        request: `${reply.type} of another server`,
        outcome: 'failed',
        reason: describeForeignReply(reply, plan, mac),
      }),
    ),
  );
}

function about(request: AdmittedRequest): Pick<BootEvent, 'mac' | 'request' | 'stage'> {
  return { mac: request.mac, request: request.type, stage: request.client.stage };
}

function event(from: Endpoint, rest: Omit<BootEvent, 'protocol' | 'peer'>): BootEvent {
  return { protocol: 'dhcp', peer: from.address, ...rest };
}

function describe(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message.slice(0, 200) : 'unknown';
}
