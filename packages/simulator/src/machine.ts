/**
 * A simulated machine: power, firmware, network boot, agent, disk. It speaks the bytes of a real one and keeps what a real one keeps:
 * its disks and its hardware; everything else is lost with the power, at any point.
 * One boot is boot.ts; this file is the power button, the boots in a row and the log. Every life has a deadline.
 */
import { generateHardware } from './hardware-generator';
import { createMemoryStorage } from './disk-storage';
import { createVirtualDisk } from './virtual-disk';
import type { VirtualDisk } from './virtual-disk';
import { bootOnce } from './boot';
import type { BootEnd } from './boot';
import { openRelaySocket } from './relay-socket';
import type { RelaySocket } from './relay-socket';
import type { Machine, MachineEvent, MachineOptions, Outcome } from './machine-types';
import { createSeededRandom } from './seeded-random';
import { parseMacAddress } from '@lpmos/core';
import type { Disk } from '@lpmos/core';
import { systemClock } from '@lpmos/runtime';

/** A machine that boots more often than this without an end is in a loop. */
const MOST_BOOTS = 20;
const LIFE_MS = 15 * 60 * 1000;
/** Events kept per machine; the oldest go first. */
const MOST_EVENTS = 10_000;

class PowerCut extends Error {
  constructor(readonly then: 'off' | 'reset' | 'deadline') {
    super(`power: ${then}`);
    this.name = 'PowerCut';
  }
}

export function createMachine(options: MachineOptions): Machine {
  const mac = parseMacAddress(options.mac, 'mac');
  const clock = options.clock ?? systemClock;
  const firmware = options.firmware ?? 'bios';
  const events: MachineEvent[] = [];
  const disks = new Map<string, VirtualDisk>();
  const state: MachineState = { boot: 0, hardware: generateHardware({ ...options, mac, firmware }) };

  const log = (event: Omit<MachineEvent, 'at' | 'boot'>): void => {
    const full = { at: clock.nowMs(), boot: state.boot, ...event };
    events.push(full);
    if (events.length > MOST_EVENTS) events.shift();
    options.onEvent?.(full);
  };
  const plug = (disk: Disk): VirtualDisk => {
    const made = createVirtualDisk({
      identity: disk,
      storage: options.storage?.(disk) ?? createMemoryStorage(disk.size_bytes),
      ...(options.hooks?.onDiskWrite === undefined ? {} : { onWrite: options.hooks.onDiskWrite }),
    });
    disks.set(disk.serial, made);
    return made;
  };
  if (state.hardware.disks.length === 0) throw new RangeError('diskCount must be at least 1');
  state.hardware.disks.forEach(plug);
  const plugged = (): VirtualDisk[] => state.hardware.disks.flatMap((disk) => disks.get(disk.serial) ?? []);
  const cut = (then: PowerCut['then']): void => state.power?.abort(new PowerCut(then));

  const machine: Machine = {
    mac,
    events,
    get disk() {
      const [first] = plugged();
      if (first === undefined) throw new Error(`machine ${mac} has no disk left`);
      return first;
    },
    disks: plugged,
    hardware: () => state.hardware,
    changeHardware(change) {
      state.hardware = change(state.hardware);
      for (const disk of state.hardware.disks) if (!disks.has(disk.serial)) plug(disk);
    },
    powerOn() {
      if (state.running !== undefined) throw new Error(`machine ${mac} is on already`);
      const running = live().finally(() => delete state.running);
      state.running = running;
      return running;
    },
    async powerOff() {
      cut('off');
      await state.running?.catch(() => undefined);
    },
    reset: () => cut('reset'),
    breakLink: () => state.breakLink?.(),
    async close() {
      await machine.powerOff();
      for (const disk of disks.values()) await disk.close();
    },
  };

  const live = async (): Promise<Outcome> => {
    const own = options.relay === undefined ? await openRelaySocket(relayOf(options)) : undefined;
    const relay = options.relay ?? own;
    const deadline = setTimeout(() => cut('deadline'), options.lifeMs ?? LIFE_MS);
    log({ stage: 'power', detail: 'on' });
    try {
      const outcome = await bootsInARow({ options, machine, state, log, relay: relay as RelaySocket });
      log({ stage: 'power', detail: `ends: ${outcome.kind}: ${outcome.detail}` });
      return outcome;
    } finally {
      clearTimeout(deadline);
      delete state.power;
      await own?.close();
    }
  };
  return machine;
}

