/**
 * A published link as netboot's responders take it, and the addresses that an example machine and relay of it have. Pure.
 * What a region does not publish (reservations, relays, other servers) is left out: the answer is that to a machine without a reservation.
 */
import type { OfferedLink } from '@lpmos/core';
import { parseDhcpLink } from '@lpmos/netboot';
import type { DhcpLink } from '@lpmos/netboot';

/** How long an explained offer is kept: it shows in no answer. */
const OFFER_SECONDS = 60;

/** @returns a link, or why what the region published is none for this version. */
export function replayedLink(link: OfferedLink): DhcpLink | string {
  const checked = parseDhcpLink({
    name: link.name,
    mode: link.mode,
    serverAddress: link.service_address,
    subnet: link.subnet,
    ...(link.relayed_only ? { relayedOnly: true, relays: [exampleRelay(link)] } : { relays: [] }),
    // Who leases nothing has no pool.
    ...(link.pool === undefined || link.mode === 'proxy' ? {} : { pool: link.pool }),
    ...(link.router === undefined ? {} : { router: link.router }),
    dnsServers: link.dns_servers,
    ...(link.domain === undefined ? {} : { domain: link.domain }),
    ...(link.ntp_servers === undefined ? {} : { ntpServers: link.ntp_servers }),
    leaseSeconds: link.lease_seconds,
    offerSeconds: OFFER_SECONDS,
    reservations: [],
    ports: { server: 67, client: 68, relay: 67 },
    unknownClients: link.unknown_clients,
    boot: {
      nextServer: link.service_address,
      loaders: link.loaders,
      ...(link.http_loaders === undefined ? {} : { httpLoaders: link.http_loaders }),
      scriptUrl: link.script_url,
    },
  });
  if (checked.kind === 'link') return checked.link;
  const problems = checked.problems.map(({ path, problem }) => `${path} ${problem}`).join('; ');
  return `what the region published of this link cannot be replayed by this version: ${problems}`;
}

/** Relays are routers of their link as a rule. */
function exampleRelay(link: Pick<OfferedLink, 'router' | 'subnet' | 'service_address'>): string {
  return link.router ?? hostOf(link.subnet, [link.service_address]);
}

/** An address that a machine of the link might have. */
export function exampleHost({ pool, subnet, serverAddress, relays }: DhcpLink): string {
  return pool?.first ?? hostOf(subnet, [serverAddress, ...relays]);
}

/** The first address of a subnet that is nobody's; prefixes end at 30, so the last octet of the network has room for it. */
function hostOf(subnet: string, taken: readonly string[]): string {
  const [a, b, c, d] = (subnet.split('/')[0] ?? '').split('.').map(Number);
  const hosts = [1, 2].map((host) => [a, b, c, (d ?? 0) + host].join('.'));
  return hosts.find((host) => !taken.includes(host)) ?? hosts[0] ?? subnet;
}
