/**
 * What is wrong with the links before anything is opened: with each by netboot's rules, with all of them together, and with the host that is
 * to serve them. A pure function of the settings and of facts that host-facts.ts gathers; every problem at once, each with field and fix.
 */
import { parseDhcpLink } from '@lpmos/netboot';
import type { FieldProblem, MacAddress } from '@lpmos/core';
import { readMacAddress } from '@lpmos/core';
import type { DaemonLink } from './daemon-links';
import { dhcpLinkOf, doesDhcp, ipv4Number } from './daemon-links';
import type { PassedSocket } from './sockets';
import { passedName } from './sockets';

export interface HostFacts {
  /** Every interface of the host with its IPv4 addresses in their order, also those without. */
  readonly interfaces: ReadonlyMap<string, readonly string[]>;
  /** Sockets that could not be had when they were tried, in words. */
  readonly refusals: readonly FieldProblem[];
  readonly passed: readonly PassedSocket[];
}

/** Problems of the settings alone. */
export function checkLinkSettings(links: readonly DaemonLink[]): readonly FieldProblem[] {
  return [
    ...links.flatMap(ownProblems),
    ...partnerProblems(links),
    ...links.flatMap((link) => attachmentProblems(link, links.length)),
    ...links.flatMap(routerProblems),
    ...repeated(links, 'name', ({ settings }) => settings.name),
    ...repeated(links, 'interface', ({ settings }) => settings.interface),
    ...overlaps(links),
    ...reservedTwice(links),
  ];
}

/** Problems of the links on this host. `serviceAddress` is the daemon's own, which is served too. */
export function checkLinkHost(
  links: readonly DaemonLink[],
  serviceAddress: string,
  host: HostFacts,
): readonly FieldProblem[] {
  const own = [...host.interfaces.values()].flat();
  const ours = own.includes(serviceAddress)
    ? []
    : [{ path: 'service_address', problem: notOfHost(serviceAddress, host) }];
  return [
    ...ours,
    ...links.flatMap((link) => hostProblems(link, serviceAddress, host)),
    ...unknownNames(links, host),
    ...host.refusals,
  ];
}

const NO_BOOT = { loaders: {}, httpLoaders: {}, scriptUrl: 'http://127.0.0.1/' };
/** What netboot says of one link, in the operator's words. */
function ownProblems(link: DaemonLink): readonly FieldProblem[] {
  const isExternal = !doesDhcp(link);
  const words = dhcpLinkOf(link, NO_BOOT);
  const checked = parseDhcpLink(isExternal ? { ...words, mode: 'proxy' } : words);
  if (checked.kind === 'link') return [];
  // Why a link without relays must have some is said with its interface.
  const problems = checked.problems.filter(
    ({ path }) => path !== 'relays' || link.settings.relays.length > 0 || !link.relayedOnly,
  );
  return problems.map(({ path, problem }) => ({
    path: `${link.path}.${inWords(path)}`,
    problem: isExternal ? inWords(problem.replace(/mode "proxy"/g, 'mode "external"')) : inWords(problem),
  }));
}

function inWords(text: string): string {
  return text
    .replace(/serverAddress|boot\.nextServer/g, 'service_address')
    .replace(
      /\b(?:partnerAddress|dnsServers|ntpServers|leaseSeconds|offerSeconds|unknownClients|knownServers)\b/g,
      (word) => word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    );
}

function attachmentProblems({ settings, path, relayedOnly }: DaemonLink, links: number): FieldProblem[] {
  if (links === 1 || !relayedOnly || settings.relays.length > 0) return [];
  const problem =
    'is required where there are several links: name the interface on this link, or, if only relays reach it, name those in relays';
  return [{ path: `${path}.interface`, problem }];
}

/** The other daemon takes over all links or none. */
function partnerProblems(links: readonly DaemonLink[]): FieldProblem[] {
  if (links.every(({ partnerAddress }) => partnerAddress === undefined)) return [];
  return links
    .filter(({ partnerAddress }) => partnerAddress === undefined)
    .map(({ path }) => ({
      path: `${path}.partner_address`,
      problem: 'is required where other links have one: name the address of the other daemon on this link',
    }));
}

/** A notice leaves by one interface, to machines that we hear ourselves. */
function routerProblems({ settings, path }: DaemonLink): FieldProblem[] {
  if (settings.ipv6_router === undefined) return [];
  const problem =
    settings.mode === 'external'
      ? 'makes no sense in mode "external"; leave it out'
      : 'needs interface; name it';
  const isWrong = settings.mode === 'external' || settings.interface === undefined;
  return isWrong ? [{ path: `${path}.ipv6_router`, problem }] : [];
}

