/**
 * What a region publishes of its links and scripts, so that `lpmos explain` can replay a decision far away from it. Pure; nothing secret:
 * no reservation, no ticket, no key.
 */
import type { OfferedBoot, OfferedLink } from '@lpmos/core';
import { AGENT_RETRY } from './agent-boot';
import { advertisedScriptUrl, agentFileUrls } from './agent-scripts';
import type { LinkSettings } from './link-settings';
import { loaderUrls } from './loaders';
import type { Loaders } from './loaders';

export interface OfferedLinkFacts {
  readonly links: readonly {
    readonly settings: Pick<
      LinkSettings,
      'name' | 'mode' | 'subnet' | 'pool' | 'unknown_clients' | 'uefi_chain'
    >;
    readonly serviceAddress: string;
  }[];
  /** Where boot scripts are, on one of our addresses. */
  readonly baseUrl: (address: string) => string;
  readonly loaders: Pick<Loaders, 'offered'>;
  /** What scripts are made of, on one of our addresses. */
  readonly boot: (address: string) => OfferedBoot;
}

export function offeredLinks({ links, baseUrl, loaders, boot }: OfferedLinkFacts): OfferedLink[] {
  return links.map(({ settings: link, serviceAddress }) => ({
    name: link.name,
    mode: link.mode,
    subnet: link.subnet,
    service_address: serviceAddress,
    unknown_clients: link.unknown_clients,
    ...(link.pool === undefined ? {} : { pool: { first: link.pool.first, last: link.pool.last } }),
    loaders: { ...loaders.offered(link.uefi_chain).names },
    http_loaders: { ...loaderUrls(loaders.offered(link.uefi_chain).httpNames, baseUrl(serviceAddress)) },
    script_url: advertisedScriptUrl(baseUrl(serviceAddress)),
    boot: boot(serviceAddress),
  }));
}

export function offeredBoot(facts: {
  readonly baseUrl: string;
  readonly agentEndpoint: string;
  readonly kernelArguments: string;
}): OfferedBoot {
  const files = agentFileUrls(facts.baseUrl);
  return {
    base_url: facts.baseUrl,
    agent_endpoint: facts.agentEndpoint,
    kernel_arguments: facts.kernelArguments,
    kernel_url: files.kernelUrl,
    initrd_urls: files.initrdUrls,
    retry_seconds: AGENT_RETRY.seconds,
    retry_attempts: AGENT_RETRY.attempts,
  };
}
