/**
 * Who has which address on one link: at most one record for an address and at most one for a MAC.
 * Holds records and indexes and decides nothing; lease-pool.ts chooses, respond.ts says what changes, server.ts applies it.
 * Bounded: a record needs an address of the subnet, and there are at most MAX_LEASES of them.
 */
import type { MacAddress } from '@lpmos/core';
import { readIpv4 } from './ipv4';
import type { LinkPlan } from './link';
import { PoolIndex } from './pool-index';

export type LeaseState =
  /** Promised to a client that has not asked for it yet. */
  | 'offered'
  | 'bound'
  /** A client found the address in use by somebody else: nobody gets it until the record expires. */
  | 'declined'
  /** Given back; only ever reported, never kept. */
  | 'released';

export interface Lease {
  readonly mac: MacAddress;
  readonly address: string;
  readonly state: LeaseState;
  /** Milliseconds since the epoch. An expired record stays until its address is needed, so that a client finds its old one. */
  readonly expiresAtMs: number;
  /** When the state was last renewed. */
  readonly sinceMs: number;
  /** From the reservation; names that clients claim are not kept. */
  readonly hostname?: string;
}

/** What the pure functions see of the table. Addresses are unsigned numbers. */
export interface LeaseView {
  ofMac(mac: MacAddress): Lease | undefined;
  ofAddress(address: number): Lease | undefined;
  /** An address of the pool that nobody holds, on a walk from `start`; see PoolIndex. */
  searchPool(start: number, endedBeforeMs: number): number | undefined;
}

/** A /16 of machines on one link; parse-link.ts refuses larger pools. */
export const MAX_LEASES = 65_536;

export class LeaseTable implements LeaseView {
  readonly #byAddress = new Map<number, Lease>();
  readonly #byMac = new Map<MacAddress, Lease>();
  readonly #pool: PoolIndex;

  constructor(plan: LinkPlan) {
    this.#pool = new PoolIndex(plan);
  }

  get size(): number {
    return this.#byAddress.size;
  }

  ofMac(mac: MacAddress): Lease | undefined {
    return this.#byMac.get(mac);
  }

  ofAddress(address: number): Lease | undefined {
    return this.#byAddress.get(address);
  }

  searchPool(start: number, endedBeforeMs: number): number | undefined {
    return this.#pool.search(start, endedBeforeMs);
  }

  all(): Lease[] {
    return [...this.#byAddress.values()];
  }

  /**
   * Takes over what respond.ts decided. Replaces what the MAC had and what the address was; false when the table is full of what is in use.
   * A `declined` record belongs to its address alone: the machine may have another lease beside it.
   */
  apply(lease: Lease): boolean {
    const address = readIpv4(lease.address);
    if (address === undefined) return false;
    const held = this.#byMac.get(lease.mac);
    const previous = this.#byAddress.get(address);
    if (lease.state === 'released') {
      if (held?.address === lease.address) this.#forget(address, held);
      return true;
    }
    const needsRoom = previous === undefined && held === undefined && this.size >= MAX_LEASES;
    if (needsRoom && !this.#forgetEnded(lease.sinceMs)) return false;
    if (previous !== undefined) this.#forget(address, previous);
    if (lease.state !== 'declined') {
      if (held !== undefined && held !== previous) this.#forget(readIpv4(held.address) ?? 0, held);
      this.#byMac.set(lease.mac, lease);
    }
    this.#byAddress.set(address, lease);
    this.#pool.note(address, lease);
    return true;
  }

  /** Renewed records move to the end, so what ended stands near the front. */
  #forgetEnded(nowMs: number): boolean {
    for (const [address, lease] of this.#byAddress) {
      if (lease.expiresAtMs > nowMs) continue;
      this.#forget(address, lease);
      return true;
    }
    return false;
  }

  #forget(address: number, lease: Lease): void {
    this.#byAddress.delete(address);
    this.#pool.note(address, undefined);
    if (this.#byMac.get(lease.mac) === lease) this.#byMac.delete(lease.mac);
  }
}
