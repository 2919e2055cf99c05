/**
 * The power fails at every step of a machine's life, for each of the three processes in turn: whoever was killed comes back, and the life ends
 * as if nothing had happened. Rule for writes: one destructive start in a life. A second one would need a new agent session (a rebooted
 * machine), and killing a server reboots no machine: the agent resumes its session with its token and is ordered the same attempt again.
 */
import { TASK_EVENTS } from '@lpmos/core';
import type { TaskId, TimelineEvent } from '@lpmos/core';
import { fleetMac, when } from '@lpmos/simulator';
import type { Machine, MachineOptions } from '@lpmos/simulator';
import { judge } from './checker';
import { approve, insist, liveUntilUp, newMachine, orderInstall, untilStatus } from './harness/life';
import { startSite, until } from './harness/site';
import type { Site, Victim } from './harness/site';

jest.setTimeout(120_000);

const STEPS = [
  'task_created',
  'prepared',
  'boot_contacted',
  'hardware_reported',
  'approved',
  'install_started',
  'mid-write',
  'install_succeeded',
  'host_up',
] as const;
type Step = (typeof STEPS)[number];
const VICTIMS: readonly Victim[] = ['regional daemon', 'control plane', 'etcd'];
const KILL_POINTS = VICTIMS.flatMap((victim) => STEPS.map((step) => [victim, step] as const));

let site: Site;
const machines: Machine[] = [];
const acknowledged: TaskId[] = [];
beforeAll(async () => {
  site = await startSite();
});
afterAll(async () => {
  for (const machine of machines) await machine.close();
  await site.stop();
});

interface Strike {
  readonly hooks: NonNullable<MachineOptions['hooks']>;
  /** Resolves when the victim is back. */
  readonly done: Promise<void>;
  /** Begins to look for the step in etcd. */
  watch(mac: string): void;
}

/** Kills once, at the moment the step is in etcd (or the disk is half written), and starts the victim again. */
function strikeAt(step: Step, victim: Victim): Strike {
  let settle: (outcome: Promise<void>) => void = () => undefined;
  const done = new Promise<void>((resolve) => (settle = resolve));
  const strike = async (): Promise<void> => {
    await site.kill(victim);
    settle(site.restart(victim));
  };
  return {
    done,
    hooks: step === 'mid-write' ? when({ point: 'write-half' }, strike) : {},
    watch(mac) {
      if (step === 'mid-write') return;
      const stop = site.tasks.onChange(({ id }) => {
        const task = site.tasks.get(id);
        if (task?.metadata.target_mac !== mac || !task.timeline.some(({ event }) => event === step)) return;
        stop();
        strike().catch((thrown: unknown) => settle(Promise.reject(thrown as Error)));
      });
    },
  };
}

const eventsOf = (timeline: readonly TimelineEvent[]): string[] => timeline.map(({ event }) => event);

describe('a life in which the power fails once', () => {
  it.each(KILL_POINTS)('%s killed at %s', async (victim, step) => {
    const mac = fleetMac(100, machines.length);
    const strike = strikeAt(step, victim);
    const machine = newMachine(site, mac, { hooks: strike.hooks });
    machines.push(machine);
    strike.watch(mac);

    const id = await orderInstall(site.stack.api, mac);
    acknowledged.push(id);
    const [outcome] = await Promise.all([liveUntilUp(machine), approve(site, site.stack.api, id)]);
    await strike.done;
    await until('the host_up event', () => eventsOf(site.tasks.get(id)?.timeline ?? []).includes('host_up'));

    expect(outcome.kind).toBe('host-up');
    const task = await untilStatus(site, id, 'completed');
    expect(eventsOf(task.timeline).filter((event) => event === 'host_up')).toHaveLength(1);
    expect(eventsOf(task.timeline).filter((event) => event === 'install_started')).toHaveLength(1);
    expect(machine.disk.history()).toMatchObject([{ taskId: id, attempt: 1, ended: 'finished' }]);
    expect(
      judge({ entries: await site.everything(), disks: machines.map((one) => one.disk), acknowledged }),
    ).toEqual([]);
  });

  it('leaves every machine free for another task', async () => {
    for (const { mac } of machines) {
      const id = await orderInstall(site.stack.api, mac);
      await insist(() => site.stack.api.cancelTask(id));
      await untilStatus(site, id, 'cancelled');
      acknowledged.push(id);
    }
    expect(
      judge({ entries: await site.everything(), disks: machines.map((one) => one.disk), acknowledged }),
    ).toEqual([]);
  });

  it('never waited for the session of a daemon that was killed', () => {
    const said = (words: string): number => site.daemonLines.filter((line) => line.includes(words)).length;
    expect(said('"standing by"')).toBe(0);
    expect(said('"ended our own past leadership"')).toBe(STEPS.length);
  });

  it('has met every event of an undisturbed life', async () => {
    const met = new Set(site.tasks.ids().flatMap((id) => eventsOf(site.tasks.get(id)?.timeline ?? [])));
    const undisturbed = STEPS.filter((step) => step !== 'mid-write');
    expect(undisturbed.filter((step) => !met.has(step))).toEqual([]);
    expect(
      undisturbed.filter((step) => step !== 'task_created' && !Object.hasOwn(TASK_EVENTS, step)),
    ).toEqual([]);
  });
});
