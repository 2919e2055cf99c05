/**
 * From when each address of the pool may go to somebody else, as one flat row of numbers beside the lease table.
 * It exists for the full pool: a flood of new clients then costs a walk of the whole pool for each packet, and a walk over records
 * was 4 ms for 65 536 addresses, a stall that anybody could cause; this walk is a hundred times shorter.
 * Says nothing about who may have what: lease-pool.ts does.
 */
import { isHostOf } from './ipv4';
import type { Lease } from './lease-table';
import type { LinkPlan } from './link';
import { isOwnShare } from './shared-pool';

/** Under pressure an offer that nobody took is given away after this long. EDK2 collects offers for 4 s before it asks. */
const RECYCLE_OFFER_AFTER_MS = 10_000;
const NEVER_USED = 0;

/** True for addresses that the pool may give: hosts of the subnet that are neither reserved nor used by the network itself. */
export function isPoolAddress(plan: LinkPlan, address: number): boolean {
  const { pool } = plan;
  if (pool === undefined || address < pool.first || address > pool.last) return false;
  return isHostOf(plan.subnet, address) && !plan.excluded.has(address) && !plan.reservedFor.has(address);
}

export class PoolIndex {
  readonly #first: number;
  readonly #freeFromMs: Float64Array;
  /** When what the address has ends: later than the above for an offer alone. */
  readonly #endsAtMs: Float64Array;

  constructor(plan: LinkPlan) {
    this.#first = plan.pool?.first ?? 0;
    const size = plan.pool === undefined ? 0 : plan.pool.last - plan.pool.first + 1;
    this.#freeFromMs = Float64Array.from({ length: size }, (_, offset) =>
      isPoolAddress(plan, this.#first + offset) && isOwnShare(plan, this.#first + offset)
        ? NEVER_USED
        : Number.POSITIVE_INFINITY,
    );
    this.#endsAtMs = new Float64Array(size);
  }

  /** Follows the table: the record that the address has now, or none. */
  note(address: number, lease: Lease | undefined): void {
    const offset = address - this.#first;
    const current = this.#freeFromMs[offset];
    if (current === undefined || current === Number.POSITIVE_INFINITY) return;
    this.#freeFromMs[offset] = lease === undefined ? NEVER_USED : freeFromMs(lease);
    this.#endsAtMs[offset] = lease?.expiresAtMs ?? NEVER_USED;
  }

  /**
   * The first address of a walk around the pool that nobody ever had, else the one whose lease ended first, else an offer that may be taken
   * again, else undefined. Old clients so find their addresses as long as there are others, and slow ones their offers.
   * @param endedBeforeMs what ends later than this is not for somebody else
   */
  search(start: number, endedBeforeMs: number): number | undefined {
    const row = this.#freeFromMs;
    let ended: number | undefined;
    let endedMs = Number.POSITIVE_INFINITY;
    let offered: number | undefined;
    for (let step = 0, offset = start % row.length; step < row.length; step += 1) {
      const from = row[offset] ?? Number.POSITIVE_INFINITY;
      if (from === NEVER_USED) return this.#first + offset;
      if (from <= endedBeforeMs) {
        const endsMs = this.#endsAtMs[offset] ?? 0;
        if (endsMs > endedBeforeMs) offered ??= offset;
        else if (endsMs < endedMs) {
          ended = offset;
          endedMs = endsMs;
        }
      }
      offset = offset + 1 === row.length ? 0 : offset + 1;
    }
    const again = ended ?? offered;
    return again === undefined ? undefined : this.#first + again;
  }
}

function freeFromMs({ state, sinceMs, expiresAtMs }: Lease): number {
  const until = state === 'offered' ? Math.min(expiresAtMs, sinceMs + RECYCLE_OFFER_AFTER_MS) : expiresAtMs;
  // Zero means "never used"; a record from the year 1970 is an old one.
  return Math.max(until, 1);
}
