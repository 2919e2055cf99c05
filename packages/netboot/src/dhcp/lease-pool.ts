/**
 * Which address a machine may have: pure rules over a link and a view of the lease table.
 * Identity is the MAC and nothing else: firmware, iPXE and the system send different client identifiers and must get one address,
 * and vendors ship equal UUIDs. The first choice is a hash of the MAC, so a daemon that lost its leases offers the same again.
 * What two daemons that share a pool may do is shared-pool.ts.
 * Invariant: an address that a live lease or offer of somebody else names is never the answer, whatever was asked for, and one in quarantine
 * is that for nobody but who has it already.
 */
import type { MacAddress } from '@lpmos/core';
import { formatIpv4, readIpv4 } from './ipv4';
import type { Lease, LeaseView } from './lease-table';
import type { LinkPlan } from './link';
import { isPoolAddress } from './pool-index';
import type { Sharing } from './shared-pool';
import { isOwnShare } from './shared-pool';

export interface Claim {
  readonly mac: MacAddress;
  readonly nowMs: number;
  /** On a link with a partner. */
  readonly sharing?: Sharing | undefined;
}

/** True when the address is one that this machine may hold on this link, whoever has it now. */
export function mayHold(plan: LinkPlan, leases: LeaseView, claim: Claim, address: number): boolean {
  const reservation = plan.reservationOf.get(claim.mac);
  if (reservation?.number === address) return true;
  // A machine with a reservation lives in the pool only while somebody else sits on its address.
  if (reservation !== undefined && isFree(leases, claim, reservation.number)) return false;
  if (!isPoolAddress(plan, address)) return false;
  if (isOwnShare(plan, address)) return true;
  const held = leases.ofMac(claim.mac);
  return held?.address === formatIpv4(address) && held.expiresAtMs > claim.nowMs;
}

/** True when the machine may hold the address and nobody else does. */
export function canGrant(plan: LinkPlan, leases: LeaseView, claim: Claim, address: number): boolean {
  return mayHold(plan, leases, claim, address) && isFree(leases, claim, address);
}

/**
 * True for a machine that has the address already, as its renewal says, although we may have forgotten it: also in quarantine. Somebody else
 * was given the address meanwhile and found this machine's use of it, or the machine itself, that had declined it, got it from another server.
 */
export function canKeep(plan: LinkPlan, leases: LeaseView, claim: Claim, address: number): boolean {
  const isQuarantined = leases.ofAddress(address)?.state === 'declined';
  return mayHold(plan, leases, claim, address) && (isQuarantined || isFree(leases, claim, address));
}

/** The address to offer, or undefined when there is none. `requested` (option 50) is a wish. */
export function chooseAddress(
  plan: LinkPlan,
  leases: LeaseView,
  claim: Claim,
  requested?: number,
): number | undefined {
  const reservation = plan.reservationOf.get(claim.mac);
  if (reservation !== undefined && isFree(leases, claim, reservation.number)) return reservation.number;
  const held = heldAddress(plan, leases, claim);
  if (held !== undefined) return held;
  if (requested !== undefined && canGrant(plan, leases, claim, requested)) return requested;
  return leases.searchPool(hashOf(claim.mac), endedBefore(claim));
}

/** How long a lease of the address may last at the most, in seconds: only the other daemon's share has a limit, while we are cut off. */
export function longestLease(plan: LinkPlan, leases: LeaseView, claim: Claim, address: string): number {
  const number = readIpv4(address);
  const isOurs = number === undefined || isOwnShare(plan, number) || plan.reservedFor.has(number);
  const held = leases.ofMac(claim.mac);
  if (claim.sharing?.cutOff !== true || isOurs || held === undefined) return Infinity;
  return Math.max(1, Math.floor((held.expiresAtMs - claim.nowMs) / 1000));
}

/** What the machine has or had, as long as it may have it again. */
function heldAddress(plan: LinkPlan, leases: LeaseView, claim: Claim): number | undefined {
  const lease = leases.ofMac(claim.mac);
  if (lease === undefined) return undefined;
  const address = addressNumber(lease);
  return canGrant(plan, leases, claim, address) ? address : undefined;
}

function isFree(leases: LeaseView, claim: Claim, address: number): boolean {
  const lease = leases.ofAddress(address);
  if (lease === undefined) return true;
  if (lease.expiresAtMs <= endedBefore(claim)) return true;
  return lease.mac === claim.mac && lease.state !== 'declined';
}

function endedBefore({ nowMs, sharing }: Claim): number {
  return sharing?.reuseEndedBeforeMs ?? nowMs;
}

function addressNumber(lease: Lease): number {
  return lease.address.split('.').reduce((number, octet) => number * 256 + Number(octet), 0);
}

/** FNV-1a: spreads neighbouring MACs, and is the same in every process. */
function hashOf(mac: MacAddress): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < mac.length; index += 1) {
    hash = Math.imul(hash ^ mac.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash;
}
