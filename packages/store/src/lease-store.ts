/**
 * Copies of DHCP leases in the store, one key for each address of a link: what a daemon must know that takes over on another host.
 * Written by the leading daemon alone (every write compares its fence), behind its answers. A record that does not decode is left out:
 * one damaged copy must not keep a whole region without DHCP.
 */
import { LpmosError } from '@lpmos/core';
import type { Fence, LeaseCopy, RegionId, StoredLease, WriteOutcome } from '@lpmos/core';
import { leaseKey, leasesRange, parseLeaseKey } from './keys';
import type { LeasedAddress } from './keys';
import { PAGE_KEYS } from './kv';
import type { Kv, KvEntry, TxnWrite } from './kv';
import { rangeEntries } from './range-entries';
import { codecs } from './records';
import { fenced } from './region-store';

export interface LeaseStore {
  /**
   * Every copy of a region, by link and address; one page at a time. Whole for who leads the region: nobody else can write meanwhile.
   * Copies whose time is over are among them. @throws LpmosError `unavailable` | `deadline_exceeded`.
   */
  all(region: RegionId): AsyncGenerator<StoredLease, void, undefined>;
  /**
   * Together or not at all; no address twice. Refused: `too_large` (more than LEASES_PER_WRITE of both), `not_found` (the region),
   * `conflict` (no longer leading). @throws LpmosError `internal` for a copy that nobody could read back.
   */
  write(change: LeasesChange, fence: Fence): Promise<WriteOutcome<undefined>>;
}

export interface LeasesChange {
  readonly put: readonly StoredLease[];
  /** Those that are not there are no error. */
  readonly forget: readonly LeasedAddress[];
}

/** Under etcd's 128 operations for a transaction. */
export const LEASES_PER_WRITE = 100;

export function createLeaseStore({ kv }: { readonly kv: Kv }): LeaseStore {
  return {
    all: (region) => all(kv, region),
    write: async ({ put, forget }, fence) => {
      const count = put.length + forget.length;
      if (count > LEASES_PER_WRITE) {
        const message = `A write of ${count} leases is over the limit of ${LEASES_PER_WRITE}; write in parts`;
        return { kind: 'refused', error: new LpmosError({ code: 'too_large', message }) };
      }
      const region = fence.regionId;
      const writes: TxnWrite[] = [
        ...put.map(({ link, address, lease }) => ({
          op: 'put' as const,
          key: leaseKey(region, link, address),
          value: codecs.lease.encode(lease),
        })),
        ...forget.map(({ link, address }) => ({
          op: 'delete' as const,
          key: leaseKey(region, link, address),
        })),
      ];
      return fenced(kv, fence, writes);
    },
  };
}

async function* all(kv: Kv, region: RegionId): AsyncGenerator<StoredLease, void, undefined> {
  for await (const entry of rangeEntries(kv, leasesRange(region), PAGE_KEYS)) {
    const where = parseLeaseKey(entry.key);
    const lease = decoded(entry);
    if (where !== undefined && lease !== undefined) yield { ...where, lease };
  }
}

function decoded(entry: KvEntry): LeaseCopy | undefined {
  try {
    return codecs.lease.decode(entry.key, entry.value);
  } catch {
    // A newer daemon's record, or a damaged one: the next change of the lease replaces it.
    return undefined;
  }
}
