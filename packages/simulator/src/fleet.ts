/**
 * Many machines at once: staggered power-on, bounded concurrency, one shared relay socket, and how long each stage took. A machine
 * that breaks does not stop the others; its end is counted like any other.
 * Times are of this process and its load: for comparing runs, not for promises.
 */
import { setMaxListeners } from 'node:events';
import { sleep } from '@lpmos/runtime';
import type { MacAddress } from '@lpmos/core';
import { parseMacAddress } from '@lpmos/core';
import { createMachine } from './machine';
import { openRelaySocket } from './relay-socket';
import type { Machine, MachineEvent, MachineOptions, Outcome } from './machine-types';

export interface FleetOptions {
  readonly machines: number;
  /** One for each machine; made up from the seed when absent. */
  readonly macs?: readonly string[];
  readonly seed: number;
  readonly network: MachineOptions['network'];
  /** Between two power-ons. */
  readonly staggerMs: number;
  /** Machines that are on at the same time. */
  readonly concurrency: number;
  /** What all or some machines have in common; called once for each. */
  readonly machine?: (
    mac: MacAddress,
    index: number,
  ) => Partial<Omit<MachineOptions, 'mac' | 'network' | 'relay'>>;
  readonly onEvent?: (mac: MacAddress, event: MachineEvent) => void;
  /** Powers all machines off. */
  readonly signal: AbortSignal;
}

export interface FleetResult {
  readonly outcomes: readonly { readonly mac: MacAddress; readonly outcome: Outcome }[];
  readonly byKind: Readonly<Record<string, number>>;
  readonly statistics: FleetStatistics;
  /** Disks written without permission, over all machines: must be empty. */
  readonly violations: readonly string[];
}

/** From the first power-on of a machine, milliseconds. */
export type FleetStatistics = Readonly<Record<keyof typeof MILESTONES, Milestone>>;

export interface Milestone {
  /** Machines that came so far. */
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The first event that shows it, on the first boot that has it. */
export const MILESTONES = {
  offer: (event: MachineEvent) => event.stage === 'dhcp' && event.detail.startsWith('offered '),
  script: (event: MachineEvent) => event.stage === 'script',
  kernel: (event: MachineEvent) => event.stage === 'kernel',
  report: (event: MachineEvent) => event.detail === 'the region has the hardware report',
  install: (event: MachineEvent) => event.stage === 'agent' && event.detail.startsWith('ordered to install'),
  disk: (event: MachineEvent) => event.stage === 'disk' && event.detail.startsWith('boots '),
  host_up: (event: MachineEvent) => event.stage === 'check-in' && event.detail === 'heard',
} as const;

/** @throws RangeError naming the option that makes no sense. */
export async function runFleet(options: FleetOptions): Promise<FleetResult> {
  const macs = macsOf(options);
  if (!(options.concurrency >= 1)) throw new RangeError('concurrency must be at least 1');
  const relay = await openRelaySocket({
    address: options.network.clientAddress,
    port: options.network.relayPort,
  });
  const machines = macs.map((mac, index) =>
    createMachine({
      seed: options.seed,
      ...options.machine?.(mac, index),
      mac,
      network: options.network,
      relay,
      onEvent: (event) => options.onEvent?.(mac, event),
    }),
  );
  const allOff = (): void => machines.forEach((machine) => void machine.powerOff());
  // Every waiting machine listens to it, which is no leak.
  setMaxListeners(machines.length + MORE_LISTENERS, options.signal);
  options.signal.addEventListener('abort', allOff, { once: true });
  try {
    const outcomes = await lifeOfAll(machines, options);
    return {
      outcomes,
      byKind: countKinds(outcomes),
      statistics: statisticsOf(machines),
      violations: machines.flatMap((machine) => machine.disks().flatMap((disk) => [...disk.violations])),
    };
  } finally {
    options.signal.removeEventListener('abort', allOff);
    for (const machine of machines) await machine.close();
    await relay.close();
  }
}

/** The fleet's own, and its owner's. */
const MORE_LISTENERS = 10;

/** A machine's further ports have the addresses after its first; no two machines may share one. */
const PORTS_PER_MACHINE = 16;

/** Locally administered addresses: 02, two bytes of the seed, the number of the machine with room for its ports. */
export function fleetMac(seed: number, index: number): MacAddress {
  const ofSeed = ((seed >>> 0) % 2 ** 16).toString(16).padStart(4, '0');
  const ofMachine = (index * PORTS_PER_MACHINE).toString(16).padStart(6, '0');
  return parseMacAddress(`02${ofSeed}${ofMachine}`);
}

function macsOf(options: FleetOptions): MacAddress[] {
  if (!(options.machines >= 1 && options.machines <= 65_536)) {
    throw new RangeError('machines must be from 1 to 65536');
  }
  const given = options.macs?.map((mac, index) => parseMacAddress(mac, `macs[${index}]`));
  const macs = given ?? Array.from({ length: options.machines }, (_, index) => fleetMac(options.seed, index));
  if (macs.length !== options.machines) {
    throw new RangeError(`macs has ${macs.length} entries for ${options.machines} machines`);
  }
  if (new Set(macs).size !== macs.length) throw new RangeError('macs names a machine twice');
  return macs;
}

async function lifeOfAll(
  machines: readonly Machine[],
  options: FleetOptions,
): Promise<FleetResult['outcomes']> {
  const outcomes: { mac: MacAddress; outcome: Outcome }[] = [];
  const waiting = machines.map((machine, index) => ({ machine, index }));
  const begun = performance.now();
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { machine, index } = next;
      await sleep(Math.max(0, begun + index * options.staggerMs - performance.now()), options.signal);
      const outcome: Outcome = options.signal.aborted
        ? { kind: 'powered-off', detail: 'the fleet was stopped before its turn', boots: 0 }
        : await machine.powerOn().catch(brokenOutcome);
      outcomes.push({ mac: machine.mac, outcome });
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, machines.length) }, worker));
  return outcomes;
}

function brokenOutcome(thrown: unknown): Outcome {
  return { kind: 'stuck', detail: thrown instanceof Error ? thrown.message : String(thrown), boots: 0 };
}

function countKinds(outcomes: FleetResult['outcomes']): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of outcomes) counts[outcome.kind] = (counts[outcome.kind] ?? 0) + 1;
  return counts;
}

function statisticsOf(machines: readonly Machine[]): FleetStatistics {
  const entries = Object.entries(MILESTONES).map(([name, shows]) => [
    name,
    milestone(machines.flatMap((machine) => timeTo(machine.events, shows))),
  ]);
  return Object.fromEntries(entries) as FleetStatistics;
}

function timeTo(events: readonly MachineEvent[], shows: (event: MachineEvent) => boolean): number[] {
  const [first] = events;
  const reached = events.find(shows);
  return first === undefined || reached === undefined ? [] : [reached.at - first.at];
}

function milestone(times: readonly number[]): Milestone {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return { count: sorted.length, p50: at(0.5), p99: at(0.99), max: sorted.at(-1) ?? 0 };
}
