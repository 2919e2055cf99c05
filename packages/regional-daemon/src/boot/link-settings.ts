/**
 * The operator's words for the links: what stands in LPMOS_DHCP_LINKS. Names are the contract's snake_case. This file reads the shape and
 * fills in defaults; links/check-links.ts joins the links with each other, with the host and with netboot's own rules.
 * Reports every problem at once, each with its place (`dhcp_links[1].mode`).
 */
import { LINK_MODES } from '@lpmos/netboot';
import { UEFI_CHAINS } from './grub-files';
import type { UefiChain } from './grub-files';

/** `external`: switch or router does DHCP and TFTP, we serve HTTP boot alone. The others are netboot's. */
export const LINK_SETTING_MODES = [...LINK_MODES, 'external'] as const;
export type LinkSettingMode = (typeof LINK_SETTING_MODES)[number];

export interface LinkSettings {
  readonly name: string;
  /** The interface on the link. Without it, a link that is alone is served on all interfaces, and one of several by relays only. */
  readonly interface?: string;
  /** Our address as the machines of the link see it; LPMOS_SERVICE_ADDRESS when absent. */
  readonly service_address?: string;
  /** The same of the region's other daemon; LPMOS_PARTNER_ADDRESS when both are absent. */
  readonly partner_address?: string;
  readonly mode: LinkSettingMode;
  readonly subnet: string;
  readonly pool?: { readonly first: string; readonly last: string };
  readonly router?: string;
  readonly dns_servers: readonly string[];
  readonly domain?: string;
  readonly ntp_servers?: readonly string[];
  readonly lease_seconds: number;
  readonly offer_seconds: number;
  readonly reservations: readonly {
    readonly mac: string;
    readonly address: string;
    readonly hostname?: string;
  }[];
  readonly relays: readonly string[];
  /** Other DHCP servers that are on the link on purpose and are not reported. */
  readonly known_servers?: readonly string[];
  readonly unknown_clients: 'lease' | 'ignore';
  /** `none`: nobody on the link announces an IPv6 router, and machines of ours are told so. Nothing is said when absent. */
  readonly ipv6_router?: 'none';
  /** LPMOS_UEFI_CHAIN when absent. */
  readonly uefi_chain?: UefiChain;
  /** `proxy` is the boot server's port: 4011 where `server` is 67, else off unless named. */
  readonly ports: {
    readonly server: number;
    readonly client: number;
    readonly relay: number;
    readonly proxy?: number;
  };
}

const DEFAULTS = {
  name: 'boot',
  mode: 'server',
  dns_servers: [],
  lease_seconds: 3600,
  offer_seconds: 60,
  reservations: [],
  relays: [],
  unknown_clients: 'lease',
  ports: { server: 67, client: 68, relay: 67 },
} as const;

const KNOWN = [
  ...['name', 'interface', 'service_address', 'mode', 'subnet', 'pool', 'router', 'dns_servers', 'domain'],
  ...['ntp_servers', 'lease_seconds', 'offer_seconds', 'reservations', 'relays', 'known_servers'],
  ...['unknown_clients', 'ipv6_router', 'uefi_chain', 'ports', 'partner_address'],
];
/** A daemon with more has a switch for each rack in front of it, which relays: then a link is a line of text, not an interface. */
const MAX_LINKS = 256;
/** IFNAMSIZ with its zero. No comma, which parts the words of the helper that opens sockets. */
const INTERFACE = /^[^\s/,:]{1,15}$/;
const LINK_NAME = /^[A-Za-z0-9][\w.-]{0,63}$/;
const EXAMPLE = '[{ "subnet": "10.20.0.0/24" }]';

type Raw = Readonly<Record<string, unknown>>;

export function readLinkList(
  value: unknown,
): { readonly value: readonly LinkSettings[] } | { readonly problems: readonly string[] } {
  if (!Array.isArray(value)) {
    return { problems: [`must be a list of links, such as ${EXAMPLE}; one link is a list of one`] };
  }
  if (value.length === 0) {
    return { problems: [`must have at least one link, such as ${EXAMPLE}; leave it out to serve no DHCP`] };
  }
  if (value.length > MAX_LINKS) return { problems: [`has ${value.length} links; at most ${MAX_LINKS}`] };
  const problems: string[] = [];
  const links = value.map((raw: unknown, index) => {
    const at = `dhcp_links[${index}]`;
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      problems.push(`${at} must be a mapping with at least subnet`);
      return undefined;
    }
    problems.push(...shapeProblems(raw as Raw, value.length).map((problem) => `${at}.${problem}`));
    return { ...DEFAULTS, ...raw, ports: portsOf(raw as Raw) } as unknown as LinkSettings;
  });
  const known = links.filter((link) => link !== undefined);
  return problems.length > 0 ? { problems } : { value: known };
}

function portsOf(raw: Raw): unknown {
  const ports = raw['ports'];
  return typeof ports === 'object' && ports !== null ? { ...DEFAULTS.ports, ...ports } : DEFAULTS.ports;
}

function shapeProblems(raw: Raw, links: number): string[] {
  const problems = Object.keys(raw)
    .filter((name) => !KNOWN.includes(name))
    .map((name) => `${name} is not known; known are ${KNOWN.join(', ')}`);
  const settings: Raw = { ...DEFAULTS, ...raw };
  const check = (name: string, isRight: boolean, problem: string): void => {
    if (!isRight) problems.push(`${name} ${problem}`);
  };
  const text = (name: string, pattern: RegExp): boolean =>
    typeof settings[name] === 'string' && pattern.test(settings[name]);
  check('subnet', typeof settings['subnet'] === 'string', 'is required, such as 10.77.0.0/24');
  if (raw['name'] === undefined) check('name', links === 1, 'is required where there are several links');
  else check('name', text('name', LINK_NAME), 'must be 1 to 64 letters, digits, dots, hyphens');
  if (raw['interface'] !== undefined) {
    check('interface', text('interface', INTERFACE), 'must be the name of an interface, such as eth1');
  }
  const modes: readonly unknown[] = LINK_SETTING_MODES;
  check('mode', modes.includes(settings['mode']), `must be one of ${LINK_SETTING_MODES.join(', ')}`);
  const chains: readonly unknown[] = [undefined, ...UEFI_CHAINS];
  check('uefi_chain', chains.includes(raw['uefi_chain']), `must be one of ${UEFI_CHAINS.join(', ')}`);
  const router = raw['ipv6_router'];
  check('ipv6_router', router === undefined || router === 'none', 'must be none, or be left out');
  for (const name of ['lease_seconds', 'offer_seconds']) {
    const isRight = Number.isSafeInteger(settings[name]) && Number(settings[name]) >= 1;
    check(name, isRight, 'must be a positive whole number of seconds');
  }
  for (const name of ['dns_servers', 'reservations', 'relays']) {
    check(name, Array.isArray(settings[name]), 'must be a list');
  }
  return [...problems, ...portProblems(settings['ports'])];
}

/** The other ports are checked by netboot; this one is opened by the daemon alone. */
function portProblems(ports: unknown): string[] {
  if (typeof ports !== 'object' || ports === null)
    return ['ports must be a mapping of server, client and relay'];
  const proxy = 'proxy' in ports ? ports.proxy : undefined;
  if (proxy === undefined) return [];
  const isPort = typeof proxy === 'number' && Number.isInteger(proxy) && proxy >= 0 && proxy <= 65_535;
  return isPort ? [] : ['ports.proxy must be a whole number from 0 to 65535'];
}
