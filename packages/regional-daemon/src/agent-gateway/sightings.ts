/**
 * The seed's keys `/lpmos/agents/{mac}/info|last_seen|task_id`: what the region saw of each connected agent, for people who look into etcd.
 * Advisory: no decision rests on it, and a sighting that could not be written is simply the next one's. Written in batches on a timer,
 * because a rack of waiting machines must not cost a write a second.
 */
import type { Clock, Fence, MacAddress, TaskCache, TaskId } from '@lpmos/core';
import { sleep } from '@lpmos/runtime';
import type { Logger } from '@lpmos/runtime';
import type { RegionStore } from '@lpmos/store';
import type { Agents } from './agents';

export interface SightingsOptions {
  readonly agents: Agents;
  readonly cache: TaskCache;
  readonly regions: RegionStore;
  readonly fence: () => Fence | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

const EVERY_MS = 15_000;

/** Runs until the signal aborts. */
export async function writeSightings(options: SightingsOptions, signal: AbortSignal): Promise<void> {
  const told = new Map<MacAddress, TaskId>();
  while (!signal.aborted) {
    await sleep(EVERY_MS, signal);
    for (const id of options.agents.connectedTasks()) {
      if (signal.aborted) return;
      await writeOne(options, id, told).catch((thrown: unknown) => {
        options.logger.debug({ task_id: id, err: thrown }, 'agent sighting not written');
      });
    }
  }
}

async function writeOne(options: SightingsOptions, id: TaskId, told: Map<MacAddress, TaskId>): Promise<void> {
  const fence = options.fence();
  const task = options.cache.get(id);
  if (fence === undefined || task === undefined) return;
  const mac = task.metadata.target_mac;
  const first = told.get(mac) !== id;
  const info = { region_id: task.metadata.region_id, session_id: task.run.session_id ?? '' };
  const seenAtMs = options.clock.nowMs();
  const outcome = await options.regions.putAgent(
    first ? { mac, seenAtMs, taskId: id, info } : { mac, seenAtMs },
    fence,
  );
  if (outcome.kind === 'done') told.set(mac, id);
}
