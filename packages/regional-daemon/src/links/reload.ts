/**
 * What a new configuration changes in a running daemon: which settings of which links change live, and which wait for a restart. Pure.
 * Live is what no socket, no file and no other service hangs on. A change of both kinds takes its live half at once, where that half makes
 * sense without the rest.
 */
import type { LinkSettings } from '../boot/link-settings';
import { checkLinkSettings } from './check-links';
import type { DaemonLink, OwnAddresses } from './daemon-links';
import { daemonLinks } from './daemon-links';
import { socketsOf } from './sockets';

/** Read anew for each packet. */
const LIVE: readonly (keyof LinkSettings)[] = [
  ...(['pool', 'reservations', 'relays', 'router', 'dns_servers', 'domain', 'ntp_servers'] as const),
  ...(['lease_seconds', 'offer_seconds', 'known_servers', 'unknown_clients', 'mode'] as const),
];

export interface ReloadInput {
  /** What the daemon started with, field by field: as the file names them. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly nextSettings: Readonly<Record<string, unknown>>;
  /** What it serves now. */
  readonly links: readonly DaemonLink[];
  readonly nextLinks: readonly LinkSettings[];
  readonly own: OwnAddresses;
}

export interface ReloadPlan {
  /** The links to serve from now on; undefined when nothing changes live. */
  readonly links?: readonly DaemonLink[];
  /** `dhcp_links[0].pool` */
  readonly changed: readonly string[];
  /** What is different and waits for a restart. */
  readonly needRestart: readonly string[];
}

export function planReload(input: ReloadInput): ReloadPlan {
  const { settings, nextSettings, links, nextLinks, own } = input;
  const needRestart = differing(settings, nextSettings);
  const names = (list: readonly { readonly name: string }[]): string =>
    list.map(({ name }) => name).join('\n');
  if (names(links.map((link) => link.settings)) !== names(nextLinks)) {
    return { changed: [], needRestart: [...needRestart, 'dhcp_links (links come, go or change places)'] };
  }
  const changed: string[] = [];
  const merged = links.map((link, index) => {
    const next = nextLinks[index] ?? link.settings;
    const fields = differing(asRecord(link.settings), asRecord(next));
    const live = fields.filter((field) => isLive(field, link, next));
    changed.push(...live.map((field) => `${link.path}.${field}`));
    needRestart.push(
      ...fields.filter((field) => !live.includes(field)).map((field) => `${link.path}.${field}`),
    );
    return withFields(link.settings, next, live);
  });
  if (changed.length === 0) return { changed, needRestart };
  const served = daemonLinks(merged, own);
  // The file is right as a whole and half of it need not be: a pool of the subnet that comes with the restart.
  if (checkLinkSettings(served).length > 0) return { changed: [], needRestart: [...needRestart, ...changed] };
  return { links: served, changed, needRestart };
}

function isLive(field: string, link: DaemonLink, next: LinkSettings): boolean {
  if (!LIVE.some((live) => live === field)) return false;
  if (field !== 'mode') return true;
  if (link.settings.mode === 'external' || next.mode === 'external') return false;
  // Whether a mode needs another port, the ports say themselves.
  const before = socketsOf([link]);
  const behind = socketsOf([{ ...link, settings: { ...link.settings, mode: next.mode } }]);
  return JSON.stringify(before.map(shape)) === JSON.stringify(behind.map(shape));
}

function shape(socket: ReturnType<typeof socketsOf>[number]): readonly unknown[] {
  return [socket.purpose, socket.port];
}

function withFields(now: LinkSettings, next: LinkSettings, fields: readonly string[]): LinkSettings {
  const merged: Record<string, unknown> = { ...now };
  for (const field of fields) {
    const value = asRecord(next)[field];
    if (value === undefined) delete merged[field];
    else merged[field] = value;
  }
  return merged as unknown as LinkSettings;
}

function differing(
  one: Readonly<Record<string, unknown>>,
  other: Readonly<Record<string, unknown>>,
): string[] {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...keys].filter((key) => JSON.stringify(one[key]) !== JSON.stringify(other[key]));
}

function asRecord(settings: LinkSettings): Readonly<Record<string, unknown>> {
  return settings as unknown as Readonly<Record<string, unknown>>;
}
