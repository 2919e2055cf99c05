/**
 * The DHCP server as one pure function: (request, link, decision, leases, now) -> what to send, where, and what changes, or silence with its reason.
 * Sends nothing and changes nothing; packet-handler.ts does both. RFC 2131 section 4.3; proxyDHCP is respond-proxy.ts.
 * Idempotent: the same request answered twice yields the same address, because a retransmission cannot be told from a new try.
 * Silence is an answer: whatever another server might own is left to it.
 */
import type { BootDecision } from '@lpmos/core';
import type { AdmittedRequest } from './admit';
import type { BootAnswer } from './boot-data';
import { bootData } from './boot-data';
import type { Endpoint } from './datagram-port';
import { NO_ADDRESS, formatIpv4, isHostOf, readIpv4 } from './ipv4';
import type { Claim } from './lease-pool';
import { canGrant, canKeep, chooseAddress, longestLease } from './lease-pool';
import type { Lease, LeaseView } from './lease-table';
import type { LinkPlan } from './link';
import type { MessageTypeName } from './option-codes';
import { OPTION } from './option-codes';
import { readU32 } from './options';
import type { DhcpPacket } from './packet';
import { isPoolAddress } from './pool-index';
import type { ReplyType } from './reply';
import { buildReply } from './reply';
import { routeReply } from './route-reply';
import type { Sharing } from './shared-pool';
import { declinedLease, endedLease, isOwnShare } from './shared-pool';

export interface RespondInput {
  readonly request: AdmittedRequest;
  readonly plan: LinkPlan;
  readonly decision: BootDecision;
  readonly leases: LeaseView;
  /** Milliseconds since the epoch on a clock that does not step. */
  readonly nowMs: number;
  /** On a link with a partner; see sharingOf. */
  readonly sharing?: Sharing | undefined;
}

export type DhcpResponse =
  | {
      readonly kind: 'reply';
      readonly type: ReplyType;
      readonly packet: DhcpPacket;
      readonly maxBytes: number;
      readonly to: Endpoint;
      readonly lease?: Lease;
      readonly reason: string;
      /** The machine should boot from us and cannot. */
      readonly fault?: string;
    }
  | {
      readonly kind: 'ignored';
      readonly reason: string;
      readonly lease?: Lease;
      /** True when a machine that is ours goes without: somebody has to look. */
      readonly refused: boolean;
    };

/** How long an address that a client found in use rests. Long enough for a person to look, short enough to heal by itself. */
const QUARANTINE_MS = 10 * 60_000;
/** A client may ask for a shorter lease than the link gives, but not for one that makes it renew all the time. */
const SHORTEST_LEASE_SECONDS = 60;

type Handler = (input: RespondInput) => DhcpResponse;

const HANDLERS: Readonly<Partial<Record<MessageTypeName, Handler>>> = {
  DHCPDISCOVER: onDiscover,
  DHCPREQUEST: onRequest,
  DHCPDECLINE: onDecline,
  DHCPRELEASE: onRelease,
  DHCPINFORM: onInform,
};

export function respond(input: RespondInput): DhcpResponse {
  const handler = HANDLERS[input.request.type];
  if (handler === undefined) return ignored(`${input.request.type} is not for servers`);
  if (isStranger(input))
    return ignored(`not ours, and the link ignores unknown clients: ${input.decision.reason}`);
  return handler(input);
}

/** A reservation makes a machine known to the link even when no task and no assignment names it. */
function isStranger({ decision, plan, request }: RespondInput): boolean {
  return (
    decision.kind === 'silent' &&
    plan.link.unknownClients === 'ignore' &&
    !plan.reservationOf.has(request.mac)
  );
}

function onDiscover(input: RespondInput): DhcpResponse {
  const { request, plan, leases, nowMs } = input;
  const wish = request.requestedAddress === undefined ? undefined : readIpv4(request.requestedAddress);
  const number = chooseAddress(plan, leases, claimOf(input), wish);
  if (number === undefined) return ignored(`no free address on link ${plan.link.name}`, { refused: true });
  const address = formatIpv4(number);
  const held = leases.ofMac(request.mac);
  const keepsLease = held?.state === 'bound' && held.address === address && held.expiresAtMs > nowMs;
  const offer = leaseOf(input, address, 'offered', plan.link.offerSeconds);
  return grant(input, 'DHCPOFFER', address, keepsLease ? undefined : offer);
}

