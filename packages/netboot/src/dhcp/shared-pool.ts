/**
 * A pool that two daemons share: one leads and copies its leases behind its answers, the other takes over, and a leader that loses the store
 * goes on answering while the other leads. What each knows of the other's leases is old by then. Pure rules, held against a model of both
 * in two-daemons.test.ts; without a partner none of them has any effect.
 *
 * - A new client gets an address of the daemon's own share: even or odd. Whatever one gives, the other never gives.
 * - A client that is known to have an address of the other share keeps it while its lease lasts; only who leads makes the lease longer.
 * - An address goes from one client to another only while the daemon leads, and later than any copy of the old lease says; and after
 *   taking over not before every lease is over that the former leader may have renewed without a copy.
 * - Nothing is forgotten and nothing ends early: an address that was given back is its client's until the lease is over, and then one
 *   whose lease is over, not one that nobody had.
 */
import type { Lease } from './lease-table';
import type { LinkPlan } from './link';

/** What the moment allows a daemon that shares its pool. */
export interface Sharing {
  /** The partner may lead by now. */
  readonly cutOff: boolean;
  /** Milliseconds since the epoch: an address whose lease ended before may go to another client. */
  readonly reuseEndedBeforeMs: number;
}

/**
 * How much longer than its lease a copy lasts, as a part of the lease. A machine that boots asks for its address four times in a few minutes,
 * and then renews half-way: without the slack each of these would be a write.
 */
export const COPY_SLACK = 1 / 8;

/** Whether an address of the pool is one that we give to new clients, and not the daemon that stands by for us. */
export function isOwnShare({ poolShare }: LinkPlan, address: number): boolean {
  return poolShare === 'all' || (address % 2 === 0) === (poolShare === 'even');
}

/** @returns undefined on a link without a partner */
export function sharingOf(
  { link, poolShare }: LinkPlan,
  at: { readonly leads: () => boolean; readonly servesSinceMs: number; readonly nowMs: number },
): Sharing | undefined {
  if (poolShare === 'all') return undefined;
  const longestMs = link.leaseSeconds * 1000 * (1 + COPY_SLACK);
  const leads = at.leads();
  const mayReuse = leads && at.nowMs >= at.servesSinceMs + longestMs;
  return {
    cutOff: !leads,
    reuseEndedBeforeMs: mayReuse ? at.nowMs - link.leaseSeconds * 1000 * COPY_SLACK : -Infinity,
  };
}

/**
 * The record that stays of a lease that was given back, or of an offer that was not taken. The partner may not hear of a release in time and
 * give the address to its old client again, so such a lease runs to its end.
 */
export function endedLease({ poolShare }: LinkPlan, lease: Lease, nowMs: number): Lease {
  if (poolShare !== 'all' && lease.state !== 'offered') return lease;
  const state = poolShare === 'all' ? 'released' : lease.state;
  return { ...lease, state, sinceMs: nowMs, expiresAtMs: nowMs };
}

/** The record of an address that its client found in use: it rests as long as it must, and on a shared pool as long as its lease. */
export function declinedLease(
  { poolShare }: LinkPlan,
  lease: Lease,
  at: { readonly nowMs: number; readonly untilMs: number },
): Lease {
  const expiresAtMs = poolShare === 'all' ? at.untilMs : Math.max(at.untilMs, lease.expiresAtMs);
  return { ...lease, state: 'declined', sinceMs: at.nowMs, expiresAtMs };
}
