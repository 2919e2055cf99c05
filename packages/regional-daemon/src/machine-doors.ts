/**
 * The half of the daemon that machines meet: boot servers and agent gateway, wired to each other (a script names the gateway's address, an
 * order names the boot server's) and to the planning half. Opens nothing before it is started by region-components.ts.
 */
import { DEFAULT_WRITE_BUDGET, findImage, LpmosError } from '@lpmos/core';
import type { Clock, TaskRecord } from '@lpmos/core';
import type { Logger, Metrics } from '@lpmos/runtime';
import { createAgentGateway } from './agent-gateway/gateway';
import type { AgentGateway } from './agent-gateway/gateway';
import { createProgressWriter } from './agent-gateway/progress-writer';
import type { ProgressWriter } from './agent-gateway/progress-writer';
import { createAgentScripts } from './boot/agent-scripts';
import { agentAssets } from './boot/boot-files';
import type { BootHistory } from './boot-history/boot-history';
import { createBootHistory } from './boot-history/boot-history';
import { createBootDecider } from './boot/decider';
import { createBootEventLog } from './boot/event-log';
import { createGrubAnswers } from './boot/grub-answers';
import { readGrubFiles } from './boot/grub-files';
import type { GrubFiles, GrubTransfer } from './boot/grub-files';
import { proxyNotices, withGrubChain } from './boot/grub-loaders';
import { readLoaders } from './boot/loaders';
import type { Loaders } from './boot/loaders';
import { openRegionSecrets } from './boot/secrets';
import type { RegionSecrets } from './boot/secrets';
import { createSharedFiles } from './boot/shared-files';
import { siteInitramfs } from './boot/site-initramfs';
import { openUsedTickets } from './boot/used-tickets';
import type { UsedTickets } from './boot/used-tickets';
import { createBootServices } from './boot-services';
import type { AddressAnswers, BootServices } from './boot-services';
import type { RegionalDaemonConfig } from './config';
import type { DaemonLink } from './links/daemon-links';
import { agentAddresses, hasPartner, partnerBeside } from './links/daemon-links';
import type { LeadershipKeeper } from './leadership';
import type { LeaseCopier } from './leases/lease-copier';
import type { PassedSocket } from './links/sockets';
import type { RegionPlanning } from './region-planning';

export interface MachineDoorsOptions {
  readonly config: RegionalDaemonConfig;
  readonly planning: RegionPlanning;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly health: () => { readonly healthy: boolean; readonly body: unknown };
  /** As they are at the start; bootServices.reconfigure changes them. */
  readonly links: readonly DaemonLink[];
  readonly passed: readonly PassedSocket[];
  readonly copies: LeaseCopier;
}

export interface MachineDoors {
  readonly bootServices: BootServices;
  readonly gateway: AgentGateway;
  readonly progress: ProgressWriter;
  readonly usedTickets: UsedTickets;
  readonly loaders: Loaders;
  /** Absent without a chain of shim and GRUB. */
  readonly grubTransfer: GrubTransfer | undefined;
  readonly bootHistory: BootHistory;
  /** Agents are to look for the region's other daemon. */
  readonly standsBy: () => boolean;
}

interface BootFiles {
  readonly loaders: Loaders;
  readonly grubFiles: GrubFiles | undefined;
}

/** @throws LpmosError `invalid_argument` with every problem of the files that the site names */
export async function readBootFiles(
  config: RegionalDaemonConfig,
  links: readonly DaemonLink[],
): Promise<BootFiles> {
  const { uefiChain } = config;
  const isSigned = [uefiChain, ...links.map(({ settings }) => settings.uefi_chain)].includes('grub');
  const [plain, grub] = await Promise.allSettled([
    readLoaders({
      directory: config.loaderDir,
      ...(config.loaders === undefined ? {} : { site: config.loaders }),
    }),
    isSigned ? readGrubFiles({ shim: config.shimFile, grub: config.grubFile }) : undefined,
  ]);
  if (plain.status === 'rejected' || grub.status === 'rejected') throw refusalOf([plain, grub]);
  const grubFiles = grub.value;
  const loaders = grubFiles === undefined ? plain.value : withGrubChain(plain.value, grubFiles, uefiChain);
  return { loaders, grubFiles };
}

/** One error for all; a fault that is no refusal goes first, as it is. */
function refusalOf(results: readonly PromiseSettledResult<unknown>[]): unknown {
  const reasons = results.flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  const refused = reasons.filter((reason) => reason instanceof LpmosError);
  if (refused.length < reasons.length) return reasons.find((reason) => !(reason instanceof LpmosError));
  return new LpmosError({
    code: 'invalid_argument',
    message: refused.map(({ message }) => message).join('; '),
    fields: refused.flatMap(({ fields }) => fields ?? []),
  });
}