interface MachineState {
  /** 1 is the first boot after creation; counts on over power cycles. */
  boot: number;
  hardware: ReturnType<typeof generateHardware>;
  power?: AbortController;
  running?: Promise<Outcome>;
  breakLink?: () => void;
}

interface LifeParts {
  readonly options: MachineOptions;
  readonly machine: Machine;
  readonly state: MachineState;
  readonly log: (event: Omit<MachineEvent, 'at' | 'boot'>) => void;
  readonly relay: RelaySocket;
}

async function bootsInARow(parts: LifeParts): Promise<Outcome> {
  const { options, state, log } = parts;
  let hostUps = 0;
  const wantedUps = 1 + (options.bootLoop ?? 0);
  for (let boots = 1; boots <= MOST_BOOTS + wantedUps; boots += 1) {
    const end = await oneBoot(parts);
    if (end.kind === 'reboot') {
      log({ stage: 'power', detail: `reboots: ${end.reason}` });
      continue;
    }
    if (end.kind === 'host-up' && (hostUps += 1) < wantedUps) {
      log({ stage: 'power', detail: `boot loop: ${hostUps} of ${wantedUps}` });
      continue;
    }
    return { ...end, boots: state.boot };
  }
  return { kind: 'boot-limit', detail: `no end after ${MOST_BOOTS} boots`, boots: state.boot };
}

type LifeStep = BootEnd | { readonly kind: 'powered-off' | 'deadline'; readonly detail: string };

async function oneBoot({ options, machine, state, log, relay }: LifeParts): Promise<LifeStep> {
  const power = new AbortController();
  state.power = power;
  state.boot += 1;
  const { signal } = power;
  const boot = state.boot;
  try {
    return await bootOnce({
      machine,
      relay,
      signal,
      log,
      network: options.network,
      firmware: options.firmware ?? 'bios',
      rom: options.rom ?? 'ipxe',
      clock: options.clock ?? systemClock,
      random: createSeededRandom(options.seed, machine.mac, `boot ${boot}`),
      timeScale: options.timeScale ?? 1,
      collectHardware: () => collect(options, machine, boot),
      onSession: (session) => (state.breakLink = session.breakLink),
      at: async (point) => {
        signal.throwIfAborted();
        await options.hooks?.at?.(point, { machine, boot });
        signal.throwIfAborted();
      },
    });
  } catch (thrown) {
    const reason: unknown = signal.aborted ? signal.reason : thrown;
    if (!(reason instanceof PowerCut)) throw thrown;
    if (reason.then === 'reset') return { kind: 'reboot', reason: 'reset button' };
    return reason.then === 'off'
      ? { kind: 'powered-off', detail: 'the power was cut' }
      : { kind: 'deadline', detail: `no end within ${options.lifeMs ?? LIFE_MS} ms` };
  } finally {
    /** Whatever a boot left running (a download, a stream, a timer) ends with it. */
    power.abort(new PowerCut('reset'));
    delete state.breakLink;
  }
}

/** What an agent would read from this machine now: disks as they are, not as they were. */
function collect(options: MachineOptions, machine: Machine, boot: number): ReturnType<Machine['hardware']> {
  const contents = new Map(machine.disks().map((disk) => [disk.identity.serial, disk.contents()]));
  const hardware = machine.hardware();
  const fresh = {
    ...hardware,
    disks: hardware.disks.map((disk) => ({ ...disk, contents: contents.get(disk.serial) ?? disk.contents })),
    collected_at: new Date((options.clock ?? systemClock).nowMs()).toISOString(),
  };
  return options.hooks?.onCollect?.(fresh, { machine, boot }) ?? fresh;
}

function relayOf(options: MachineOptions) {
  return { address: options.network.clientAddress, port: options.network.relayPort };
}
