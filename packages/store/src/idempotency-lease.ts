/**
 * The lease on which idempotency keys end after at least 24 hours. One lease serves all keys of an hour: a lease per request
 * would cost every POST a second write and etcd a lease per task.
 */
import type { Clock } from '@lpmos/core';
import type { Kv } from './kv';

const KEEP_SECONDS = 24 * 3600;
const SHARED_SECONDS = 3600;

export interface IdempotencyLease {
  /** Id of a lease that lives at least 24 h longer. @throws LpmosError `unavailable` | `deadline_exceeded`. */
  current(): Promise<string>;
  /** The store says that the lease is gone (restored from a backup, say): take a new one next time. */
  forget(leaseId: string): void;
}

export function createIdempotencyLease({
  kv,
  clock,
}: {
  readonly kv: Kv;
  readonly clock: Clock;
}): IdempotencyLease {
  let held: { readonly id: Promise<string>; readonly renewAtMs: number } | undefined;
  return {
    current: async () => {
      if (held === undefined || clock.monotonicMs() >= held.renewAtMs) {
        const id = kv.grantLease(KEEP_SECONDS + SHARED_SECONDS).then((lease) => lease.id);
        held = { id, renewAtMs: clock.monotonicMs() + SHARED_SECONDS * 1000 };
        const mine = held;
        id.catch(() => {
          if (held === mine) held = undefined;
        });
      }
      return held.id;
    },
    forget: (leaseId) => {
      const mine = held;
      void mine?.id.then(
        (id) => {
          if (id === leaseId && held === mine) held = undefined;
        },
        () => undefined,
      );
    },
  };
}
