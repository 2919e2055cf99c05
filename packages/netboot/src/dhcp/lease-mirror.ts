/**
 * What a journal says, replayed: the records that count, one for an address and one for a MAC, in the order in which they came.
 * The same rules as LeaseTable.apply without its pool index; replaying a record twice changes nothing, which compaction relies on.
 */
import type { MacAddress } from '@lpmos/core';
import type { Lease } from './lease-table';
import { MAX_LEASES } from './lease-table';

/**
 * Leases from several sources as one, for LeaseTable. Of an address the newest record counts, and of a machine too; but clocks of two hosts
 * differ, so an address that a machine seems to have left rests until that lease is over, like one that was declined.
 */
export function mergedLeases(...sources: readonly (readonly Lease[])[]): Lease[] {
  const byAddress = new Map<string, Lease>();
  const newestOf = new Map<MacAddress, Lease>();
  const oldestFirst = sources.flat().sort((one, other) => one.sinceMs - other.sinceMs);
  for (const lease of oldestFirst) {
    byAddress.delete(lease.address);
    byAddress.set(lease.address, lease);
    if (lease.state === 'bound') newestOf.set(lease.mac, lease);
  }
  return [...byAddress.values()].map((lease) =>
    lease.state === 'bound' && newestOf.get(lease.mac) !== lease ? { ...lease, state: 'declined' } : lease,
  );
}

export class LeaseMirror {
  readonly #byAddress = new Map<string, Lease>();
  readonly #addressOf = new Map<MacAddress, string>();

  get size(): number {
    return this.#byAddress.size;
  }

  values(): IterableIterator<Lease> {
    return this.#byAddress.values();
  }

  apply(lease: Lease): void {
    const held = this.#addressOf.get(lease.mac);
    if (lease.state === 'released') {
      if (held === lease.address) this.#forget(lease.address);
      return;
    }
    this.#forget(lease.address);
    if (lease.state !== 'declined') {
      if (held !== undefined) this.#forget(held);
      this.#addressOf.set(lease.mac, lease.address);
    }
    // The oldest goes: a table of this size has room for every address of a link.
    if (this.size >= MAX_LEASES) this.#forgetOldest();
    this.#byAddress.set(lease.address, lease);
  }

  #forget(address: string): void {
    const lease = this.#byAddress.get(address);
    if (lease === undefined) return;
    this.#byAddress.delete(address);
    if (this.#addressOf.get(lease.mac) === address) this.#addressOf.delete(lease.mac);
  }

  #forgetOldest(): void {
    for (const address of this.#byAddress.keys()) return this.#forget(address);
  }
}
