/**
 * The composition root of the regional daemon: builds the parts, wires them, and gives them to the run group in the order in which
 * they must start. No decision is made here. Reads top to bottom as: view of the region → planner → agents → boot servers → leadership.
 */
import { createHash } from 'node:crypto';
import { findImage, offerImage, regionTag } from '@lpmos/core';
import type { Clock, RegionCapabilities, TaskId, TaskRecord } from '@lpmos/core';
import { createMetrics, systemClock } from '@lpmos/runtime';
import type { Component, Logger, Metrics } from '@lpmos/runtime';
import { createEtcdKv, createRegionStore, createTaskStore, watchTasks } from '@lpmos/store';
import type { EtcdConfig, Kv } from '@lpmos/store';
import { createAgents } from './agent-gateway/agents';
import { createAgentGateway } from './agent-gateway/gateway';
import { createProgressWriter } from './agent-gateway/progress-writer';
import { createAgentScripts } from './boot/agent-scripts';
import { readLoaders } from './boot/boot-files';
import { createContacts } from './boot/contacts';
import { createBootDecider } from './boot/decider';
import { openRegionSecrets } from './boot/secrets';
import { siteInitramfs } from './boot/site-initramfs';
import { openUsedTickets } from './boot/used-tickets';
import { createBootEventLog } from './boot/event-log';
import { createBootServices } from './boot-services';
import type { RegionalDaemonConfig } from './config';
import { healthBody } from './health-body';
import { createCatalogue } from './images/catalogue';
import type { Catalogue } from './images/catalogue';
import { createLeadership } from './leadership';
import { createPresence } from './presence';
import { createReconcileLoop } from './reconcile/loop';
import { createReconciler } from './reconcile/reconciler';
import { preparationOf } from './reconcile/preparation';
import { regionComponents } from './region-components';

export interface RegionalDaemonOptions {
  readonly config: RegionalDaemonConfig;
  readonly version: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** A memory store in tests; etcd otherwise. */
  readonly kv?: Kv;
  readonly metrics?: Metrics;
}

/** The agent's own budget check uses the grant's number; the region spends no more than the hub's default. */
const WRITE_BUDGET = 3;

export async function createRegionalDaemon(options: RegionalDaemonOptions): Promise<readonly Component[]> {
  const { config, logger, version, clock = systemClock } = options;
  const metrics = options.metrics ?? createMetrics({ processMetrics: true });
  const kv = options.kv ?? createEtcdKv(etcdConfig(config));
  const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

  const cache = watchTasks({ kv, clock, logger, regionTag: regionTag(config.regionId, sha256) });
  const store = createTaskStore({ kv, clock });
  const catalogue = createCatalogue(config);
  const leadership = createLeadership({
    kv,
    clock,
    logger,
    regionId: config.regionId,
    nodeName: config.nodeName,
    ttlSeconds: config.sessionSeconds,
    onLead: () => loop.addAll(),
  });
  const { fence } = leadership;

  const wake = (id: TaskId): void => loop.add(id);
  const agents = createAgents({ clock, onChange: wake });
  const contacts = createContacts({ onContact: wake });
  const actor = `region:${config.regionId}`;
  const reconcile = createReconciler({
    ...{ cache, store, fence, agents, contacts, clock, logger, actor, writeBudget: WRITE_BUDGET },
    preparation: (task) => preparationOf(task, catalogue),
  });
  const loop = createReconcileLoop({ cache, reconcile, logger });

  const secrets = openRegionSecrets(config.stateDir);
  const usedTickets = openUsedTickets({ stateDir: config.stateDir, nowMs: () => clock.nowMs() });
  const progress = createProgressWriter({ cache, store, fence, clock, logger });
  const loaders = await readLoaders(config.loaderDir);
  const decider = createBootDecider({ cache, clock, writeBudget: WRITE_BUDGET });
  const eventLog = createBootEventLog({ logger, metrics });
  const bootServices = createBootServices({
    serviceAddress: config.serviceAddress,
    ports: { tftp: config.tftpPort, http: config.httpPort },
    link: config.dhcp,
    decider,
    loaders,
    ramdiskDir: config.ramdiskDir,
    imagesDir: config.imagesDir,
    siteInitramfs: siteInitramfs({
      caPem: config.agentCa.text,
      grantPublicKeyPem: config.grantPublicKey.text,
      regionId: config.regionId,
      tlsServerName: config.agentTlsName,
    }),
    scripts: createAgentScripts({
      ...{ secrets, clock, regionId: config.regionId, kernelArguments: config.kernelArguments },
      baseUrl: () => bootServices.baseUrl(),
      agentEndpoint: () => gateway.agentEndpoint(),
    }),
    clock,
    onEvent: (event) => {
      eventLog.hear(event);
      contacts.hear(event);
    },
  });
  const gateway = createAgentGateway({
    ...{
      config,
      cache,
      store,
      fence,
      agents,
      progress,
      secrets,
      usedTickets,
      clock,
      logger,
      metrics,
      sha256,
      actor,
    },
    imageOf: (task: TaskRecord) => findImage(catalogue.images, task.metadata),
    imagesUrl: () => `${bootServices.baseUrl()}/images/`,
    health: () =>
      healthBody({
        regionId: config.regionId,
        nodeName: config.nodeName,
        version,
        services: { ...bootServices.states(), agent: 'running' },
        etcdSilentForMs: cache.silentForMs,
        tasksRead: cache.ready,
        leadership: leadership.state,
        leader: leadership.leader,
        lastHeartbeat: presence.lastHeartbeat,
        problems: [...catalogue.problems, ...loaders.problems],
        agents: agents.connectedTasks().length,
      }),
  });
  const regions = createRegionStore({ kv });
  const presence = createPresence({
    ...{ kv, fence, clock, logger, regions },
    capabilities: () => capabilitiesOf(catalogue, config, version),
  });

  return regionComponents({
    ...{
      kv,
      cache,
      catalogue,
      loop,
      progress,
      gateway,
      bootServices,
      leadership,
      presence,
      usedTickets,
      logger,
    },
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
