/**
 * What a person should look at, from how far the last boot came: a table of patterns, each with what it means and what to do.
 * Pure; every row is one way in which booting stops that somebody met in a machine hall. The first rows that match are shown.
 */
import type { TaskStatus } from '@lpmos/core';
import type { BootEntry } from '../control-plane';
import { isScript } from './boot-groups';

export interface BootFacts {
  /** Records of the last boot. */
  readonly records: readonly BootEntry[];
  readonly taskStatus?: TaskStatus;
  /** Milliseconds since the machine was last heard of. */
  readonly silentMs: number;
}

interface HintRow {
  readonly id: string;
  readonly when: (facts: BootFacts) => boolean;
  readonly says: string;
}

const says =
  (pattern: RegExp) =>
  ({ records }: BootFacts): boolean =>
    records.some(({ reason }) => pattern.test(reason));
const some = ({ records }: BootFacts, test: (record: BootEntry) => boolean): boolean => records.some(test);

const offered = (facts: BootFacts): boolean =>
  some(facts, (each) => isDhcp(each) && each.stage === 'firmware' && isBootAnswer(each));
const accepted = (facts: BootFacts): boolean =>
  some(facts, (each) => isDhcp(each) && each.request === 'DHCPREQUEST' && each.outcome === 'answered');
const askedFile = (facts: BootFacts): boolean => some(facts, (each) => each.protocol !== 'dhcp');
const isTftpRead = (each: BootEntry): boolean => each.protocol === 'tftp' && each.request.startsWith('RRQ');
const hasLoader = (facts: BootFacts): boolean =>
  some(facts, (each) => each.outcome === 'completed' && (isTftpRead(each) || each.stage === 'firmware'));
/** GRUB, where it is in iPXE's place, fetches its scripts under this name, by TFTP or by HTTP. */
const grubAsked = (facts: BootFacts): boolean =>
  some(facts, (each) => /\/?grub\/(?:grub|machine)/.test(each.request));
const ipxeAsked = (facts: BootFacts): boolean => some(facts, (each) => each.stage === 'ipxe');
const gotScript = (facts: BootFacts): boolean =>
  some(facts, (each) => isScript(each) && each.outcome === 'answered');
/** From 13 to 16 s were measured; a lost packet or a proxy costs less, a machine that tries again more. */
const IPV6_WAIT_MS = { least: 10_000, most: 30_000 };
const waitedForRouter = ({ records }: BootFacts): boolean => {
  const addressed = records.findLast(
    (each) => isDhcp(each) && each.stage === 'ipxe' && each.request === 'DHCPREQUEST' && isBootAnswer(each),
  );
  const asked = records.find((each) => isScript(each) && each.outcome === 'answered');
  if (addressed === undefined || asked === undefined) return false;
  const waitedMs = Date.parse(asked.first_at) - Date.parse(addressed.last_at);
  return waitedMs >= IPV6_WAIT_MS.least && waitedMs <= IPV6_WAIT_MS.most;
};
const isFile = (each: BootEntry): boolean => each.protocol === 'http' && !isScript(each);
/** The last file that a machine loads, by whichever protocol. */
const finished = (facts: BootFacts): boolean =>
  some(facts, (each) => each.outcome === 'completed' && /site\.img|initr/.test(each.request));

function isDhcp({ protocol }: BootEntry): boolean {
  return protocol === 'dhcp';
}

function isBootAnswer({ outcome, decision }: BootEntry): boolean {
  return outcome === 'answered' && decision !== undefined && decision !== 'silent';
}

/** A machine that is under way must not be called stuck: no hint about what did not happen before this much silence. */
const STUCK_MS = 20_000;
const stuck =
  (test: (facts: BootFacts) => boolean) =>
  (facts: BootFacts): boolean =>
    facts.silentMs >= STUCK_MS && test(facts);

