/**
 * The composition root of the regional daemon: builds the two halves (region-planning.ts thinks, machine-doors.ts meets machines), what shows
 * the region to people, and gives all to the run group in the order in which they must start. No decision is made here.
 */
import { offerImage } from '@lpmos/core';
import type { Clock, RegionCapabilities } from '@lpmos/core';
import { createMetrics, systemClock } from '@lpmos/runtime';
import type { Component, Logger, Metrics, OnReload } from '@lpmos/runtime';
import { createBootStore, createEtcdKv, createLeaseStore, createRegionStore } from '@lpmos/store';
import type { EtcdConfig, Kv } from '@lpmos/store';
import { createHistoryWriter } from './boot-history/history-writer';
import type { RegionalDaemonConfig } from './config';
import { proxyNotices } from './boot/grub-loaders';
import { offeredBoot, offeredLinks } from './boot/offered-links';
import { healthBody } from './health-body';
import type { Catalogue } from './images/catalogue';
import { createLeaseCopier } from './leases/lease-copier';
import type { DaemonLink } from './links/daemon-links';
import { generalAddress } from './links/daemon-links';
import { checkLinks, createLiveLinks } from './links/live-links';
import type { PassedSocket } from './links/sockets';
import { createMachineDoors, readBootFiles } from './machine-doors';
import type { MachineDoors } from './machine-doors';
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
  /** Sockets that a service manager opened. */
  readonly passed?: readonly PassedSocket[];
  readonly onReload?: OnReload<RegionalDaemonConfig>;
}

/** @throws ConfigError with every problem of the links, before anything is opened */
export async function createRegionalDaemon(options: RegionalDaemonOptions): Promise<readonly Component[]> {
  const { config, logger, version, clock = systemClock } = options;
  const passed = options.passed ?? [];
  const links = await checkLinks(config, passed, (of) => readBootFiles(config, of));
  const metrics = options.metrics ?? createMetrics({ processMetrics: true });
  const kv = options.kv ?? createEtcdKv(etcdConfig(config));
  const planning = createRegionPlanning({ config, kv, clock, logger });
  const { cache, catalogue, leadership, fence, agents, loop } = planning;
  const copies = createLeaseCopier({
    ...{ store: createLeaseStore({ kv }), regionId: config.regionId, fence, logger },
  });
  const regions = createRegionStore({ kv });
  const presence = createPresence({
    ...{ kv, fence, clock, logger, regions },
    capabilities: () => capabilitiesOf({ catalogue, config, version, doors, links: liveLinks.now() }),
  });
  const doors = await createMachineDoors({
    ...{ config, planning, clock, logger, metrics, links, passed, copies },
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
        problems: [...catalogue.problems, ...doors.loaders.problems, ...liveLinks.problems()],
        notices: proxyNotices(liveLinks.now(), config.uefiChain),
        agents: agents.connectedTasks().length,
      }),
  });
  const liveLinks = createLiveLinks({
    ...{ config, links, logger, metrics },
    onReload: options.onReload ?? (() => undefined),
    apply: (next) => {
      doors.bootServices.reconfigure(next);
      presence.poke();
    },
  });
  const historyWriter = createHistoryWriter({
    ...{ history: doors.bootHistory, store: createBootStore({ kv }), fence, logger },
  });
  return regionComponents({
    ...{ kv, cache, catalogue, loop, leadership, presence, historyWriter, copies, logger, ...doors },
    sightings: { agents, cache, regions, fence, clock, logger },
  });
}

function capabilitiesOf(parts: {
  readonly catalogue: Catalogue;
  readonly config: RegionalDaemonConfig;
  readonly version: string;
  readonly doors: MachineDoors;
  readonly links: readonly DaemonLink[];
}): RegionCapabilities {
  const { catalogue, config, version, doors, links } = parts;
  const { kernelArguments, serviceAddress } = config;
  const { bootServices, gateway, loaders, grubTransfer } = doors;
  const boot = (address: string) =>
    offeredBoot({
      ...{ kernelArguments, grubTransfer },
      baseUrl: bootServices.baseUrl(address),
      partnerUrl: bootServices.partnerUrl(address),
      agentEndpoint: gateway.agentEndpoint(address),
    });
  const states = bootServices.states();
  const served = (['dhcp', 'tftp', 'http'] as const).filter((name) => states[name] !== 'off');
  return {
    schema_version: 1,
    images: catalogue.images.map(offerImage),
    services: [...served, 'agent'],
    daemon_version: version,
    links: offeredLinks({
      links,
      baseUrl: (address) => bootServices.baseUrl(address),
      ...{ loaders, boot },
    }),
    boot: boot(generalAddress(links, serviceAddress)),
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
