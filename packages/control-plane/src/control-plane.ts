/**
 * The composition root: binds the store to the use cases, the use cases to the routes, the routes to a listener.
 * The listener comes up first and says honestly what is missing: /readyz is red until the tasks are read, and a replica that
 * starts while etcd is away waits for it instead of ending.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import type { Clock, Sha256 } from '@lpmos/core';
import { createHealth, createMetrics, systemClock } from '@lpmos/runtime';
import type { Component, Logger } from '@lpmos/runtime';
import { createBootStore, createRegionStore, createTaskStore, watchTasks } from '@lpmos/store';
import type { Kv, WatchedTasks } from '@lpmos/store';
import type { Express } from 'express';
import { createApp } from './app';
import type { PublicKeys } from './auth/public-keys';
import { createEventFeed } from './events/event-feed';
import type { EventFeed } from './events/event-feed';
import { createFreshness } from './freshness';
import type { SignGrant } from './grants/sign-grant';
import { createHttpServer } from './http-server';
import { eventHandlers } from './routes/events';
import { machineHandlers } from './routes/machines';
import { regionHandlers } from './routes/regions';
import { serviceHandlers } from './routes/service';
import { taskHandlers } from './routes/tasks';
import { createStoreHead } from './store-head';
import { watchMetrics } from './store-metrics';
import type { UseCaseDeps } from './use-cases/use-case';

export interface ControlPlaneOptions {
  readonly kv: Kv;
  readonly logger: Logger;
  readonly version: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly tokens: { readonly keys: PublicKeys; readonly issuer: string; readonly audience: string };
  readonly signGrant: SignGrant;
  readonly grantSeconds: number;
  readonly clock?: Clock;
  readonly processMetrics?: boolean;
  readonly onListening?: (address: AddressInfo) => void;
}

/** Silence after which the cache may be old: a probe of the watch (3 s), its deadline (5 s) and a little. */
const STORE_SILENCE_MS = 10_000;

const sha256: Sha256 = (bytes) => createHash('sha256').update(bytes).digest();

export function createControlPlane(options: ControlPlaneOptions): readonly Component[] {
  const { kv, logger, clock = systemClock } = options;
  const cache = watchTasks({ kv, clock, logger, wholeTree: true });
  const { app, feed } = buildApp(options, { cache, clock });
  return [
    storeComponent(kv),
    createHttpServer({
      listener: app,
      ...options.listen,
      tls: options.tls,
      logger,
      onStopping: () => feed.close('the replica shuts down'),
      ...(options.onListening === undefined ? {} : { onListening: options.onListening }),
    }),
    cacheComponent(cache),
  ];
}

function buildApp(
  options: ControlPlaneOptions,
  { cache, clock }: { readonly cache: WatchedTasks; readonly clock: Clock },
): { readonly app: Express; readonly feed: EventFeed } {
  const { kv, logger, version } = options;
  const metrics = createMetrics({ processMetrics: options.processMetrics ?? true });
  const health = createHealth();
  health.register('task_cache', () => ({
    ok: cache.ready,
    detail: cache.ready
      ? `applied up to revision ${cache.revision}`
      : 'the tasks have not been read from etcd yet',
  }));
  health.register('store', () => storeHealth(cache.silentForMs));
  const sample = watchMetrics(metrics, cache);
  const freshness = createFreshness({ cache, head: createStoreHead({ kv }) });
  const deps: UseCaseDeps = {
    tasks: createTaskStore({ kv, clock }),
    cache,
    regions: createRegionStore({ kv }),
    boots: createBootStore({ kv }),
    freshness,
    signGrant: options.signGrant,
    grantSeconds: options.grantSeconds,
    clock,
    sha256,
    randomBytes,
  };
  const feed = createEventFeed({ cache, freshness, clock, logger, metrics });
  const handlers = {
    ...taskHandlers(deps),
    ...regionHandlers(deps),
    ...machineHandlers(deps),
    ...eventHandlers({ feed, sha256 }),
    ...serviceHandlers({ health, metrics, sample, version }),
  };
  const tokenRules = { ...options.tokens, clock };
  const app = createApp({ handlers, tokenRules, logger, metrics, tls: options.tls !== undefined });
  return { app, feed };
}

function storeHealth(silentForMs: number): { readonly ok: boolean; readonly detail: string } {
  if (silentForMs === Infinity) return { ok: false, detail: 'etcd has not answered yet' };
  const seconds = (silentForMs / 1000).toFixed(1);
  return { ok: silentForMs <= STORE_SILENCE_MS, detail: `etcd was last heard from ${seconds} s ago` };
}

/** Does not wait for the first list: without etcd the program runs, unready, and can still be stopped. */
function cacheComponent(cache: WatchedTasks): Component {
  return {
    name: 'task-cache',
    start(signal) {
      void cache.start(signal);
      return Promise.resolve({ done: cache.done });
    },
  };
}

/** Stopped last, when nobody asks any more. */
function storeComponent(kv: Kv): Component {
  return {
    name: 'store',
    start: (signal) =>
      Promise.resolve({
        done: new Promise<void>((resolve) => {
          const close = (): void => {
            kv.close();
            resolve();
          };
          if (signal.aborted) close();
          else signal.addEventListener('abort', close, { once: true });
        }),
      }),
  };
}
