/**
 * From the words of an operator to exactly one disk. A selector names properties that survive a reboot: serial, WWN, model,
 * type, size; a kernel name such as /dev/sda does not and is refused. Anything but exactly one match is a problem in words.
 */
import type { Disk } from './hardware';

/** What a grant names: enough to find the same disk again whatever the kernel calls it. */
export interface DiskIdentity {
  readonly serial: string;
  readonly wwn: string;
  readonly model: string;
  readonly size_bytes: number;
}

export interface DiskSelector {
  /** Terms that must all hold; none means "the only suitable disk". */
  readonly terms: readonly DiskTerm[];
  readonly pick?: 'smallest' | 'largest';
}

export type DiskTerm =
  | { readonly property: 'serial' | 'wwn' | 'model'; readonly equals: string }
  | { readonly property: 'type'; readonly equals: 'SSD' | 'HDD' | 'NVMe' };

export const DISK_LAYOUT_RULE =
  '"auto" (the only suitable disk), or comma-separated terms of serial=…, wwn=…, model=…, type=SSD|HDD|NVMe, smallest, largest; never a kernel name such as /dev/sda';

const LONGEST = 200;
const DISK_TYPES = ['SSD', 'HDD', 'NVMe'] as const;

/** The selector, or the problem in words. */
export function parseDiskSelector(text: string): DiskSelector | { readonly problem: string } {
  if (text.length > LONGEST) return { problem: `must be at most ${LONGEST} characters` };
  if (text.startsWith('/dev/')) {
    return { problem: `${text} may name another disk after the next boot; use serial=… or wwn=…` };
  }
  if (text === 'auto') return { terms: [] };
  const terms: DiskTerm[] = [];
  let pick: DiskSelector['pick'];
  for (const word of text.split(',')) {
    if (word === 'smallest' || word === 'largest') {
      if (pick !== undefined) return { problem: 'names smallest or largest more than once' };
      pick = word;
      continue;
    }
    const term = parseTerm(word.trim());
    if (term === undefined) return { problem: `must be ${DISK_LAYOUT_RULE}` };
    terms.push(term);
  }
  return pick === undefined ? { terms } : { terms, pick };
}

function parseTerm(word: string): DiskTerm | undefined {
  const at = word.indexOf('=');
  const property = word.slice(0, at);
  const equals = word.slice(at + 1);
  if (at < 1 || equals === '') return undefined;
  if (property === 'serial' || property === 'wwn' || property === 'model') return { property, equals };
  const type = DISK_TYPES.find((known) => known.toLowerCase() === equals.toLowerCase());
  return property === 'type' && type !== undefined ? { property, equals: type } : undefined;
}

/** Exactly one disk, or the problem with every candidate named. */
export function resolveDisk(
  selector: DiskSelector,
  disks: readonly Disk[],
  neededBytes: number,
): { readonly disk: Disk } | { readonly problem: string } {
  const suitable = disks.filter((disk) => unsuitable(disk, neededBytes) === undefined);
  const matching = suitable.filter((disk) => selector.terms.every((term) => holds(term, disk)));
  const chosen = selector.pick === undefined ? matching : extreme(matching, selector.pick);
  const [disk] = chosen;
  if (disk !== undefined && chosen.length === 1) return { disk };
  const listed = disks.map((each) => describeDisk(each, neededBytes)).join('; ') || 'none';
  const count = chosen.length === 0 ? 'no disk matches' : `${chosen.length} disks match`;
  return { problem: `${count} and exactly one must; name it by serial=… or wwn=…. Disks: ${listed}` };
}

export function identityOf(disk: Disk): DiskIdentity {
  return { serial: disk.serial, wwn: disk.wwn, model: disk.model, size_bytes: disk.size_bytes };
}

/** Whether this is the very disk that was approved; serial, WWN and size must all agree. */
export function isSameDisk(identity: DiskIdentity, disk: Disk): boolean {
  return (
    (identity.serial !== '' || identity.wwn !== '') &&
    identity.serial === disk.serial &&
    identity.wwn === disk.wwn &&
    identity.size_bytes === disk.size_bytes
  );
}

function unsuitable(disk: Disk, neededBytes: number): string | undefined {
  if (disk.removable) return 'removable';
  if (disk.serial === '' && disk.wwn === '') return 'has neither serial nor WWN';
  if (disk.size_bytes < neededBytes) return `smaller than the image (${neededBytes} bytes)`;
  return undefined;
}

function holds(term: DiskTerm, disk: Disk): boolean {
  return disk[term.property].toLowerCase() === term.equals.toLowerCase();
}

function extreme(disks: readonly Disk[], pick: 'smallest' | 'largest'): Disk[] {
  const sizes = disks.map((disk) => disk.size_bytes);
  const wanted = pick === 'smallest' ? Math.min(...sizes) : Math.max(...sizes);
  return disks.filter((disk) => disk.size_bytes === wanted);
}

function describeDisk(disk: Disk, neededBytes: number): string {
  const reason = unsuitable(disk, neededBytes);
  const name = `${disk.device} ${disk.type} ${disk.size_gb} GB serial=${disk.serial || '(none)'}`;
  return reason === undefined ? name : `${name} (unsuitable: ${reason})`;
}
