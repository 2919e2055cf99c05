/** How much of etcd a range takes: bytes of keys and values, the figure behind "at most 20 KiB per finished task". */
import { readRange } from './kv';
import type { KeyRange, Kv } from './kv';

export interface Footprint {
  readonly keys: number;
  /** Bytes of keys and values; etcd adds about 30 bytes a version and keeps older versions until it compacts. */
  readonly bytes: number;
}

/** @throws LpmosError `unavailable` | `deadline_exceeded`. */
export async function measureRange(kv: Kv, range: KeyRange): Promise<Footprint> {
  const { entries } = await readRange(kv, range);
  const bytes = entries.reduce(
    (sum, { key, value }) => sum + Buffer.byteLength(key) + Buffer.byteLength(value),
    0,
  );
  return { keys: entries.length, bytes };
}
