/**
 * Checks the configuration of a link and reports every problem at once, each with its field and what to do.
 * Takes anything (a parsed YAML or JSON value) and trusts nothing; link.ts says what the fields mean.
 */
import type { FieldProblem, MacAddress } from '@lpmos/core';
import { MAC_RULE, readMacAddress } from '@lpmos/core';
import { LOADER_KEYS } from './firmware';
import type { Subnet } from './ipv4';
import { formatIpv4, isHostOf, readIpv4, readSubnet } from './ipv4';
import { MAX_LEASES } from './lease-table';
import type { DhcpLink } from './link';
import { LINK_MODES } from './link';
import { MAX_FILE } from './packet';

export type ParsedLink =
  | { readonly kind: 'link'; readonly link: DhcpLink }
  | { readonly kind: 'problems'; readonly problems: readonly FieldProblem[] };

type Raw = Readonly<Record<string, unknown>>;
type Report = (path: string, problem: string) => void;

/** One object of the configuration, its place in the whole, and where its problems go. */
interface Scope {
  readonly raw: Raw;
  /** Empty, or `boot.`. */
  readonly prefix: string;
  readonly report: Report;
}

const FIELDS = [
  ...[
    'name',
    'serverAddress',
    'subnet',
    'pool',
    'router',
    'dnsServers',
    'domain',
    'ntpServers',
    'leaseSeconds',
  ],
  ...['offerSeconds', 'reservations', 'relays', 'ports', 'boot', 'unknownClients', 'mode', 'knownServers'],
  ...['relayedOnly', 'partnerAddress'],
];
/** Addresses that no client may have. */
const OF_THE_NETWORK = ['serverAddress', 'partnerAddress', 'router'];
/** The longest text that is one option. */
const MAX_OPTION = 255;
/** Option 51 says "for ever" with all bits set; we lease for at most a year, so that an address always comes back. */
const MAX_LEASE_SECONDS = 365 * 86_400;
const HOST_NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;
const DOMAIN_NAME =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const HTTP_URL = /^https?:\/\/[\x21-\x7e]+$/;
/** What fits into one option of addresses. */
const MAX_ADDRESSES = 63;
/** One relay for each rack of a large site. */
const MAX_RELAYS = 4096;
const TFTP_NAME = {
  pattern: new RegExp(`^[\\x21-\\x7e]{1,${MAX_FILE}}$`),
  problem: `must be a file name of at most ${MAX_FILE} printable characters`,
};

export function parseDhcpLink(raw: unknown): ParsedLink {
  const problems: FieldProblem[] = [];
  const report: Report = (path, problem) => void problems.push({ path, problem });
  if (!isRecord(raw)) return { kind: 'problems', problems: [{ path: 'link', problem: 'must be an object' }] };
  const link: Scope = { raw, prefix: '', report };
  unknownFields(link, FIELDS);
  checkText(link, 'name', {
    pattern: /^[\x21-\x7e]{1,64}$/,
    problem: 'must be 1 to 64 printable characters',
  });
  const subnet = typeof raw['subnet'] === 'string' ? readSubnet(raw['subnet']) : undefined;
  if (subnet === undefined)
    report('subnet', 'must be a network such as 10.77.0.0/24 (prefix 8 to 30, no host bits)');
  checkNetwork(link, subnet);
  checkNumber(link, 'leaseSeconds', { min: 1, max: MAX_LEASE_SECONDS });
  checkNumber(link, 'offerSeconds', { min: 1, max: 3600 });
  checkPool(link, subnet);
  const reservations = checkReservations(link, subnet);
  checkPorts(link);
  checkBoot(link);
  if (raw['unknownClients'] !== 'lease' && raw['unknownClients'] !== 'ignore') {
    report('unknownClients', 'must be "lease" or "ignore"');
  }
  checkMode(link);
  if (problems.length > 0) return { kind: 'problems', problems };
  return { kind: 'link', link: { ...raw, reservations } as unknown as DhcpLink };
}

function checkMode({ raw, report }: Scope): void {
  const mode = raw['mode'];
  if (mode !== undefined && !LINK_MODES.some((known) => known === mode)) {
    report('mode', `must be one of ${LINK_MODES.join(', ')}`);
  }
  if (mode !== 'proxy') return;
  // Whoever writes a pool expects leases from it, and in this mode there are none.
  const why = 'must be left out in mode "proxy", where another server leases; or choose mode "server"';
  if (raw['pool'] !== undefined) report('pool', why);
  if (Array.isArray(raw['reservations']) && raw['reservations'].length > 0) report('reservations', why);
}

