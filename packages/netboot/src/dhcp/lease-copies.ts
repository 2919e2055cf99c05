/**
 * Which leases of a link are to be copied to where the daemon that takes over can read them, and which copies are to go: pure bookkeeping
 * behind the answers. Who writes the copies, how often and where is the region's business; see mergedLeases for their way back.
 * Invariants: a copy never ends before its lease; an address has one copy at most, and what is not yet copied is never forgotten.
 */
import type { MacAddress } from '@lpmos/core';
import type { Lease } from './lease-table';
import { COPY_SLACK } from './shared-pool';

/** By address: what is to be stored, or undefined for what is to go. */
export type LeaseChange = ReadonlyMap<string, Lease | undefined>;

export class LeaseCopies {
  readonly #stored = new Map<string, Lease>();
  /** As they were heard: an object more for each lease of a storm would be felt in the pauses of the collector. */
  readonly #waiting = new Map<string, Lease | undefined>();
  readonly #taken = new Map<string, Lease | undefined>();
  readonly #addressOf = new Map<MacAddress, string>();

  /** @param stored the copies that are there */
  constructor(stored: readonly Lease[]) {
    for (const lease of stored) {
      this.#stored.set(lease.address, lease);
      if (lease.state !== 'declined') this.#addressOf.set(lease.mac, lease.address);
    }
  }

  /** Addresses whose copies are not up to date. */
  get waiting(): number {
    return this.#waiting.size;
  }

  hear(lease: Lease): void {
    const { address, mac, state } = lease;
    if (state === 'offered') return;
    const before = this.#addressOf.get(mac);
    if (state === 'released') {
      if (before === address) this.#forget(address, mac);
      return;
    }
    if (state === 'bound') {
      if (before !== undefined && before !== address) this.#forget(before, mac);
      this.#addressOf.set(mac, address);
    } else if (before === address) this.#addressOf.delete(mac);
    const stored = this.#stored.get(address);
    const isCovered =
      stored?.mac === mac && stored.state === state && lease.expiresAtMs <= stored.expiresAtMs;
    if (isCovered) this.#waiting.delete(address);
    else this.#waiting.set(address, lease);
  }

  /** Hands out at most so many changes, the oldest first; each comes back by `landed` or `putBack`. */
  take(most: number): LeaseChange {
    const change = new Map<string, Lease | undefined>();
    // Not by a copy of them all: in a storm tens of thousands wait.
    for (const [address, lease] of this.#waiting) {
      if (change.size === most) break;
      change.set(address, lease === undefined ? undefined : withSlack(lease));
      this.#taken.set(address, lease);
      this.#waiting.delete(address);
    }
    return change;
  }

  landed(change: LeaseChange): void {
    for (const [address, lease] of change) {
      this.#taken.delete(address);
      if (lease === undefined) this.#stored.delete(address);
      else this.#stored.set(address, lease);
    }
  }

  /** What has changed again meanwhile stays as it is now. */
  putBack(change: LeaseChange): void {
    for (const address of change.keys()) {
      if (!this.#waiting.has(address)) this.#waiting.set(address, this.#taken.get(address));
      this.#taken.delete(address);
    }
  }

  #forget(address: string, mac: MacAddress): void {
    this.#addressOf.delete(mac);
    const owner = this.#waiting.has(address) ? this.#waiting.get(address) : this.#stored.get(address);
    // Somebody else's by now: that copy is right.
    if (owner !== undefined && owner.mac !== mac) return;
    this.#waiting.set(address, undefined);
  }
}

function withSlack(lease: Lease): Lease {
  const slackMs = Math.ceil((lease.expiresAtMs - lease.sinceMs) * COPY_SLACK);
  return { ...lease, expiresAtMs: lease.expiresAtMs + slackMs };
}
