/**
 * A pool that two daemons share: one leads and copies its leases behind its answers, the other takes over, and a leader that loses the store
 * goes on answering while the other leads. What each knows of the other's leases is old by then. Pure rules, held against a model of both
 * in two-daemons.test.ts; without a partner none of them has any effect.
 *
 * - A new client gets an address of the daemon's own share: even or odd. Whatever one gives, the other never gives.
 * - A client that is known to have an address of the other share keeps it while its lease lasts; only who leads makes the lease longer.
 * - An address goes from one client to another only while the daemon leads, and later than any copy of the old lease says; and after
 *   taking over not before every lease is over that the former leader may have renewed without a copy.
 * - Nothing is forgotten: an address that was given back is one whose lease is over (ended), and not one that nobody had.
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
  at: { readonly leads: boolean; readonly servesSinceMs: number; readonly nowMs: number },
): Sharing | undefined {
  if (poolShare === 'all') return undefined;
  const longestMs = link.leaseSeconds * 1000 * (1 + COPY_SLACK);
  const mayReuse = at.leads && at.nowMs >= at.servesSinceMs + longestMs;
  return {
    cutOff: !at.leads,
    reuseEndedBeforeMs: mayReuse ? at.nowMs - link.leaseSeconds * 1000 * COPY_SLACK : -Infinity,
  };
}

/** The record that stays of a lease that was given back, or of an offer that was not taken: such an offer is still no lease. */
export function endedLease({ poolShare }: LinkPlan, lease: Lease, nowMs: number): Lease {
  const state = poolShare === 'all' ? 'released' : lease.state;
  return { ...lease, state, sinceMs: nowMs, expiresAtMs: nowMs };
}
