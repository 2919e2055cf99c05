/** The region's answer to every boot question: core's decision over the region's cached tasks. Synchronous; never asks etcd. */
import { bootTaskOf, decide } from '@lpmos/core';
import type { BootView, Clock, MacAddress, TaskCache } from '@lpmos/core';
import type { BootDecider } from '@lpmos/netboot';

export function createBootDecider(options: {
  readonly cache: TaskCache;
  readonly clock: Clock;
  readonly writeBudget: number;
  /** Another daemon may have moved tasks since this one was cut off from the store. */
  readonly isOld: () => boolean;
}): BootDecider {
  return { decide: (mac) => decide(viewOf(options, mac)) };
}

function viewOf(options: Parameters<typeof createBootDecider>[0], mac: MacAddress): BootView {
  if (!options.cache.ready) return { known: 'no-view' };
  const task = options.cache.ofMachine(mac);
  if (task === undefined) return { known: 'unknown-machine' };
  return {
    known: 'machine',
    ...(options.isOld() ? { isOld: true } : {}),
    task: bootTaskOf(task, { writeBudget: options.writeBudget, nowMs: options.clock.nowMs() }),
  };
}
