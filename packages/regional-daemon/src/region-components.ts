/**
 * The parts of the daemon as components of the run group, in the order of their start: the view of the region, then what serves machines, then
 * leadership, and DHCP once this daemon leads. Stopping goes the other way round, so machines stop being invited before services end.
 */
import type { Component, Logger } from '@lpmos/runtime';
import { sleep, whenAborted } from '@lpmos/runtime';
import type { Kv, WatchedTasks } from '@lpmos/store';
import type { AgentGateway } from './agent-gateway/gateway';
import type { ProgressWriter } from './agent-gateway/progress-writer';
import { writeSightings } from './agent-gateway/sightings';
import type { SightingsOptions } from './agent-gateway/sightings';
import type { UsedTickets } from './boot/used-tickets';
import type { HistoryWriter } from './boot-history/history-writer';
import type { BootServices } from './boot-services';
import type { Catalogue } from './images/catalogue';
import type { LeaseCopier } from './leases/lease-copier';
import type { LeadershipKeeper } from './leadership';
import type { Presence } from './presence';
import type { ReconcileLoop } from './reconcile/loop';

export interface RegionParts {
  readonly kv: Kv;
  readonly cache: WatchedTasks;
  readonly catalogue: Catalogue;
  readonly loop: ReconcileLoop;
  readonly progress: ProgressWriter;
  readonly gateway: AgentGateway;
  readonly bootServices: BootServices;
  readonly leadership: LeadershipKeeper;
  readonly presence: Presence;
  readonly historyWriter: HistoryWriter;
  readonly copies: LeaseCopier;
  readonly usedTickets: UsedTickets;
  readonly sightings: SightingsOptions;
  readonly standsBy: () => boolean;
  readonly logger: Logger;
}

/** A new image is offered within this time of its manifest's arrival. */
const CATALOGUE_MS = 10_000;
const PROGRESS_MS = 2_000;
/** A daemon that starts while etcd is away serves "cannot know yet" after this, instead of staying silent. */
const FIRST_LIST_MS = 5_000;

export function regionComponents(parts: RegionParts): readonly Component[] {
  return [
    storeConnection(parts),
    taskView(parts),
    catalogueWatch(parts),
    reconciliation(parts),
    machineServices(parts),
    regionLeadership(parts),
    running('presence', (signal) => parts.presence.run(signal)),
    running('boot history', (signal) => parts.historyWriter.run(signal)),
    agentsOfTheLeader(parts),
    running('copies of leases', (signal) => parts.copies.run(signal)),
    running('agent sightings', (signal) => writeSightings(parts.sightings, signal)),
  ];
}

function storeConnection({ kv, usedTickets }: RegionParts): Component {
  return running('store connection', async (signal) => {
    await whenAborted(signal);
    await usedTickets.close();
    kv.close();
  });
}

function taskView({ cache, logger }: RegionParts): Component {
  return {
    name: 'task view',
    async start(signal) {
      const first = cache.start(signal);
      const late = AbortSignal.timeout(FIRST_LIST_MS);
      await Promise.race([first, whenAborted(AbortSignal.any([late, signal]))]);
      if (!cache.ready) logger.warn({}, 'the tasks could not be read yet; machines are told to wait');
      return { done: cache.done };
    },
  };
}

function catalogueWatch({ catalogue, loop, presence, logger }: RegionParts): Component {
  return {
    name: 'catalogue',
    async start(signal) {
      await catalogue.refresh();
      for (const problem of catalogue.problems) logger.warn({ problem }, 'not offered');
      const watch = async (): Promise<void> => {
        while (!signal.aborted) {
          await sleep(CATALOGUE_MS, signal);
          if (signal.aborted || !(await catalogue.refresh())) continue;
          presence.poke();
          loop.addAll();
        }
      };
      return { done: watch() };
    },
  };
}

function reconciliation({ loop, progress }: RegionParts): Component {
  return running('reconciliation', async (signal) => {
    loop.start();
    while (!signal.aborted) {
      await sleep(PROGRESS_MS, signal);
      await progress.flush();
    }
    await loop.stop();
  });
}

function machineServices({ bootServices, gateway, logger }: RegionParts): Component {
  return {
    name: 'machine services',
    async start(signal) {
      const close = () => Promise.all([bootServices.stop(), gateway.stop()]);
      // A port that is taken ends the daemon; what was bound before it must not hold the process.
      const ports = await open(bootServices, gateway).catch(async (thrown: unknown) => {
        await close().catch(() => undefined);
        throw thrown;
      });
      const stop = async (): Promise<void> => {
        await whenAborted(signal);
        await close();
      };
      logger.info({ ports }, 'machine services are up');
      return { done: stop() };
    },
  };
}

async function open(
  bootServices: BootServices,
  gateway: AgentGateway,
): Promise<Readonly<Record<string, number>>> {
  const boot = await bootServices.start();
  return { ...boot, ...(await gateway.start()) };
}

/** Ready once this daemon leads and DHCP is bound, or once it knows that it stands by. */
function regionLeadership({ leadership, bootServices, gateway, logger }: RegionParts): Component {
  return {
    name: 'leadership',
    async start(signal) {
      const run = leadership.run(signal);
      run.catch(() => undefined);
      await decided(leadership, run, signal);
      const serve = async (): Promise<void> => {
        // Not before: a daemon that is merely cut off from etcd may have a leading sister that answers the same clients.
        while (!signal.aborted && leadership.state !== 'leading') await sleep(STATE_POLL_MS, signal);
        if (!signal.aborted) await bootServices.startDhcp(true);
      };
      if (leadership.state === 'leading') await bootServices.startDhcp(false);
      const serving = serve();
      const ports = { ...bootServices.ports(), ...gateway.ports() };
      logger.info({ ports, leadership: leadership.state }, 'serving');
      return { done: Promise.all([run, serving]).then(() => undefined) };
    },
  };
}

const DISMISS_MS = 1_000;

/** Agents that came while this daemon led must not wait with it while another one leads. */
function agentsOfTheLeader({ sightings: { agents }, standsBy }: RegionParts): Component {
  return running('agents of who leads', async (signal) => {
    while (!signal.aborted) {
      await sleep(DISMISS_MS, signal);
      if (standsBy()) agents.dismissAll('this daemon does not lead the region now; ask the other one');
    }
  });
}

const STATE_POLL_MS = 50;
/** With etcd away nobody can be elected; the daemon then serves what needs no leadership. */
const ELECTION_MS = 5_000;

async function decided(leadership: LeadershipKeeper, run: Promise<void>, signal: AbortSignal): Promise<void> {
  const late = AbortSignal.any([AbortSignal.timeout(ELECTION_MS), signal]);
  const ended = run.then(() => undefined);
  while (!late.aborted && leadership.state !== 'leading' && leadership.state !== 'standby') {
    await Promise.race([sleep(STATE_POLL_MS, late), ended]);
  }
}

function running(name: string, run: (signal: AbortSignal) => Promise<void>): Component {
  return { name, start: async (signal) => ({ done: run(signal) }) };
}
