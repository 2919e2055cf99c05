/**
 * Leases of the region's links in the store, for the daemon that takes over: written behind the answers under the leader's fence, in bounded
 * batches, and read before DHCP is opened. What is to be copied is netboot's LeaseCopies; what a daemon may do with what it knows, its
 * shared-pool.ts. A write that fails is tried again; an answer never waits for one.
 * Invariant: nothing is heard before the copies that are there were read, so no older copy is ever left unseen.
 */
import type { Fence, LeaseCopy, MacAddress, RegionId, StoredLease } from '@lpmos/core';
import { LeaseCopies } from '@lpmos/netboot';
import type { Lease, LeaseChange } from '@lpmos/netboot';
import { backoffDelayMs, sleep } from '@lpmos/runtime';
import type { Logger } from '@lpmos/runtime';
import { LEASES_PER_WRITE } from '@lpmos/store';
import type { LeaseStore } from '@lpmos/store';

export interface LeaseCopierOptions {
  readonly store: LeaseStore;
  readonly regionId: RegionId;
  readonly fence: () => Fence | undefined;
  readonly logger: Logger;
}

export interface LeaseCopier {
  /**
   * The copies of each link, by its name. Tries until the store answers: who would serve without them could give one address to two
   * machines. Empty when the signal ends it.
   */
  read(signal: AbortSignal): Promise<ReadonlyMap<string, readonly Lease[]>>;
  hear(link: string, lease: Lease): void;
  /** Writes what waits, as far as etcd takes it now; never throws. */
  flush(): Promise<void>;
  /** Flushes all the time and once more at the end. */
  run(signal: AbortSignal): Promise<void>;
}

/** What a takeover may miss; see shared-pool.ts for how it lives with that. */
const EVERY_MS = 500;
/** Four hundred leases a second: a hall of 5 000 machines is copied in a quarter of a minute, and answers and etcd have the processor. */
const WRITES_PER_FLUSH = 2;
const RETRY = { firstMs: 200, ceilingMs: 5_000 };

export function createLeaseCopier(options: LeaseCopierOptions): LeaseCopier {
  const { store, logger, regionId } = options;
  const links = new Map<string, LeaseCopies>();

  const readOnce = async (): Promise<ReadonlyMap<string, readonly Lease[]>> => {
    const found = new Map<string, Lease[]>();
    for await (const stored of store.all(regionId)) {
      const ofLink = found.get(stored.link) ?? [];
      ofLink.push(leaseOf(stored));
      found.set(stored.link, ofLink);
    }
    links.clear();
    for (const [link, leases] of found) links.set(link, new LeaseCopies(leases));
    return found;
  };

  const copiesOf = (link: string): LeaseCopies => {
    const known = links.get(link) ?? new LeaseCopies([]);
    links.set(link, known);
    return known;
  };

  const writeSome = async (link: string, copies: LeaseCopies, fence: Fence): Promise<void> => {
    const change = copies.take(LEASES_PER_WRITE);
    try {
      const outcome = await store.write(changeOf(link, change), fence);
      // What may have landed is put again: the same copy twice is one.
      if (outcome.kind !== 'done')
        throw outcome.kind === 'refused' ? outcome.error : new Error('outcome unknown');
      copies.landed(change);
    } catch (thrown) {
      copies.putBack(change);
      throw thrown;
    }
  };

  const flush = async (): Promise<void> => {
    try {
      for (let writes = 0; writes < WRITES_PER_FLUSH; writes += 1) {
        const [next] = [...links].filter(([, { waiting }]) => waiting > 0);
        const fence = options.fence();
        if (next === undefined || fence === undefined) return;
        await writeSome(...next, fence);
      }
    } catch (thrown) {
      logger.debug({ err: thrown }, 'leases not copied; tried again soon');
    }
  };

  return {
    async read(signal) {
      for (let attempt = 0; !signal.aborted; attempt += 1) {
        try {
          return await readOnce();
        } catch (thrown) {
          logger.warn({ err: thrown }, 'DHCP waits for the copies of leases, which the store does not give');
          await sleep(backoffDelayMs(RETRY, attempt, Math.random), signal);
        }
      }
      return new Map();
    },
    hear: (link, lease) => copiesOf(link).hear(lease),
    flush,
    async run(signal) {
      while (!signal.aborted) {
        await sleep(EVERY_MS, signal);
        await flush();
      }
    },
  };
}

function leaseOf({ address, lease }: StoredLease): Lease {
  const { mac, state, since_ms: sinceMs, expires_at_ms: expiresAtMs, hostname } = lease;
  return {
    ...{ mac, address, state, sinceMs, expiresAtMs },
    ...(hostname === undefined ? {} : { hostname }),
  };
}

function changeOf(link: string, change: LeaseChange): Parameters<LeaseStore['write']>[0] {
  const all = [...change];
  return {
    put: all.flatMap(([address, lease]) =>
      lease === undefined ? [] : [{ link, address, lease: copyOf(lease) }],
    ),
    forget: all.flatMap(([address, lease]) => (lease === undefined ? [{ link, address }] : [])),
  };
}

function copyOf({ mac, state, sinceMs, expiresAtMs, hostname }: Lease): LeaseCopy {
  return {
    schema_version: 1,
    mac: mac satisfies MacAddress,
    state: state === 'declined' ? 'declined' : 'bound',
    since_ms: Math.floor(sinceMs),
    // Never before the lease itself.
    expires_at_ms: Math.ceil(expiresAtMs),
    ...(hostname === undefined ? {} : { hostname }),
  };
}
