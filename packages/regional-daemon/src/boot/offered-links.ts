/**
 * What a region publishes of its links and scripts, so that `lpmos explain` can replay a decision far away from it. Pure; nothing secret:
 * no reservation, no ticket, no key.
 */
import type { OfferedBoot, OfferedLink } from '@lpmos/core';
import { AGENT_RETRY } from './agent-boot';
import { advertisedScriptUrl, agentFileUrls } from './agent-scripts';
import { grubAgentFiles } from './grub-answers';
import type { GrubTransfer } from './grub-files';
import type { LinkSettings } from './link-settings';
import { loaderUrls } from './loaders';
import type { Loaders } from './loaders';

export interface OfferedLinkFacts {
  readonly links: readonly {
    readonly settings: Omit<
      LinkSettings,
      'interface' | 'reservations' | 'relays' | 'known_servers' | 'ports'
    >;
    readonly serviceAddress: string;
    readonly relayedOnly: boolean;
  }[];
  /** Where boot scripts are, on one of our addresses. */
  readonly baseUrl: (address: string) => string;
  readonly loaders: Pick<Loaders, 'offered'>;
  /** What scripts are made of, on one of our addresses. */
  readonly boot: (address: string) => OfferedBoot;
}

export function offeredLinks({ links, baseUrl, loaders, boot }: OfferedLinkFacts): OfferedLink[] {
  return links.map(({ settings: link, serviceAddress, relayedOnly }) => ({
    name: link.name,
    mode: link.mode,
    subnet: link.subnet,
    service_address: serviceAddress,
    unknown_clients: link.unknown_clients,
    relayed_only: relayedOnly,
    ...(link.pool === undefined ? {} : { pool: { first: link.pool.first, last: link.pool.last } }),
    ...(link.router === undefined ? {} : { router: link.router }),
    dns_servers: link.dns_servers,
    ...(link.domain === undefined ? {} : { domain: link.domain }),
    ...(link.ntp_servers === undefined ? {} : { ntp_servers: link.ntp_servers }),
    lease_seconds: link.lease_seconds,
    loaders: { ...loaders.offered(link.uefi_chain).names },
    http_loaders: { ...loaderUrls(loaders.offered(link.uefi_chain).httpNames, baseUrl(serviceAddress)) },
    script_url: advertisedScriptUrl(baseUrl(serviceAddress)),
    boot: boot(serviceAddress),
  }));
}

export function offeredBoot(facts: {
  readonly baseUrl: string;
  readonly partnerUrl?: string | undefined;
  readonly agentEndpoint: string;
  readonly kernelArguments: string;
  /** Absent without a chain of shim and GRUB. */
  readonly grubTransfer: GrubTransfer | undefined;
}): OfferedBoot {
  const { baseUrl, partnerUrl, grubTransfer: transfer } = facts;
  const files = agentFileUrls(baseUrl);
  return {
    base_url: baseUrl,
    ...(partnerUrl === undefined ? {} : { partner_url: partnerUrl }),
    agent_endpoint: facts.agentEndpoint,
    kernel_arguments: facts.kernelArguments,
    kernel_url: files.kernelUrl,
    initrd_urls: files.initrdUrls,
    ...(transfer === undefined ? {} : { grub: grubAgentFiles({ transfer, baseUrl }) }),
    retry_seconds: AGENT_RETRY.seconds,
    retry_attempts: AGENT_RETRY.attempts,
  };
}
