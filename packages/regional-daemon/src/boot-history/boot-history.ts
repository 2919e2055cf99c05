/**
 * What this daemon remembers of the boots of machines: every DHCP, TFTP and HTTP event with the machine that it belongs to. In memory and
 * synchronous, for it hears on the answer path; history-writer.ts takes it to the store behind the answers.
 * Bounded twice, machines and lines of a machine. Machines that no task names live in a small ring of their own, so that a flood of
 * invented MACs pushes out other invented MACs and never the history of a machine of ours.
 */
import type { Clock, MachineBoots, MacAddress } from '@lpmos/core';
import type { BootEvent } from '@lpmos/netboot';
import { addEvent, addressOf, emptyLog, MOST_RECORDS, recordsOf } from './machine-log';
import type { MachineLog } from './machine-log';

export interface BootHistoryOptions {
  readonly clock: Clock;
  /** Who holds an address: TFTP and HTTP requests name no machine. */
  readonly machineAt: (address: string) => MacAddress | undefined;
  readonly limits?: Partial<HistoryLimits>;
}

export interface HistoryLimits {
  readonly machines: number;
  readonly strangers: number;
}

/** Ours: about 15 lines of 300 bytes each. */
export const DEFAULT_LIMITS: HistoryLimits = { machines: 8192, strangers: 512 };
const NO_ADDRESS = '0.0.0.0';
/** Addresses that a request showed together with its machine, for links where another server leases. */
const MOST_ADDRESSES = 8192;

/** A sixteenth more than the limit, for a moment. */
const SLACK_PART = 16;

export interface BootHistory {
  /** Never throws. */
  hear(event: BootEvent): void;
  of(mac: MacAddress): MachineBoots | undefined;
  /** Machines with news, longest waiting first; they are clean then. Strangers by their own limit. */
  takeChanged(limits: { readonly machines: number; readonly strangers: number }): TakenMachine[];
  /** Puts machines back whose write failed. */
  putBack(macs: readonly MacAddress[]): void;
  /** Lines from before this daemon began, found in the store. */
  prepend(stored: MachineBoots): void;
  /** Nothing was stored, or it was read already. */
  markRead(mac: MacAddress): void;
}

export interface TakenMachine {
  readonly mac: MacAddress;
  readonly known: boolean;
  /** The store was not asked yet what it has of this machine. */
  readonly unread: boolean;
}

interface Entry {
  readonly log: MachineLog;
  known: boolean;
  unread: boolean;
  /** From the store, older than every line of the log. */
  earlier: MachineBoots['records'];
}

export function createBootHistory(options: BootHistoryOptions): BootHistory {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const machines = new Map<MacAddress, Entry>();
  const strangers = new Map<MacAddress, Entry>();
  const changed = new Set<MacAddress>();
  const changedStrangers = new Set<MacAddress>();
  const seenAt = new Map<string, MacAddress>();

  const find = (mac: MacAddress): Entry | undefined => machines.get(mac) ?? strangers.get(mac);
  const keep = (mac: MacAddress, entry: Entry, isNews: boolean): void => {
    strangers.delete(mac);
    const ring = entry.known
      ? { map: machines, most: limits.machines, news: changed }
      : { map: strangers, most: limits.strangers, news: changedStrangers };
    refresh(ring, mac, entry);
    if (isNews) ring.news.add(mac);
    if (entry.known && changedStrangers.delete(mac)) changed.add(mac);
  };
  const machineOf = (event: BootEvent): MacAddress | undefined => {
    if (event.mac !== undefined) return event.mac;
    const address = addressOf(event.peer);
    return options.machineAt(address) ?? seenAt.get(address);
  };

  return {
    hear(event) {
      const mac = machineOf(event);
      if (mac === undefined) return;
      if (showsAddress(event)) refresh({ map: seenAt, most: MOST_ADDRESSES }, addressOf(event.peer), mac);
      const entry = find(mac) ?? { log: emptyLog(), known: false, unread: true, earlier: [] };
      entry.known = isKnown(event, entry.known);
      keep(mac, entry, addEvent(entry.log, event, options.clock.nowMs()));
    },
    of(mac) {
      const entry = find(mac);
      return entry === undefined ? undefined : document(mac, entry);
    },
    takeChanged(most) {
      const taken = [...take(changed, most.machines), ...take(changedStrangers, most.strangers)];
      return taken.flatMap((mac) => {
        const entry = find(mac);
        return entry === undefined ? [] : [{ mac, known: entry.known, unread: entry.unread }];
      });
    },
    putBack(macs) {
      for (const mac of macs) {
        const entry = find(mac);
        if (entry !== undefined) (entry.known ? changed : changedStrangers).add(mac);
      }
    },
    prepend(stored) {
      const entry = find(stored.mac);
      if (entry === undefined) return;
      entry.earlier = stored.records;
      entry.log.dropped += stored.dropped;
      entry.unread = false;
    },
    markRead(mac) {
      const entry = find(mac);
      if (entry !== undefined) entry.unread = false;
    },
  };
}

/** The newest goes to the end of the map, so its first entry is the one not heard of for longest. */
function refresh<K, V>(
  { map, most, news }: { readonly map: Map<K, V>; readonly most: number; readonly news?: Set<K> },
  key: K,
  value: V,
): void {
  map.delete(key);
  map.set(key, value);
  // Many at once: each look for the first key of a map steps over all that were deleted before it (21 µs an event when one by one).
  if (map.size <= most + Math.floor(most / SLACK_PART)) return;
  for (const oldest of map.keys()) {
    if (map.size <= most) break;
    map.delete(oldest);
    news?.delete(oldest);
  }
}

function take(from: Set<MacAddress>, most: number): MacAddress[] {
  const taken: MacAddress[] = [];
  for (const mac of from) {
    if (taken.length >= most) break;
    taken.push(mac);
  }
  for (const mac of taken) from.delete(mac);
  return taken;
}

/**
 * A script request names its machine and comes from it; so do a renewal and a request to the boot server's port, where clients have an
 * address. A relay speaks DHCP for many machines, and loads nothing itself.
 */
function showsAddress(event: BootEvent): boolean {
  if (event.mac === undefined || event.outcome !== 'answered') return false;
  return addressOf(event.peer) !== NO_ADDRESS;
}

/** "Cannot know yet" says nothing about who the machine is. */
function isKnown({ decision }: BootEvent, before: boolean): boolean {
  if (decision === undefined || decision.kind === 'wait') return before;
  return decision.kind !== 'silent';
}

function document(mac: MacAddress, { log, known, earlier }: Entry): MachineBoots {
  const all = [...earlier, ...recordsOf(log)];
  const records = all.slice(-MOST_RECORDS);
  return { schema_version: 1, mac, known, records, dropped: log.dropped + all.length - records.length };
}
