/**
 * The operator's words for the DHCP link: what stands in LPMOS_DHCP_LINK. Names are the contract's snake_case; the meaning of each value
 * is checked by netboot when the boot sources are known. Reports every problem at once.
 */

import { LINK_MODES } from '@lpmos/netboot';
import type { LinkMode } from '@lpmos/netboot';

export interface LinkSettings {
  readonly name: string;
  /** `server` leases, `proxy` adds boot data beside another DHCP server, `observe` only reports. */
  readonly mode: LinkMode;
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
  'name',
  'mode',
  'subnet',
  'pool',
  'router',
  'dns_servers',
  'domain',
  'ntp_servers',
  'lease_seconds',
  'offer_seconds',
  'reservations',
  'relays',
  'known_servers',
  'unknown_clients',
  'ports',
];

export function readLinkSettings(
  value: unknown,
): { readonly value: LinkSettings } | { readonly problems: readonly string[] } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { problems: ['must be a mapping with at least subnet'] };
  }
  const problems = Object.keys(value)
    .filter((name) => !KNOWN.includes(name))
    .map((name) => `${name} is not known; known are ${KNOWN.join(', ')}`);
  const settings = { ...DEFAULTS, ...(value as Partial<LinkSettings>) };
  if (typeof settings.subnet !== 'string') problems.push('subnet is required, such as 10.77.0.0/24');
  if (!LINK_MODES.includes(settings.mode)) problems.push(`mode must be one of ${LINK_MODES.join(', ')}`);
  for (const name of ['lease_seconds', 'offer_seconds'] as const) {
    if (!Number.isSafeInteger(settings[name]) || settings[name] < 1) {
      problems.push(`${name} must be a positive whole number of seconds`);
    }
  }
  for (const name of ['dns_servers', 'reservations', 'relays'] as const) {
    if (!Array.isArray(settings[name])) problems.push(`${name} must be a list`);
  }
  problems.push(...portProblems(settings.ports));
  if (problems.length > 0) return { problems };
  return { value: settings as LinkSettings };
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
