/**
 * The half of the daemon that machines meet: boot servers and agent gateway, wired to each other (a script names the gateway's address, an
 * order names the boot server's) and to the planning half. Opens nothing before it is started by region-components.ts.
 */
import { DEFAULT_WRITE_BUDGET, findImage } from '@lpmos/core';
import type { Clock, TaskRecord } from '@lpmos/core';
import type { Logger, Metrics } from '@lpmos/runtime';
import { createAgentGateway } from './agent-gateway/gateway';
import type { AgentGateway } from './agent-gateway/gateway';
import { createProgressWriter } from './agent-gateway/progress-writer';
import type { ProgressWriter } from './agent-gateway/progress-writer';
import { createAgentScripts } from './boot/agent-scripts';
import { readLoaders } from './boot/boot-files';
import type { Loaders } from './boot/boot-files';
import { createBootDecider } from './boot/decider';
import { createBootEventLog } from './boot/event-log';
import { openRegionSecrets } from './boot/secrets';
import type { RegionSecrets } from './boot/secrets';
import { siteInitramfs } from './boot/site-initramfs';
import { openUsedTickets } from './boot/used-tickets';
import type { UsedTickets } from './boot/used-tickets';
import { createBootServices } from './boot-services';
import type { BootServices } from './boot-services';
import type { RegionalDaemonConfig } from './config';
import type { RegionPlanning } from './region-planning';

export interface MachineDoorsOptions {
  readonly config: RegionalDaemonConfig;
  readonly planning: RegionPlanning;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly health: () => { readonly healthy: boolean; readonly body: unknown };
}

export interface MachineDoors {
  readonly bootServices: BootServices;
  readonly gateway: AgentGateway;
  readonly progress: ProgressWriter;
  readonly usedTickets: UsedTickets;
  readonly loaders: Loaders;
}

export async function createMachineDoors(options: MachineDoorsOptions): Promise<MachineDoors> {
  const { config, planning, clock, logger, metrics, health } = options;
  const { cache, store, fence, agents, catalogue, actor, sha256 } = planning;
  const secrets = openRegionSecrets(config.stateDir);
  const usedTickets = openUsedTickets({ stateDir: config.stateDir, nowMs: () => clock.nowMs() });
  const progress = createProgressWriter({ cache, store, fence, clock, logger });
  const loaders = await readLoaders(config.loaderDir);
  const bootServices = bootServicesOf(options, {
    ...{ secrets, loaders },
    agentEndpoint: () => gateway.agentEndpoint(),
  });
  const gateway = createAgentGateway({
    ...{ config, cache, store, fence, agents, progress, secrets, usedTickets },
    ...{ clock, logger, metrics, sha256, actor, health },
    imageOf: (task: TaskRecord) => findImage(catalogue.images, task.metadata),
    imagesUrl: () => `${bootServices.baseUrl()}/images/`,
  });
  return { bootServices, gateway, progress, usedTickets, loaders };
}

function bootServicesOf(
  { config, planning, clock, logger, metrics }: MachineDoorsOptions,
  parts: {
    readonly secrets: RegionSecrets;
    readonly loaders: Loaders;
    readonly agentEndpoint: () => string;
  },
): BootServices {
  const eventLog = createBootEventLog({ logger, metrics });
  const bootServices = createBootServices({
    serviceAddress: config.serviceAddress,
    ports: { tftp: config.tftpPort, http: config.httpPort },
    link: config.dhcp,
    decider: createBootDecider({ cache: planning.cache, clock, writeBudget: DEFAULT_WRITE_BUDGET }),
    loaders: parts.loaders,
    ramdiskDir: config.ramdiskDir,
    imagesDir: config.imagesDir,
    stateDir: config.stateDir,
    logger,
    siteInitramfs: siteInitramfs({
      caPem: config.agentCa.text,
      grantPublicKeyPem: config.grantPublicKey.text,
      regionId: config.regionId,
      tlsServerName: config.agentTlsName,
    }),
    scripts: createAgentScripts({
      ...{ secrets: parts.secrets, clock, regionId: config.regionId },
      kernelArguments: config.kernelArguments,
      baseUrl: () => bootServices.baseUrl(),
      agentEndpoint: parts.agentEndpoint,
    }),
    clock,
    onEvent: (event) => {
      eventLog.hear(event);
      planning.contacts.hear(event);
    },
  });
  return bootServices;
}
