/**
 * Takes the history of boots from memory to the store, behind the answers: every few seconds, in bounded batches, under the leader's fence.
 * A machine is written at most once a tick. What is stored already is read back lazily, when a machine is first written by this daemon,
 * so that a restarted one continues the list instead of starting anew. A write that fails is tried again at the next tick.
 * Bounded in the store too: of strangers a few are kept, of machines of ours some thousands; those not heard of for longest go.
 */
import type { Fence, MachineBoots, MacAddress } from '@lpmos/core';
import { sleep } from '@lpmos/runtime';
import type { Logger } from '@lpmos/runtime';
import { BOOTS_PER_WRITE } from '@lpmos/store';
import type { BootStore } from '@lpmos/store';
import type { BootHistory, TakenMachine } from './boot-history';

export interface HistoryWriterOptions {
  readonly history: BootHistory;
  readonly store: BootStore;
  readonly fence: () => Fence | undefined;
  readonly logger: Logger;
  readonly limits?: Partial<StoredLimits>;
}

export interface StoredLimits {
  readonly machines: number;
  readonly strangers: number;
}

/** Ten thousand machines of 3 KiB are 30 MB of etcd. */
export const STORED_LIMITS: StoredLimits = { machines: 10_000, strangers: 128 };
const EVERY_MS = 5_000;
/** A boot storm is written within a minute, and etcd has other work as well. */
const PER_TICK = { machines: 512, strangers: 16 };

export interface HistoryWriter {
  /** Writes what changed; never throws. */
  flush(): Promise<void>;
  /** Flushes every few seconds and once more at the end. */
  run(signal: AbortSignal): Promise<void>;
}

/** What the store holds, by age. */
interface Stored {
  readonly token: string;
  readonly machines: Map<MacAddress, true>;
  readonly strangers: Map<MacAddress, true>;
}

export function createHistoryWriter(options: HistoryWriterOptions): HistoryWriter {
  const limits = { ...STORED_LIMITS, ...options.limits };
  const { history, store, logger } = options;
  let stored: Stored | undefined;

  const writeBatch = async (fence: Fence, batch: readonly TakenMachine[], held: Stored): Promise<void> => {
    const unread = batch.filter((each) => each.unread).map(({ mac }) => mac);
    for (const boots of await store.read(fence.regionId, unread)) history.prepend(boots);
    for (const mac of unread) history.markRead(mac);
    const boots = batch.map(({ mac }) => history.of(mac)).filter((each) => each !== undefined);
    const forget = tooMany(held, boots, limits);
    const outcome = await store.write({ boots, forget }, fence);
    // What may have landed is put again: the same history twice is one.
    if (outcome.kind !== 'done')
      throw outcome.kind === 'refused' ? outcome.error : new Error('outcome unknown');
    note(held, boots, forget);
  };

  const flush = async (): Promise<void> => {
    const fence = options.fence();
    if (fence === undefined) return;
    let waiting: readonly TakenMachine[] = [];
    try {
      if (stored?.token !== fence.token) stored = await readStored(store, fence);
      waiting = history.takeChanged(PER_TICK);
      // Half of a transaction is for what has to go.
      const size = BOOTS_PER_WRITE / 2;
      while (waiting.length > 0) {
        await writeBatch(fence, waiting.slice(0, size), stored);
        waiting = waiting.slice(size);
      }
    } catch (thrown) {
      history.putBack(waiting.map(({ mac }) => mac));
      logger.debug({ err: thrown, machines: waiting.length }, 'boot history not written; tried again soon');
    }
  };

  return {
    flush,
    async run(signal) {
      while (!signal.aborted) {
        await sleep(EVERY_MS, signal);
        await flush();
      }
    },
  };
}

async function readStored(store: BootStore, fence: Fence): Promise<Stored> {
  const found: { readonly mac: MacAddress; readonly known: boolean; readonly last_at: string }[] = [];
  for await (const each of store.remembered(fence.regionId)) found.push(each);
  found.sort((one, other) => (one.last_at < other.last_at ? -1 : 1));
  const held: Stored = { token: fence.token, machines: new Map(), strangers: new Map() };
  for (const { mac, known } of found) (known ? held.machines : held.strangers).set(mac, true);
  return held;
}

/** Those not heard of for longest, but never one that is written now; as many as a transaction has room for. */
function tooMany(held: Stored, boots: readonly MachineBoots[], limits: StoredLimits): MacAddress[] {
  const written = new Set(boots.map(({ mac }) => mac));
  const excess = (of: 'machines' | 'strangers', known: boolean): MacAddress[] => {
    const added = boots.filter((each) => each.known === known && !held[of].has(each.mac)).length;
    const surplus = Math.min(held[of].size + added - limits[of], BOOTS_PER_WRITE / 2 - 1);
    if (surplus <= 0) return [];
    return [...held[of].keys()].filter((mac) => !written.has(mac)).slice(0, surplus);
  };
  return [...excess('strangers', false), ...excess('machines', true)].slice(0, BOOTS_PER_WRITE / 2);
}

function note(held: Stored, boots: readonly MachineBoots[], forgotten: readonly MacAddress[]): void {
  for (const { mac, known } of boots) {
    held.machines.delete(mac);
    held.strangers.delete(mac);
    (known ? held.machines : held.strangers).set(mac, true);
  }
  for (const mac of forgotten) {
    held.machines.delete(mac);
    held.strangers.delete(mac);
  }
}