export async function createMachineDoors(options: MachineDoorsOptions): Promise<MachineDoors> {
  const { config, planning, clock, logger, metrics, health } = options;
  const { cache, store, fence, agents, catalogue, actor, sha256 } = planning;
  const secrets = openRegionSecrets(config);
  const usedTickets = await openUsedTickets({ stateDir: config.stateDir });
  const progress = createProgressWriter({ cache, store, fence, clock, logger });
  const { grubFiles, loaders } = await readBootFiles(config, options.links);
  const notices = proxyNotices(options.links, config.uefiChain);
  for (const problem of [...loaders.problems, ...notices]) logger.warn({ problem }, 'loaders');
  const bootHistory = createBootHistory({
    clock,
    machineAt: (address) => bootServices.machineAt(address),
  });
  const isOneOfTwo = hasPartner(options.links, config);
  // Who is alone goes on without etcd; one of two lets agents look for the one that leads, for what they say could not be stored here.
  const standsBy = ({ state, leads }: LeadershipKeeper): boolean =>
    state === 'standby' || (isOneOfTwo && !leads());
  const bootServices = bootServicesOf(options, {
    ...{ secrets, loaders, bootHistory, grubFiles, isOneOfTwo },
    agentEndpoint: (address) => gateway.agentEndpoint(address),
  });
  const gateway = createAgentGateway({
    ...{ config, cache, store, fence, agents, progress, secrets, usedTickets },
    ...{ clock, logger, metrics, sha256, actor, health },
    addresses: agentAddresses(options.links, config.serviceAddress),
    addressFor: (peer) => bootServices.addressFor(peer),
    imageOf: (task: TaskRecord) => findImage(catalogue.images, task.metadata),
    imagesUrl: (address) => `${bootServices.baseUrl(address)}/images/`,
    partnerBeside: (address) => partnerBeside(options.links, config, address),
    standsBy: () => standsBy(planning.leadership),
  });
  return {
    ...{ bootServices, gateway, progress, usedTickets, loaders, bootHistory },
    standsBy: () => standsBy(planning.leadership),
    grubTransfer: grubFiles?.transfer,
  };
}

function bootServicesOf(
  { config, planning, clock, logger, metrics, links, passed, copies }: MachineDoorsOptions,
  parts: {
    readonly secrets: RegionSecrets;
    readonly loaders: Loaders;
    readonly bootHistory: BootHistory;
    readonly grubFiles: GrubFiles | undefined;
    readonly isOneOfTwo: boolean;
    readonly agentEndpoint: (address: string) => string;
  },
): BootServices {
  const eventLog = createBootEventLog({ logger, metrics });
  const { ramdiskDir } = config;
  const { grubFiles } = parts;
  const decider = createBootDecider({
    ...{ cache: planning.cache, clock, writeBudget: DEFAULT_WRITE_BUDGET },
    isOld: () => parts.isOneOfTwo && planning.leadership.state === 'cut off',
  });
  const site = siteInitramfs({
    caPem: config.agentCa.text,
    grantPublicKeyPem: config.grantPublicKey.text,
    regionId: config.regionId,
    tlsServerName: config.agentTlsName,
  });
  const agentFiles = createSharedFiles(agentAssets({ ramdiskDir, siteInitramfs: site }));
  const answersAt = (address: string): AddressAnswers => {
    const agentBoot = {
      ...{ secrets: parts.secrets, clock, regionId: config.regionId },
      kernelArguments: config.kernelArguments,
      baseUrl: () => bootServices.baseUrl(address),
      partnerUrl: () => bootServices.partnerUrl(address),
      agentEndpoint: () => parts.agentEndpoint(address),
    };
    const scripts = createAgentScripts(agentBoot);
    if (grubFiles === undefined) return { scripts };
    const grub = createGrubAnswers({
      ...{ ...agentBoot, decider, transfer: grubFiles.transfer },
      agentFiles,
      holderOf: (peer) => bootServices.machineAt(peer),
      activeDownloads: () => bootServices.transfers(),
    });
    return { scripts, grub };
  };
  const bootServices = createBootServices({
    serviceAddress: config.serviceAddress,
    partnerAddress: config.partnerAddress,
    ports: { tftp: config.tftpPort, http: config.httpPort },
    ...{ links, passed, answersAt, copies },
    leads: () => planning.leadership.leads(),
    decider,
    loaders: parts.loaders,
    ramdiskDir,
    imagesDir: config.imagesDir,
    stateDir: config.stateDir,
    logger,
    siteInitramfs: site,
    clock,
    onEvent: (event) => {
      eventLog.hear(event);
      parts.bootHistory.hear(event);
      planning.contacts.hear(event);
    },
  });
  return bootServices;
}