const ROWS: readonly HintRow[] = [
  {
    id: 'foreign-server',
    when: ({ records }) => records.some(({ request }) => request.endsWith('of another server')),
    says: 'Another DHCP server answers on this link. Stop it, list it in known_servers, or set the link to mode proxy.',
  },
  {
    id: 'relay-not-listed',
    when: says(/^relay \S+ is not in the list of relays/),
    says: 'The request came through a relay that is not listed. Add its address to relays of the link.',
  },
  {
    id: 'no-address',
    when: says(/^no free address on link/),
    says: 'The pool of the link is used up. Enlarge pool, or shorten lease_seconds.',
  },
  {
    id: 'no-loader',
    when: says(/^no (?:TFTP|HTTP) loader is configured|: no (?:TFTP|HTTP) loader is configured/),
    says: 'The region has no loader for this firmware. Install the package ipxe on the region, or name a file in LPMOS_LOADERS.',
  },
  {
    id: 'no-architecture',
    when: says(/does not say its architecture/),
    says: 'The firmware does not say what it is (option 93). Update it, or boot the machine from an iPXE medium.',
  },
  {
    id: 'address-in-use',
    when: ({ records }) => records.some(({ request }) => request === 'DHCPDECLINE'),
    says: 'The machine found its address in use by somebody else. Look for a fixed address inside the pool.',
  },
  {
    id: 'only-observed',
    when: says(/^observed:/),
    says: 'The link only observes. Set its mode to server or proxy to boot machines.',
  },
  {
    id: 'stranger',
    when: ({ records }) =>
      records.some(isDhcp) &&
      records.filter(isDhcp).every((each) => each.decision === undefined || each.decision === 'silent'),
    says: 'No task names this machine, so it is told nothing about booting. Order it with `lpmos task create --mac`.',
  },
  {
    id: 'offer-not-taken',
    when: stuck((facts) => offered(facts) && !accepted(facts) && !askedFile(facts) && !ipxeAsked(facts)),
    says: 'The firmware was offered an address and never asked for it. It did not hear us (firewall for UDP 67 and 68, a relay without a way back, a port in spanning-tree delay) or took the offer of another server: look with `lpmos doctor`.',
  },
  {
    id: 'never-loaded',
    when: stuck((facts) => offered(facts) && accepted(facts) && !askedFile(facts) && !ipxeAsked(facts)),
    says: 'The firmware has its address and never came for the loader. A firewall drops TFTP (UDP 69), or HTTP for HTTP boot, or the service address cannot be reached from there: look with `lpmos doctor`.',
  },
  {
    id: 'loader-cut',
    when: stuck(
      (facts) =>
        some(facts, (each) => isTftpRead(each) && each.outcome !== 'refused') &&
        !hasLoader(facts) &&
        !ipxeAsked(facts),
    ),
    says: 'The loader was asked for and did not arrive whole. A firewall drops the data ports of TFTP (any UDP port above 1023 of the region), or the path takes smaller packets than the firmware asks for (MTU): look with `lpmos doctor`.',
  },
  {
    id: 'loader-refused',
    // shim and GRUB try names that are not there and go on.
    when: (facts) =>
      some(facts, (each) => isTftpRead(each) && each.outcome === 'refused') && !hasLoader(facts),
    says: 'The machine asked for a file that the region does not have. Another DHCP server names it, or it comes from an old configuration.',
  },
  {
    id: 'loader-silent',
    when: stuck((facts) => hasLoader(facts) && !ipxeAsked(facts) && !grubAsked(facts)),
    says: 'The loader arrived and was never heard of. Secure Boot refuses it, or it is for another architecture: look at the console.',
  },
  {
    id: 'script-not-asked',
    when: stuck((facts) => ipxeAsked(facts) && !some(facts, isScript)),
    says: 'iPXE has its address and never asked for its script. A firewall drops HTTP to the region, or iPXE drives this card badly: look at the console, or use snponly.efi.',
  },
  {
    id: 'ipv6-wait',
    when: waitedForRouter,
    says: 'iPXE had its address and asked for its script more than ten seconds later: it waits for an IPv6 router, in each boot. Let one announce itself on the link, or give the link "ipv6_router": "none".',
  },
  {
    id: 'wait',
    when: ({ records }) => records.at(-1)?.decision === 'wait',
    says: 'The machine was told to wait and asks again by itself: the region prepares the task, reads its tasks, or is busy.',
  },
  {
    id: 'files-not-asked',
    when: stuck(
      (facts) =>
        gotScript(facts) &&
        some(facts, (each) => isScript(each) && each.decision === 'agent') &&
        !some(facts, isFile),
    ),
    says: 'The machine has its script and never asked for the kernel. Look at the console: iPXE says there what failed.',
  },
  {
    id: 'files-cut',
    when: stuck((facts) => some(facts, (each) => isFile(each) && each.outcome === 'failed')),
    says: 'A file did not arrive whole. The link is bad or the machine was switched off; if it happens again, look at the cable and at MTU with `lpmos doctor`.',
  },
  {
    id: 'agent-silent',
    when: stuck(
      (facts) => finished(facts) && (facts.taskStatus === 'booting' || facts.taskStatus === 'ready'),
    ),
    says: 'Kernel and ramdisk were loaded and the agent has not reported. Look at the console; a firewall may drop TCP 8082, or the clock of the machine may be far off (TLS).',
  },
];

export interface Hint {
  readonly id: string;
  readonly says: string;
}

export const HINT_IDS = ROWS.map(({ id }) => id);

export function hintsFor(facts: BootFacts): Hint[] {
  return ROWS.filter((row) => row.when(facts)).map(({ id, says: text }) => ({ id, says: text }));
}