function checkNetwork(link: Scope, subnet: Subnet | undefined): void {
  const relayed = link.raw['relayedOnly'];
  if (relayed !== undefined && typeof relayed !== 'boolean')
    link.report('relayedOnly', 'must be true or false');
  checkHost(link, 'serverAddress', relayed === true ? undefined : subnet);
  if (link.raw['router'] !== undefined) checkHost(link, 'router', subnet);
  if (link.raw['partnerAddress'] !== undefined) checkPartner(link, relayed === true ? undefined : subnet);
  checkAddresses(link, 'dnsServers');
  if (link.raw['ntpServers'] !== undefined) checkAddresses(link, 'ntpServers');
  checkAddresses(link, 'relays', MAX_RELAYS);
  if (relayed === true && Array.isArray(link.raw['relays']) && link.raw['relays'].length === 0) {
    link.report('relays', 'must name at least one relay of a link that is reached by relays alone');
  }
  if (link.raw['knownServers'] !== undefined) checkAddresses(link, 'knownServers');
  if (link.raw['domain'] === undefined) return;
  checkText(link, 'domain', { pattern: DOMAIN_NAME, problem: 'must be a domain name such as lab.example' });
}

function checkPartner(link: Scope, subnet: Subnet | undefined): void {
  const partner = checkHost(link, 'partnerAddress', subnet);
  if (partner === undefined || partner !== addressOf(link.raw['serverAddress'])) return;
  link.report('partnerAddress', 'is serverAddress; name the address of the other daemon');
}

function checkPool(link: Scope, subnet: Subnet | undefined): void {
  const pool = inner(link, 'pool', ['first', 'last'], { optional: true });
  if (pool === undefined) return;
  const first = checkHost(pool, 'first', subnet);
  const last = checkHost(pool, 'last', subnet);
  if (first === undefined || last === undefined) return;
  if (last < first) return link.report('pool.last', 'lies before pool.first');
  if (last - first >= MAX_LEASES)
    link.report('pool', `has more than ${MAX_LEASES} addresses; split the link`);
  for (const field of OF_THE_NETWORK) {
    const own = addressOf(link.raw[field]);
    if (own === undefined || own < first || own > last) continue;
    link.report('pool', `contains ${field} ${formatIpv4(own)}; leave it out of the pool`);
  }
}

function checkReservations(link: Scope, subnet: Subnet | undefined): readonly unknown[] {
  const list = link.raw['reservations'];
  if (!Array.isArray(list)) {
    link.report('reservations', 'must be a list of { mac, address, hostname? }');
    return [];
  }
  const seen = new Map<string | number, string>();
  return list.map((raw: unknown, index) => {
    const path = `reservations[${index}]`;
    if (!isRecord(raw)) {
      link.report(path, 'must be { mac, address, hostname? }');
      return raw;
    }
    const entry: Scope = { raw, prefix: `${path}.`, report: link.report };
    unknownFields(entry, ['mac', 'address', 'hostname']);
    return { ...raw, mac: checkReservation({ entry, link, subnet, seen }) };
  });
}

interface ReservationCheck {
  readonly entry: Scope;
  readonly link: Scope;
  readonly subnet: Subnet | undefined;
  /** MACs and addresses so far, with the field that had them first. */
  readonly seen: Map<string | number, string>;
}

