/**
 * The operator's words for the DHCP link: what stands in LPMOS_DHCP_LINK. Names are the contract's snake_case; the meaning of each value
 * is checked by netboot when the boot sources are known. Reports every problem at once.
 */

export interface LinkSettings {
  readonly name: string;
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
  readonly unknown_clients: 'lease' | 'ignore';
  readonly ports: { readonly server: number; readonly client: number; readonly relay: number };
}

const DEFAULTS = {
  name: 'boot',
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
  for (const name of ['lease_seconds', 'offer_seconds'] as const) {
    if (!Number.isSafeInteger(settings[name]) || settings[name] < 1) {
      problems.push(`${name} must be a positive whole number of seconds`);
    }
  }
  for (const name of ['dns_servers', 'reservations', 'relays'] as const) {
    if (!Array.isArray(settings[name])) problems.push(`${name} must be a list`);
  }
  if (problems.length > 0) return { problems };
  return { value: settings as LinkSettings };
}
