/**
 * A long range, key by key, with one page of it in memory: the next page is asked for when this one is used up. Each page is as new as
 * can be; who needs all of them at one revision reads with readRange (kv.ts) and holds them all.
 */
import type { KeyRange, Kv, KvEntry } from './kv';

/** In key order. @throws LpmosError `unavailable` | `deadline_exceeded`. */
export async function* rangeEntries(
  kv: Kv,
  range: KeyRange,
  pageKeys: number,
): AsyncGenerator<KvEntry, void, undefined> {
  let { start } = range;
  for (;;) {
    const page = await kv.range({ range: { ...range, start }, limit: pageKeys });
    yield* page.entries;
    const last = page.entries.at(-1);
    if (!page.more || last === undefined) return;
    start = `${last.key}\0`;
  }
}
