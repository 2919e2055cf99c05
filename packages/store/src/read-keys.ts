/**
 * Reads single keys at one revision in one call, each within the caller's own ranges: a range read over all of them would need
 * permission for what lies between. A transaction whose compares cannot both hold is a pure read.
 */
import { LpmosError } from '@lpmos/core';
import { absent, present } from './kv';
import type { Kv, KvEntry } from './kv';

/** Under etcd's limit of operations in one transaction (128), the compares counted in. */
export const KEYS_PER_READ = 120;

/**
 * @param keys at most KEYS_PER_READ of them. @param what for the message: `The regions`.
 * @returns an entry for each key, undefined where there is none. @throws LpmosError `unavailable` | `deadline_exceeded`.
 */
export async function readKeys(
  kv: Kv,
  keys: readonly string[],
  what: string,
): Promise<(KvEntry | undefined)[]> {
  if (keys.length === 0) return [];
  const outcome = await kv.txn({
    compares: keys.slice(0, 1).flatMap((key) => [absent(key), present(key)]),
    then: [],
    otherwise: keys.map((start) => ({ start })),
  });
  if (outcome.kind === 'refused') throw outcome.error;
  if (outcome.kind === 'unknown') {
    const message = `${what} could not be read in time; try again`;
    throw new LpmosError({ code: 'deadline_exceeded', message, cause: outcome.cause });
  }
  return outcome.succeeded ? [] : outcome.reads.map((entries) => entries[0]);
}