/** @returns the MAC in its canonical form */
function checkReservation({ entry, link, subnet, seen }: ReservationCheck): MacAddress | undefined {
  const once = (key: string | number, field: string): void => {
    const path = `${entry.prefix}${field}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, path);
    else entry.report(path, `is reserved already by ${first}`);
  };
  const mac = typeof entry.raw['mac'] === 'string' ? readMacAddress(entry.raw['mac']) : undefined;
  if (mac === undefined) entry.report(`${entry.prefix}mac`, `must be ${MAC_RULE}`);
  else once(mac, 'mac');
  const number = checkHost(entry, 'address', subnet);
  if (number !== undefined) once(number, 'address');
  for (const field of OF_THE_NETWORK) {
    if (number !== undefined && number === addressOf(link.raw[field])) {
      entry.report(`${entry.prefix}address`, `is ${field}; reserve another address`);
    }
  }
  if (entry.raw['hostname'] !== undefined) {
    const problem = 'must be a host name of 1 to 63 letters, digits and hyphens';
    checkText(entry, 'hostname', { pattern: HOST_NAME, problem });
  }
  return mac;
}

function checkPorts(link: Scope): void {
  const ports = inner(link, 'ports', ['server', 'client', 'relay']);
  if (ports === undefined) return;
  // The system chooses a port 0, which makes sense only for the one that we listen on.
  checkNumber(ports, 'server', { min: 0, max: 65_535 });
  checkNumber(ports, 'client', { min: 1, max: 65_535 });
  checkNumber(ports, 'relay', { min: 1, max: 65_535 });
}

function checkBoot(link: Scope): void {
  const boot = inner(link, 'boot', ['nextServer', 'loaders', 'httpLoaders', 'scriptUrl']);
  if (boot === undefined) return;
  checkHost(boot, 'nextServer', undefined);
  checkUrl(boot, 'scriptUrl');
  const loaders = inner(boot, 'loaders', LOADER_KEYS);
  const http = inner(boot, 'httpLoaders', LOADER_KEYS, { optional: true });
  for (const key of LOADER_KEYS) {
    if (loaders?.raw[key] !== undefined) checkText(loaders, key, TFTP_NAME);
    if (http?.raw[key] !== undefined) checkUrl(http, key);
  }
}

/** The object in a field, after a look at its own fields. */
function inner(
  outer: Scope,
  field: string,
  known: readonly string[],
  { optional = false } = {},
): Scope | undefined {
  const raw = outer.raw[field];
  if (raw === undefined && optional) return undefined;
  const path = `${outer.prefix}${field}`;
  if (!isRecord(raw)) {
    outer.report(path, `must be an object with ${known.join(', ')}`);
    return undefined;
  }
  const scope: Scope = { raw, prefix: `${path}.`, report: outer.report };
  unknownFields(scope, known);
  return scope;
}

/** Not parsed as a URL: iPXE's variables are no URL characters and pass as they are. */
function checkUrl(scope: Scope, field: string): void {
  const value = scope.raw[field];
  if (typeof value === 'string' && value.length <= MAX_OPTION && HTTP_URL.test(value)) return;
  scope.report(
    `${scope.prefix}${field}`,
    `must be an http or https URL of at most ${MAX_OPTION} printable characters`,
  );
}

function checkHost(
  { raw, prefix, report }: Scope,
  field: string,
  subnet: Subnet | undefined,
): number | undefined {
  const number = addressOf(raw[field]);
  if (number === undefined) report(`${prefix}${field}`, 'must be an IPv4 address such as 10.77.0.1');
  else if (subnet !== undefined && !isHostOf(subnet, number)) {
    const range = `${formatIpv4(subnet.network)}/${subnet.prefix}`;
    report(`${prefix}${field}`, `is outside of the subnet or not a host of it (${range})`);
  }
  return number;
}

function checkAddresses({ raw, prefix, report }: Scope, field: string, max = MAX_ADDRESSES): void {
  const list = raw[field];
  if (!Array.isArray(list)) return report(`${prefix}${field}`, 'must be a list of IPv4 addresses');
  if (list.length > max) report(`${prefix}${field}`, `must have at most ${max} addresses`);
  list.forEach((entry: unknown, index) => {
    if (addressOf(entry) !== undefined) return;
    report(`${prefix}${field}[${index}]`, 'must be an IPv4 address such as 10.77.0.1');
  });
}

interface TextRule {
  readonly pattern: RegExp;
  readonly problem: string;
}

function checkText({ raw, prefix, report }: Scope, field: string, rule: TextRule): void {
  const value = raw[field];
  if (typeof value !== 'string' || !rule.pattern.test(value)) report(`${prefix}${field}`, rule.problem);
}

function checkNumber(
  { raw, prefix, report }: Scope,
  field: string,
  range: { min: number; max: number },
): void {
  const value = raw[field];
  if (typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= range.max)
    return;
  report(`${prefix}${field}`, `must be a whole number from ${range.min} to ${range.max}`);
}

function unknownFields({ raw, prefix, report }: Scope, known: readonly string[]): void {
  for (const field of Object.keys(raw)) {
    if (!known.includes(field)) report(`${prefix}${field}`, `is unknown; the fields are ${known.join(', ')}`);
  }
}

function addressOf(raw: unknown): number | undefined {
  return typeof raw === 'string' ? readIpv4(raw) : undefined;
}

function isRecord(raw: unknown): raw is Raw {
  return typeof raw === 'object' && raw !== null && !Array.isArray(raw);
}