function onRequest(input: RespondInput): DhcpResponse {
  const { request } = input;
  if (request.packet.ciaddr !== NO_ADDRESS) return onRenew(input, request.packet.ciaddr);
  if (request.requestedAddress === undefined) return ignored('a request that names no address');
  if (request.chosenServer !== undefined)
    return onSelect(input, request.requestedAddress, request.chosenServer);
  return onReboot(input, request.requestedAddress);
}

/** SELECTING: the client chose one of the offers. */
function onSelect(input: RespondInput, address: string, chosenServer: string): DhcpResponse {
  const { request, plan, leases } = input;
  if (chosenServer !== request.serverIdentifier) {
    const held = leases.ofMac(request.mac);
    const reason = `the client chose server ${chosenServer}`;
    if (held?.state !== 'offered') return ignored(reason);
    return ignored(`${reason}; ${held.address} is free again`, {
      lease: endedLease(plan, held, input.nowMs),
    });
  }
  if (isGrantable(input, address)) return bind(input, address);
  return refuse(input, `${address} is not yours to take`);
}

/** INIT-REBOOT: the client wants its old address back. Whom we do not know may belong to another server: silence. */
function onReboot(input: RespondInput, address: string): DhcpResponse {
  const { request, plan, leases } = input;
  if (!isKnown(input)) {
    return ignored('an unknown client asks for an old address; another server may know it');
  }
  const held = leases.ofMac(request.mac);
  const reserved = plan.reservationOf.get(request.mac);
  const isItsOwn = held?.address === address || reserved?.address === address;
  if (isItsOwn && isGrantable(input, address)) return bind(input, address);
  if (isOursToRefuse(input, address)) return refuse(input, `${address} is not your address on this link`);
  return ignored(`${address} is not ours to give or to refuse; another server of the link may have given it`);
}

/**
 * RENEWING and REBINDING cannot be told apart here, for the socket does not say how a datagram was addressed.
 * An address of ours that nobody holds is taken up again: the client has it, and this daemon may have lost its table.
 */
function onRenew(input: RespondInput, address: string): DhcpResponse {
  const { request, plan, leases, nowMs } = input;
  if (request.chosenServer !== undefined && request.chosenServer !== request.serverIdentifier) {
    return ignored(`the client renews with server ${request.chosenServer}`);
  }
  const held = leases.ofMac(request.mac);
  const hasAnother = held?.state === 'bound' && held.address !== address && held.expiresAtMs > nowMs;
  const number = readIpv4(address);
  const mayGoOn = number !== undefined && canKeep(plan, leases, claimOf(input), number);
  if (!hasAnother && mayGoOn) return bind(input, address);
  if (isOursToRefuse(input, address)) return refuse(input, `${address} is not your address on this link`);
  return ignored('a client renews an address that is not ours to give or to refuse');
}

function isKnown({ request, plan, leases }: RespondInput): boolean {
  return leases.ofMac(request.mac) !== undefined || plan.reservationOf.has(request.mac);
}

/**
 * What lies in the subnet beside our pool may be another server's, also when the client was ours once: two daemons that share a link by
 * halves of its pool hear each other's clients rebind, and a refusal would take a good lease from a running machine.
 */
function isOursToRefuse(input: RespondInput, address: string): boolean {
  const { request, plan, leases } = input;
  const number = readIpv4(address);
  if (number === undefined) return false;
  if (plan.reservedFor.has(number)) return true;
  if (isPoolAddress(plan, number)) return isOwnShare(plan, number);
  if (!isKnown(input)) return false;
  const wasGivenByUs = leases.ofMac(request.mac)?.address === address;
  return wasGivenByUs || plan.excluded.has(number) || !isHostOf(plan.subnet, number);
}

function onDecline(input: RespondInput): DhcpResponse {
  const { request, plan, leases, nowMs } = input;
  const held = leases.ofMac(request.mac);
  if (isForAnother(request)) return ignored(`the client declines an offer of ${request.chosenServer}`);
  if (held === undefined || held.address !== request.requestedAddress) {
    return ignored('a client declines an address that it does not have');
  }
  const lease = declinedLease(plan, held, { nowMs, untilMs: nowMs + QUARANTINE_MS });
  return ignored(`${held.address} is used by somebody else, says the client: quarantined`, {
    lease,
    refused: true,
  });
}