function repeated(
  links: readonly DaemonLink[],
  field: string,
  valueOf: (link: DaemonLink) => string | undefined,
): FieldProblem[] {
  const first = new Map<string, string>();
  return links.flatMap((link) => {
    const value = valueOf(link);
    if (value === undefined) return [];
    const other = first.get(value);
    if (other === undefined) first.set(value, link.path);
    return other === undefined
      ? []
      : [{ path: `${link.path}.${field}`, problem: `${value} is that of ${other} already; choose another` }];
  });
}

function overlaps(links: readonly DaemonLink[]): FieldProblem[] {
  return links.flatMap((link, index) =>
    links
      .slice(0, index)
      .filter((other) => rangesMeet(link.settings.subnet, other.settings.subnet))
      .map((other) => ({
        path: `${link.path}.subnet`,
        problem: `${link.settings.subnet} overlaps ${other.settings.subnet} of ${other.path}; an address must belong to one link`,
      })),
  );
}

function rangesMeet(one: string, other: string): boolean {
  const [a, b] = [rangeOf(one), rangeOf(other)];
  return a !== undefined && b !== undefined && a.first <= b.last && b.first <= a.last;
}

function rangeOf(subnet: string): { readonly first: number; readonly last: number } | undefined {
  const [network = '', prefix = ''] = subnet.split('/');
  const first = ipv4Number(network);
  return first === undefined || prefix === ''
    ? undefined
    : { first, last: first + 2 ** (32 - Number(prefix)) - 1 };
}

/** Within one link netboot says it. */
function reservedTwice(links: readonly DaemonLink[]): FieldProblem[] {
  const first = new Map<MacAddress, { readonly path: string; readonly link: DaemonLink }>();
  return links.flatMap((link) =>
    link.settings.reservations.flatMap((entry, index) => {
      const path = `${link.path}.reservations[${index}].mac`;
      const text: unknown = (entry as { mac?: unknown } | null)?.mac;
      const mac = typeof text === 'string' ? readMacAddress(text) : undefined;
      if (mac === undefined) return [];
      const other = first.get(mac);
      if (other === undefined) first.set(mac, { path, link });
      return other === undefined || other.link === link
        ? []
        : [{ path, problem: `is reserved already by ${other.path}; a machine has one address` }];
    }),
  );
}

function hostProblems(link: DaemonLink, serviceAddress: string, host: HostFacts): readonly FieldProblem[] {
  const { settings, path } = link;
  const device = settings.interface;
  const addresses = device === undefined ? undefined : host.interfaces.get(device);
  if (device !== undefined && addresses === undefined) {
    const known = [...host.interfaces.keys()].join(', ');
    return [{ path: `${path}.interface`, problem: `${device} is not there; this host has ${known}` }];
  }
  const field = `${path}.service_address`;
  const address = link.serviceAddress;
  const owner = [...host.interfaces].find(([, list]) => list.includes(address))?.[0];
  if (owner === undefined) {
    // The daemon's own address is said once.
    return address === serviceAddress ? [] : [{ path: field, problem: notOfHost(address, host) }];
  }
  if (addresses === undefined || device === undefined) return [];
  if (!addresses.includes(address)) {
    const has = addresses.length === 0 ? 'has no IPv4 address' : `has ${addresses.join(', ')}`;
    const problem = `${address} is on ${owner}, and ${device} ${has}; give the link its own service_address, or the right interface`;
    return [{ path: field, problem }];
  }
  const isPassed = host.passed.some(({ name }) => name === passedName(device));
  return isPassed && addresses[0] !== address
    ? [{ path: field, problem: firstAddressOnly(device, addresses[0] ?? '') }]
    : [];
}

/** Who sends from a socket on 0.0.0.0 sends from the first address of the device. */
function firstAddressOnly(device: string, first: string): string {
  return `must be ${first}, the first address of ${device}, because a socket that systemd opened answers from it`;
}

function notOfHost(address: string, host: HostFacts): string {
  const addresses = [...host.interfaces].flatMap(([name, list]) => list.map((one) => `${one} (${name})`));
  return `${address} is no address of this host; add it to an interface, or choose one of ${addresses.join(', ')}`;
}

/** A socket unit whose name fits no interface would be opened and never served. */
function unknownNames(links: readonly DaemonLink[], { passed }: HostFacts): readonly FieldProblem[] {
  const known = links.flatMap(({ settings }) =>
    settings.interface === undefined ? [] : [passedName(settings.interface)],
  );
  return passed
    .filter(({ name, transport, port }) => transport === 'udp' && port === 67 && !known.includes(name))
    .map(({ name }) => ({
      path: 'dhcp_links',
      problem: `a socket named "${name}" was passed in for DHCP, which fits no link; FileDescriptorName= must be ${
        known.length === 0
          ? `${passedName('INTERFACE')}, and a link must name that interface`
          : known.join(' or ')
      }`,
    }));
}
