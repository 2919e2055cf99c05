/**
 * The boots of machines in the store: what a region remembers, one key for each machine, at most MACHINE_BOOTS_BYTES each.
 * Written by the leading daemon alone (every write compares its fence), read by the hub. Advisory: a record that does not decode is
 * left out, because a history that cannot be read must not stop anybody from booting or looking.
 */
import { MACHINE_BOOTS_BYTES } from '@lpmos/core';
import type { Fence, MachineBoots, MacAddress, RegionId, WriteOutcome } from '@lpmos/core';
import { bootsKey, bootsRange, parseBootsKey } from './keys';
import type { Kv, KvEntry, TxnWrite } from './kv';
import { rangeEntries } from './range-entries';
import { KEYS_PER_READ, readKeys } from './read-keys';
import { codecs } from './records';
import { fenced } from './region-store';

/** Who is remembered, without what. */
export interface RememberedMachine {
  readonly mac: MacAddress;
  readonly known: boolean;
  /** Of its last request; empty when the record does not decode. */
  readonly last_at: string;
}

export interface BootStore {
  /** Every machine that a region remembers; one at a time, so that no list of all histories is ever held. */
  remembered(region: RegionId): AsyncGenerator<RememberedMachine, void, undefined>;
  /** Of several machines in one region. @throws LpmosError `unavailable` | `deadline_exceeded`. */
  read(region: RegionId, macs: readonly MacAddress[]): Promise<MachineBoots[]>;
  /** Of one machine in several regions, those that remember it. @throws as above. */
  readOf(mac: MacAddress, regions: readonly RegionId[]): Promise<ReadonlyMap<RegionId, MachineBoots>>;
  /** Together or not at all; at most BOOTS_PER_WRITE of both. Histories that are too long lose their oldest records. */
  write(change: BootsChange, fence: Fence): Promise<WriteOutcome<undefined>>;
}

export interface BootsChange {
  readonly boots: readonly MachineBoots[];
  readonly forget: readonly MacAddress[];
}

/** Sixty-four histories are half a megabyte: under etcd's 1.5 MB for a request and its 128 operations for a transaction. */
export const BOOTS_PER_WRITE = 64;
const MACHINES_PER_PAGE = 100;

export function createBootStore({ kv }: { readonly kv: Kv }): BootStore {
  return {
    remembered: (region) => remembered(kv, region),
    read: async (region, macs) => {
      const entries = await readAll(
        kv,
        macs.map((mac) => bootsKey(region, mac)),
      );
      return entries.flatMap((entry) => decoded(entry) ?? []);
    },
    readOf: async (mac, regions) => {
      const entries = await readAll(
        kv,
        regions.map((region) => bootsKey(region, mac)),
      );
      return new Map(
        regions.flatMap((region, index) => {
          const boots = decoded(entries[index]);
          return boots === undefined ? [] : [[region, boots] as const];
        }),
      );
    },
    write: async ({ boots, forget }, fence) => {
      const writes: TxnWrite[] = [
        ...boots.map((each) => ({
          op: 'put' as const,
          key: bootsKey(fence.regionId, each.mac),
          value: encodeBoots(each),
        })),
        ...forget.map((mac) => ({ op: 'delete' as const, key: bootsKey(fence.regionId, mac) })),
      ];
      return fenced(kv, fence, writes);
    },
  };
}

async function* remembered(kv: Kv, region: RegionId): AsyncGenerator<RememberedMachine, void, undefined> {
  for await (const entry of rangeEntries(kv, bootsRange(region), MACHINES_PER_PAGE)) {
    const mac = parseBootsKey(entry.key);
    if (mac === undefined) continue;
    const boots = decoded(entry);
    const last_at = boots?.records.reduce((latest, each) => max(latest, each.last_at), '') ?? '';
    yield { mac, known: boots?.known ?? false, last_at };
  }
}

async function readAll(kv: Kv, keys: readonly string[]): Promise<(KvEntry | undefined)[]> {
  const entries: (KvEntry | undefined)[] = [];
  for (let from = 0; from < keys.length; from += KEYS_PER_READ) {
    entries.push(...(await readKeys(kv, keys.slice(from, from + KEYS_PER_READ), 'The boots')));
  }
  return entries;
}

function decoded(entry: KvEntry | undefined): MachineBoots | undefined {
  if (entry === undefined) return undefined;
  try {
    return codecs.boots.decode(entry.key, entry.value);
  } catch {
    // A newer daemon's record, or a damaged one: the next write of the region replaces it.
    return undefined;
  }
}

/** Oldest out first; what is left is read back with the number of those that went. */
export function encodeBoots(boots: MachineBoots): string {
  let { records, dropped } = boots;
  for (;;) {
    const text = codecs.boots.encode({ ...boots, records, dropped });
    const excess = Buffer.byteLength(text) - MACHINE_BOOTS_BYTES;
    if (excess <= 0 || records.length === 0) return text;
    // A record is at least its hundred bytes of names, so this never drops one too many by more than the last step.
    const gone = Math.max(1, Math.floor(excess / LARGEST_RECORD_BYTES));
    records = records.slice(gone);
    dropped += gone;
  }
}

/** Above the longest record that the daemon makes. */
const LARGEST_RECORD_BYTES = 2048;

function max(one: string, other: string): string {
  return one > other ? one : other;
}
