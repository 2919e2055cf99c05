/**
 * The configuration of one link that is served, and the same prepared for answering: addresses as numbers, reservations by MAC.
 * parse-link.ts checks a configuration; this file only says what it means.
 */
import type { MacAddress } from '@lpmos/core';
import type { LoaderKey } from './firmware';
import type { Subnet } from './ipv4';
import { readIpv4, readSubnet } from './ipv4';

export interface Reservation {
  readonly mac: MacAddress;
  readonly address: string;
  readonly hostname?: string;
}

/** Stands in a script URL for the client's hardware address, with hyphens. */
export const MAC_PLACEHOLDER = '{mac}';

export interface BootSources {
  /** Address of the TFTP server as machines see it (`siaddr` and option 66). */
  readonly nextServer: string;
  /** TFTP names, by what the firmware can run. */
  readonly loaders: Readonly<Partial<Record<LoaderKey, string>>>;
  /** URLs for UEFI HTTP boot. */
  readonly httpLoaders?: Readonly<Partial<Record<LoaderKey, string>>>;
  /** What iPXE loads; `{mac}` becomes the address of the card that asks, iPXE's variables such as `${uuid}` pass as they are. */
  readonly scriptUrl: string;
}

/**
 * What we are on the link. `server` leases addresses; `proxy` adds boot data beside somebody else's DHCP server and leases nothing;
 * `observe` decides as both would, reports it and sends nothing.
 */
export const LINK_MODES = ['server', 'proxy', 'observe'] as const;
export type LinkMode = (typeof LINK_MODES)[number];

export interface DhcpLink {
  readonly name: string;
  /** `server` when absent. */
  readonly mode?: LinkMode;
  /** Reached through relays alone: we have no address in the subnet, and nobody on it hears us directly. */
  readonly relayedOnly?: boolean;
  /** Our address on the link: option 54 and the source of every reply. */
  readonly serverAddress: string;
  /** `10.77.0.0/24` */
  readonly subnet: string;
  /** Both ends included. Without a pool only reservations get a lease. */
  readonly pool?: { readonly first: string; readonly last: string };
  /**
   * The service address of the daemon that stands by for this one and serves the same link with the same pool. Each of the two gives new
   * clients only its own share of the pool, so that both can answer at once (one cut off, the other taking over) and never give one address twice.
   */
  readonly partnerAddress?: string;
  readonly router?: string;
  readonly dnsServers: readonly string[];
  readonly domain?: string;
  readonly ntpServers?: readonly string[];
  readonly leaseSeconds: number;
  /** How long an offered address is kept for the client that was offered it. */
  readonly offerSeconds: number;
  readonly reservations: readonly Reservation[];
  /** Other DHCP servers of the link that are there on purpose: seen, and not reported. */
  readonly knownServers?: readonly string[];
  /** Relays that may speak for clients (`giaddr`); all others get no answer. */
  readonly relays: readonly string[];
  /** 67, 68 and 67 outside of tests. */
  readonly ports: { readonly server: number; readonly client: number; readonly relay: number };
  readonly boot: BootSources;
  /** What a machine gets that is not ours (decision `silent`): a plain lease, or no answer at all. */
  readonly unknownClients: 'lease' | 'ignore';
}

/** A checked link, prepared so that an answer costs no parsing. */
export interface LinkPlan {
  readonly link: DhcpLink;
  readonly mode: LinkMode;
  readonly subnet: Subnet;
  readonly serverAddress: number;
  readonly pool?: { readonly first: number; readonly last: number };
  /** The share of the pool that is ours to give: even or odd addresses; all where we are alone. */
  readonly poolShare: 'all' | 'even' | 'odd';
  readonly reservationOf: ReadonlyMap<MacAddress, Reservation & { readonly number: number }>;
  /** Reserved addresses and their owners. */
  readonly reservedFor: ReadonlyMap<number, MacAddress>;
  /** Never leased, though inside the pool: ours, our partner's, the router's, name servers'. */
  readonly excluded: ReadonlySet<number>;
  readonly relays: ReadonlySet<string>;
  readonly knownServers: ReadonlySet<string>;
}

/** @param link as parseDhcpLink gave it */
export function planLink(link: DhcpLink): LinkPlan {
  const subnet = readSubnet(link.subnet);
  if (subnet === undefined) throw new RangeError(`"${link.subnet}" is no subnet`);
  const { serverAddress, partnerAddress } = link;
  const taken = [serverAddress, partnerAddress, link.router, link.boot.nextServer];
  const reservations = link.reservations.map((entry) => ({ ...entry, number: numberOf(entry.address) }));
  return {
    link,
    mode: link.mode ?? 'server',
    subnet,
    serverAddress: numberOf(serverAddress),
    ...(link.pool === undefined
      ? {}
      : { pool: { first: numberOf(link.pool.first), last: numberOf(link.pool.last) } }),
    poolShare: partnerAddress === undefined ? 'all' : shareBeside(serverAddress, partnerAddress),
    reservationOf: new Map(reservations.map((entry) => [entry.mac, entry])),
    reservedFor: new Map(reservations.map((entry) => [entry.number, entry.mac])),
    excluded: new Set(
      [...taken, ...link.dnsServers, ...link.relays, ...(link.ntpServers ?? [])].flatMap((text) =>
        text ? [numberOf(text)] : [],
      ),
    ),
    relays: new Set(link.relays),
    knownServers: new Set([...(link.knownServers ?? []), ...(partnerAddress ? [partnerAddress] : [])]),
  };
}

/** Both daemons come to the same division, each from the other's address, without a word between them. */
function shareBeside(own: string, partner: string): 'even' | 'odd' {
  return numberOf(own) < numberOf(partner) ? 'even' : 'odd';
}

function numberOf(text: string): number {
  const number = readIpv4(text);
  if (number === undefined) throw new RangeError(`"${text}" is no IPv4 address`);
  return number;
}
