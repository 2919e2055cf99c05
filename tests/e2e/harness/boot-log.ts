/**
 * The daemon's log read as evidence: every request of a machine with its outcome, and whether what was advertised was fetched and served.
 * Pure. Not responsible for what a machine did with it; its console and its disk say that.
 */

export interface BootLogEntry {
  readonly protocol: string;
  readonly peer: string;
  readonly mac?: string;
  readonly request: string;
  readonly outcome: string;
  readonly reason: string;
  readonly decision?: string;
  readonly stage?: string;
  readonly bytes?: number;
}

export function parseBootLog(text: string): BootLogEntry[] {
  return text.split('\n').flatMap((line) => {
    if (!line.includes('"boot request"')) return [];
    return [JSON.parse(line) as BootLogEntry];
  });
}

/** The client has its file and is gone, and its last ACK is lost: RFC 1350 section 6 knows no way to tell this from a failure. */
const LAST_ACK_LOST = /^every block was sent, but the last was never acknowledged$/;

/** The log as it would be without what a lossy wire explains: lost last ACKs, and requests that were asked again. */
export function withoutLoss(log: readonly BootLogEntry[]): BootLogEntry[] {
  const settled = log.map((entry) =>
    entry.protocol === 'tftp' && LAST_ACK_LOST.test(entry.reason)
      ? { ...entry, outcome: 'completed' }
      : entry,
  );
  return settled.filter((entry, at) => !isAskedAgain(entry, settled[at + 1]));
}

function isAskedAgain(entry: BootLogEntry, next: BootLogEntry | undefined): boolean {
  const same = (key: 'protocol' | 'mac' | 'request' | 'reason'): boolean => entry[key] === next?.[key];
  return same('protocol') && same('mac') && same('request') && same('reason');
}

const AGENT_FILES = ['vmlinuz', 'initramfs.img', 'site.img'];
const IPXE_DHCP = /^DHCPACK ([\d.]+), the boot script/;

/** What went wrong on the way from an advertised name to a served file, in words; empty when nothing did. */
export function unservedPromises(log: readonly BootLogEntry[]): string[] {
  return [...notAnswered(log), ...scriptsNotFetched(log), ...filesNotSent(log)];
}

function notAnswered(log: readonly BootLogEntry[]): string[] {
  const bad = log.filter(({ outcome }) => outcome === 'failed' || outcome === 'refused');
  return bad.map(({ protocol, request, outcome, reason }) => `${protocol} ${request}: ${outcome}, ${reason}`);
}

/** DHCP promised a script to an address: the address fetches it before it is promised one again. */
function scriptsNotFetched(log: readonly BootLogEntry[]): string[] {
  return log.flatMap((entry, at) => {
    const address = IPXE_DHCP.exec(entry.reason)?.[1];
    if (address === undefined) return [];
    const fetched = until(log, at, ({ reason }) => IPXE_DHCP.test(reason)).some(
      ({ peer, request, outcome }) =>
        peer === address && request.includes('/boot/menu.ipxe') && outcome === 'answered',
    );
    return fetched ? [] : [`${address} was told of a boot script and did not get it`];
  });
}

/** A script with decision `agent` names three files: all are sent, whole, before the machine asks for a script again. */
function filesNotSent(log: readonly BootLogEntry[]): string[] {
  return log.flatMap((entry, at) => {
    if (!isAgentScript(entry)) return [];
    const later = until(log, at, ({ request }) => request.includes('/boot/menu.ipxe'));
    const missing = AGENT_FILES.filter(
      (file) =>
        !later.some(
          ({ peer, request, outcome, bytes = 0 }) =>
            peer === entry.peer && request.endsWith(`/${file}`) && outcome === 'completed' && bytes > 0,
        ),
    );
    return missing.map((file) => `${entry.peer} was told to load ${file} and did not get it`);
  });
}

export function isAgentScript({ request, decision }: BootLogEntry): boolean {
  return request.includes('/boot/menu.ipxe') && decision === 'agent';
}

function until(
  log: readonly BootLogEntry[],
  after: number,
  ends: (entry: BootLogEntry) => boolean,
): readonly BootLogEntry[] {
  const rest = log.slice(after + 1);
  const end = rest.findIndex(ends);
  return end < 0 ? rest : rest.slice(0, end);
}
