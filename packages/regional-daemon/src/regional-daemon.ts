/**
 * The composition root of the regional daemon: builds the two halves (region-planning.ts thinks, machine-doors.ts meets machines), what shows
 * the region to people, and gives all to the run group in the order in which they must start. No decision is made here.
 */
import { offerImage } from '@lpmos/core';
import type { Clock, RegionCapabilities } from '@lpmos/core';
import { createMetrics, systemClock } from '@lpmos/runtime';
import type { Component, Logger, Metrics } from '@lpmos/runtime';
import { createEtcdKv, createRegionStore } from '@lpmos/store';
import type { EtcdConfig, Kv } from '@lpmos/store';
import type { RegionalDaemonConfig } from './config';
import { healthBody } from './health-body';
import type { Catalogue } from './images/catalogue';
import { createMachineDoors } from './machine-doors';
import { createPresence } from './presence';
import { regionComponents } from './region-components';
import { createRegionPlanning } from './region-planning';

export interface RegionalDaemonOptions {
  readonly config: RegionalDaemonConfig;
  readonly version: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** A memory store in tests; etcd otherwise. */
  readonly kv?: Kv;
  readonly metrics?: Metrics;
}

export async function createRegionalDaemon(options: RegionalDaemonOptions): Promise<readonly Component[]> {
  const { config, logger, version, clock = systemClock } = options;
  const metrics = options.metrics ?? createMetrics({ processMetrics: true });
  const kv = options.kv ?? createEtcdKv(etcdConfig(config));
  const planning = createRegionPlanning({ config, kv, clock, logger });
  const { cache, catalogue, leadership, fence, agents, loop } = planning;
  const regions = createRegionStore({ kv });
  const presence = createPresence({
    ...{ kv, fence, clock, logger, regions },
    capabilities: () => capabilitiesOf(catalogue, config, version),
  });
  const doors = await createMachineDoors({
    ...{ config, planning, clock, logger, metrics },
    health: () =>
      healthBody({
        regionId: config.regionId,
        nodeName: config.nodeName,
        version,
        services: { ...doors.bootServices.states(), agent: doors.gateway.state() },
        etcdSilentForMs: cache.silentForMs,
        tasksRead: cache.ready,
        leadership: leadership.state,
        leader: leadership.leader,
        lastHeartbeat: presence.lastHeartbeat,
        problems: [...catalogue.problems, ...doors.loaders.problems],
        agents: agents.connectedTasks().length,
      }),
  });
  return regionComponents({
    ...{ kv, cache, catalogue, loop, leadership, presence, logger, ...doors },
    sightings: { agents, cache, regions, fence, clock, logger },
  });
}

function capabilitiesOf(
  catalogue: Catalogue,
  config: RegionalDaemonConfig,
  version: string,
): RegionCapabilities {
  return {
    schema_version: 1,
    images: catalogue.images.map(offerImage),
    services: config.dhcp === undefined ? ['tftp', 'http', 'agent'] : ['dhcp', 'tftp', 'http', 'agent'],
    daemon_version: version,
  };
}

function etcdConfig(config: RegionalDaemonConfig): EtcdConfig {
  const { etcdEndpoints: endpoints, etcdCa, etcdCert, etcdKey } = config;
  if (etcdCa === undefined) return { endpoints };
  const client =
    etcdCert === undefined || etcdKey === undefined
      ? {}
      : { cert: Buffer.from(etcdCert.text), key: Buffer.from(etcdKey.text) };
  return { endpoints, tls: { ca: Buffer.from(etcdCa.text), ...client } };
}
