/**
 * The boots in a machine's history: records in order of their first time, cut where a new boot begins. Pure.
 * A boot begins when the machine asks for an address at an earlier stage than it had reached (the firmware after its loader, iPXE after its
 * script), or after a long silence. What an installed system asks is a group of its own kind: it boots nothing.
 */
import type { BootEntry } from '../control-plane';

export interface BootGroup {
  readonly kind: 'boot' | 'os';
  readonly records: readonly BootEntry[];
}

/** A machine that boots asks at least every minute; a long image download may be silent for longer. */
const SILENCE_MS = 15 * 60_000;

/** How far a boot has come when it asks this. */
export function rankOf(record: BootEntry): number {
  if (record.protocol === 'dhcp') return record.stage === 'ipxe' ? RANK.ipxe : RANK.firmware;
  if (record.protocol === 'tftp') return RANK.loader;
  return isScript(record) ? RANK.script : RANK.files;
}

export const RANK = { firmware: 0, loader: 1, ipxe: 2, script: 3, files: 4 } as const;

export function isScript({ protocol, request }: BootEntry): boolean {
  return protocol === 'http' && request.includes('/boot/menu.ipxe');
}

export function groupBoots(records: readonly BootEntry[]): BootGroup[] {
  const groups: { kind: BootGroup['kind']; records: BootEntry[]; rank: number; lastMs: number }[] = [];
  for (const record of records) {
    const kind = record.stage === 'os' ? 'os' : 'boot';
    const rank = rankOf(record);
    const startMs = Date.parse(record.first_at);
    const lastMs = Date.parse(record.last_at);
    const current = groups.at(-1);
    const continues =
      current?.kind === kind &&
      (kind === 'os' ||
        (startMs - current.lastMs < SILENCE_MS && !(asksAnew(record) && rank < current.rank)));
    if (continues) {
      current.records.push(record);
      current.rank = Math.max(current.rank, rank);
      current.lastMs = Math.max(current.lastMs, lastMs);
    } else groups.push({ kind, records: [record], rank, lastMs });
  }
  return groups.map(({ kind, records: own }) => ({ kind, records: own }));
}

function asksAnew({ protocol, request }: BootEntry): boolean {
  return protocol === 'dhcp' && request === 'DHCPDISCOVER';
}
