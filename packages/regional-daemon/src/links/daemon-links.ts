/**
 * The links as the daemon serves them: the operator's words with all that they leave open filled in, and the questions that the rest of the
 * daemon asks about them (which addresses to serve, which address a machine is to dial). Pure. link-settings.ts reads the words.
 */
import type { DhcpLink, LinkMode } from '@lpmos/netboot';
import type { LinkSettings } from '../boot/link-settings';

export interface DaemonLink {
  readonly settings: LinkSettings;
  /** Its place in the list, for messages: `dhcp_links[0]`. */
  readonly path: string;
  readonly serviceAddress: string;
  /** The region's other daemon on this link. */
  readonly partnerAddress?: string;
  /** Reached through relays alone. */
  readonly relayedOnly: boolean;
}

/** Where this daemon and the region's other one are, unless a link says otherwise. */
export interface OwnAddresses {
  readonly serviceAddress: string;
  readonly partnerAddress?: string | undefined;
}

export function daemonLinks(settings: readonly LinkSettings[], own: OwnAddresses): readonly DaemonLink[] {
  return settings.map((one, index) => ({
    settings: one,
    path: `dhcp_links[${index}]`,
    serviceAddress: one.service_address ?? own.serviceAddress,
    ...partnerOf(one, own),
    relayedOnly: settings.length > 1 && one.interface === undefined && one.mode !== 'external',
  }));
}

/** The daemon's own partner is one for its own address: with another address of ours goes another one of the partner's. */
function partnerOf(
  link: LinkSettings,
  { partnerAddress }: OwnAddresses,
): { readonly partnerAddress?: string } {
  const partner = link.partner_address ?? (link.service_address === undefined ? partnerAddress : undefined);
  return partner === undefined ? {} : { partnerAddress: partner };
}

/** Whether the region has another daemon that we know of. */
export function hasPartner(links: readonly DaemonLink[], { partnerAddress }: Partial<OwnAddresses>): boolean {
  return partnerAddress !== undefined || links.some((link) => link.partnerAddress !== undefined);
}

/** The other daemon's address beside one of ours. */
export function partnerBeside(
  links: readonly DaemonLink[],
  own: OwnAddresses,
  address: string,
): string | undefined {
  const link = links.find(({ serviceAddress }) => serviceAddress === address);
  return link?.partnerAddress ?? (address === own.serviceAddress ? own.partnerAddress : undefined);
}

export function doesDhcp({ settings }: DaemonLink): boolean {
  return settings.mode !== 'external';
}

/** Addresses on which HTTP boot listens: those of the links, or ours where there is none. */
export function httpAddresses(links: readonly DaemonLink[], serviceAddress: string): readonly string[] {
  return links.length === 0 ? [serviceAddress] : distinct(links.map((link) => link.serviceAddress));
}

/** Not where all links of an address leave TFTP to others. */
export function tftpAddresses(links: readonly DaemonLink[], serviceAddress: string): readonly string[] {
  return links.length === 0
    ? [serviceAddress]
    : distinct(links.filter(doesDhcp).map((link) => link.serviceAddress));
}

/** Where agents and people find the daemon: on every link, and at its own address. */
export function agentAddresses(links: readonly DaemonLink[], serviceAddress: string): readonly string[] {
  return distinct([serviceAddress, ...links.map((link) => link.serviceAddress)]);
}

/** Our address as the owner of an address sees it: that of its link, or the one for all others. */
export function addressFor(links: readonly DaemonLink[], serviceAddress: string, peer: string): string {
  const home = links.find((link) => isOn(link.settings.subnet, peer));
  return home?.serviceAddress ?? generalAddress(links, serviceAddress);
}

/** Where everything is served, for whoever is on no link: the daemon's own address, unless HTTP boot listens on those of links alone. */
export function generalAddress(links: readonly DaemonLink[], serviceAddress: string): string {
  const served = httpAddresses(links, serviceAddress);
  return served.includes(serviceAddress) ? serviceAddress : (served[0] ?? serviceAddress);
}

/** Whether an IPv4 address is of a subnet; false for what is neither. */
export function isOn(subnet: string, address: string): boolean {
  const [network = '', prefix = ''] = subnet.split('/');
  const [base, number] = [ipv4Number(network), ipv4Number(address)];
  if (base === undefined || number === undefined) return false;
  return Math.floor(base / 2 ** (32 - Number(prefix))) === Math.floor(number / 2 ** (32 - Number(prefix)));
}

export function ipv4Number(dotted: string): number | undefined {
  const octets = dotted.split('.').map(Number);
  const isRight = octets.length === 4 && octets.every((octet) => octet >= 0 && octet <= 255);
  return isRight ? octets.reduce((sum, octet) => sum * 256 + octet, 0) : undefined;
}

export interface LinkBoot {
  readonly loaders: DhcpLink['boot']['loaders'];
  readonly httpLoaders: NonNullable<DhcpLink['boot']['httpLoaders']>;
  readonly scriptUrl: string;
}

/** The link in netboot's words, unchecked: parseDhcpLink says what is wrong with it. */
export function dhcpLinkOf(link: DaemonLink, boot: LinkBoot): Readonly<Record<keyof DhcpLink, unknown>> {
  const { settings, serviceAddress } = link;
  const { proxy: _openedByUs, ...ports } = settings.ports;
  const wanted = {
    name: settings.name,
    mode: settings.mode as LinkMode,
    serverAddress: serviceAddress,
    partnerAddress: link.partnerAddress,
    relayedOnly: link.relayedOnly ? true : undefined,
    subnet: settings.subnet,
    pool: settings.pool,
    router: settings.router,
    domain: settings.domain,
    ntpServers: settings.ntp_servers,
    dnsServers: settings.dns_servers,
    leaseSeconds: settings.lease_seconds,
    offerSeconds: settings.offer_seconds,
    reservations: settings.reservations,
    relays: settings.relays,
    knownServers: settings.known_servers,
    ports,
    unknownClients: settings.unknown_clients,
    boot: { nextServer: serviceAddress, ...boot },
  };
  const present = Object.entries(wanted).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as Readonly<Record<keyof DhcpLink, unknown>>;
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
