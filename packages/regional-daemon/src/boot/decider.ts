/** The region's answer to every boot question: core's decision over the region's cached tasks. Synchronous; never asks etcd. */
import { decide, isGrantLive } from '@lpmos/core';
import type { BootTask, BootView, Clock, MacAddress, TaskCache, TaskRecord } from '@lpmos/core';
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
  return { known: 'machine', task: bootTask(task, options.writeBudget, options.clock.nowMs()) };
}

function bootTask(task: TaskRecord, writeBudget: number, nowMs: number): BootTask {
  const { metadata, status, run, approval, grant } = task;
  const exitMethod = metadata.boot?.exit_method;
  const base = {
    ...{ id: metadata.id, status, attempt: run.attempt },
    ...(exitMethod === undefined ? {} : { exitMethod }),
  };
  if (grant === undefined || approval?.grant_expires_at === undefined) return base;
  const live = isGrantLive(
    { expiresAtMs: Date.parse(approval.grant_expires_at), attempt: run.attempt, writeBudget },
    nowMs,
  );
  return { ...base, grant: { live } };
}