/** Only the holder may give an address back, so that nobody can free what others use. */
function onRelease(input: RespondInput): DhcpResponse {
  const { request, plan, leases, nowMs } = input;
  const held = leases.ofMac(request.mac);
  if (isForAnother(request)) return ignored(`the client releases a lease of ${request.chosenServer}`);
  if (held === undefined || held.address !== request.packet.ciaddr) {
    return ignored('a client releases an address that it does not have');
  }
  return ignored(`${held.address} was released`, { lease: endedLease(plan, held, nowMs) });
}

/** The client has an address from elsewhere and wants the parameters (RFC 2131 section 4.3.5). */
function onInform(input: RespondInput): DhcpResponse {
  const { request, plan } = input;
  const number = readIpv4(request.packet.ciaddr);
  // An answer to any address in the world would make us a mirror for floods.
  if (number === undefined || !isHostOf(plan.subnet, number) || number === plan.serverAddress) {
    return ignored(
      `DHCPINFORM from ${request.packet.ciaddr}, which is no client address of ${plan.link.subnet}`,
    );
  }
  return grant(input, 'DHCPACK', undefined, undefined);
}

function isForAnother(request: AdmittedRequest): boolean {
  return request.chosenServer !== undefined && request.chosenServer !== request.serverIdentifier;
}

function isGrantable(input: RespondInput, address: string): boolean {
  const number = readIpv4(address);
  return number !== undefined && canGrant(input.plan, input.leases, claimOf(input), number);
}

function bind(input: RespondInput, address: string): DhcpResponse {
  return grant(input, 'DHCPACK', address, leaseOf(input, address, 'bound', leaseSeconds(input, address)));
}

function grant(input: RespondInput, type: ReplyType, yiaddr?: string, lease?: Lease): DhcpResponse {
  const { request, plan, decision } = input;
  const boot = bootData({
    mac: request.mac,
    client: request.client,
    decision,
    sources: plan.link.boot,
    options: request.packet.options,
  });
  const hostname = plan.reservationOf.get(request.mac)?.hostname;
  const { packet, maxBytes } = buildReply({
    type,
    request,
    plan,
    ...(yiaddr === undefined ? {} : { yiaddr, leaseSeconds: leaseSeconds(input, yiaddr) }),
    ...(hostname === undefined ? {} : { hostname }),
    ...(boot.kind === 'boot' ? { boot: boot.data } : {}),
  });
  return {
    kind: 'reply',
    type,
    packet,
    maxBytes,
    to: routeReply({ request: request.packet, reply: type, link: plan.link }),
    ...(lease === undefined ? {} : { lease }),
    reason: `${type} ${yiaddr ?? request.packet.ciaddr}, ${describeBoot(boot)}: ${decision.reason}`,
    ...(boot.kind === 'none' && boot.fault ? { fault: boot.reason } : {}),
  };
}

function describeBoot(boot: BootAnswer): string {
  return boot.kind === 'boot' ? boot.data.what : boot.reason;
}

function refuse(input: RespondInput, message: string): DhcpResponse {
  const { request, plan } = input;
  const type = 'DHCPNAK';
  const { packet, maxBytes } = buildReply({ type, request, plan, message });
  const to = routeReply({ request: request.packet, reply: type, link: plan.link });
  return { kind: 'reply', type, packet, maxBytes, to, reason: `DHCPNAK: ${message}` };
}

function leaseSeconds(input: RespondInput, address: string): number {
  const { request, plan, leases } = input;
  const granted = plan.link.leaseSeconds;
  const asked = readU32(request.packet.options, OPTION.leaseTime) ?? granted;
  const seconds = Math.min(granted, Math.max(asked, SHORTEST_LEASE_SECONDS));
  return Math.min(seconds, longestLease(plan, leases, claimOf(input), address));
}

function leaseOf(input: RespondInput, address: string, state: 'offered' | 'bound', seconds: number): Lease {
  const hostname = input.plan.reservationOf.get(input.request.mac)?.hostname;
  return {
    mac: input.request.mac,
    address,
    state,
    sinceMs: input.nowMs,
    expiresAtMs: input.nowMs + seconds * 1000,
    ...(hostname === undefined ? {} : { hostname }),
  };
}

function claimOf({ request, nowMs, sharing }: RespondInput): Claim {
  return { mac: request.mac, nowMs, sharing };
}

function ignored(
  reason: string,
  extra: { readonly lease?: Lease; readonly refused?: boolean } = {},
): DhcpResponse {
  return {
    kind: 'ignored',
    reason,
    refused: extra.refused ?? false,
    ...(extra.lease === undefined ? {} : { lease: extra.lease }),
  };
}
