/** The region's answer to every boot question: core's decision over the region's cached tasks. Synchronous; never asks etcd. */
import { bootTaskOf, decide } from '@lpmos/core';
import type { BootView, Clock, MacAddress, TaskCache } from '@lpmos/core';
import type { BootDecider } from '@lpmos/netboot';

export function createBootDecider(options: {
  readonly cache: TaskCache;
  readonly clock: Clock;
  readonly writeBudget: number;
}): BootDecider {
  return { decide: (mac) => decide(viewOf(options, mac)) };
}

function viewOf(
  options: { readonly cache: TaskCache; readonly clock: Clock; readonly writeBudget: number },
  mac: MacAddress,
): BootView {
  if (!options.cache.ready) return { known: 'no-view' };
  const task = options.cache.ofMachine(mac);
  if (task === undefined) return { known: 'unknown-machine' };
  return {
    known: 'machine',
    task: bootTaskOf(task, { writeBudget: options.writeBudget, nowMs: options.clock.nowMs() }),
  };
}
