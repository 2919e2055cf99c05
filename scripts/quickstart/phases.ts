/**
 * Where the seconds of one machine's life went: marks taken from the daemon's log and the task's timeline, made into phases. Pure.
 * A phase whose marks were not seen is left out rather than guessed.
 */

export interface Mark {
  readonly name: MarkName;
  readonly atMs: number;
}

export type MarkName =
  | 'power-on'
  | 'dhcp-discover'
  | 'dhcp-request'
  | 'script'
  | 'kernel'
  | 'ramdisk-loaded'
  | 'agent-connected'
  | 'hardware-reported'
  | 'approved'
  | 'install-started'
  | 'install-succeeded'
  | 'second-boot'
  | 'host-up';

const PHASES: readonly { readonly name: string; readonly from: MarkName; readonly to: MarkName }[] = [
  { name: 'firmware', from: 'power-on', to: 'dhcp-discover' },
  { name: 'DHCP', from: 'dhcp-discover', to: 'dhcp-request' },
  { name: 'loader', from: 'dhcp-request', to: 'script' },
  { name: 'script', from: 'script', to: 'kernel' },
  { name: 'kernel and ramdisk download', from: 'kernel', to: 'ramdisk-loaded' },
  { name: 'kernel start and agent', from: 'ramdisk-loaded', to: 'agent-connected' },
  { name: 'hardware report', from: 'agent-connected', to: 'hardware-reported' },
  { name: 'approval wait', from: 'hardware-reported', to: 'approved' },
  { name: 'order', from: 'approved', to: 'install-started' },
  { name: 'write, verify, personalise', from: 'install-started', to: 'install-succeeded' },
  { name: 'reboot', from: 'install-succeeded', to: 'second-boot' },
  { name: 'first boot from disk', from: 'second-boot', to: 'host-up' },
];

export interface Phase {
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
}

export function phasesOf(marks: readonly Mark[]): Phase[] {
  const at = new Map<MarkName, number>();
  for (const mark of marks) if (!at.has(mark.name)) at.set(mark.name, mark.atMs);
  const origin = at.get('power-on') ?? Math.min(...at.values());
  return PHASES.flatMap(({ name, from, to }) => {
    const start = at.get(from);
    const end = at.get(to);
    return start === undefined || end === undefined
      ? []
      : [{ name, startMs: start - origin, durationMs: Math.max(0, end - start) }];
  });
}

export function renderPhases(marks: readonly Mark[]): string {
  const phases = phasesOf(marks);
  const longest = Math.max(1, ...phases.map(({ durationMs }) => durationMs));
  const seconds = (ms: number): string => (ms / 1000).toFixed(1).padStart(7);
  const lines = phases.map(({ name, startMs, durationMs }) => {
    const bar = '#'.repeat(Math.max(1, Math.round((durationMs / longest) * 30)));
    return `  ${name.padEnd(30)}${seconds(startMs)} s  +${seconds(durationMs)} s  ${bar}`;
  });
  const last = phases.at(-1);
  const total = last === undefined ? 0 : last.startMs + last.durationMs;
  return [
    `  ${'phase'.padEnd(30)}${'begins'.padStart(9)}  ${'takes'.padStart(10)}`,
    ...lines,
    `  ${'from power-on to the host'.padEnd(30)}${seconds(total)} s`,
  ].join('\n');
}

/** A mark in one line of the daemon's log, if there is one. The first disk boot is the first script after the installation. */
export function markOfLogLine(line: string, installed: boolean): Mark | undefined {
  const entry = parse(line);
  if (entry === undefined) return undefined;
  const atMs = Date.parse(String(entry['time']));
  const mark = (name: MarkName): Mark => ({ name, atMs });
  if (entry['msg'] === 'agent connected') return mark('agent-connected');
  if (entry['msg'] === 'task moved') {
    const moved = TASK_MARKS[String(entry['event'])];
    return moved === undefined ? undefined : mark(moved);
  }
  if (entry['msg'] !== 'boot request') return undefined;
  const request = String(entry['request']);
  if (installed) return request.startsWith('DHCPDISCOVER') ? mark('second-boot') : undefined;
  if (request.startsWith('DHCPDISCOVER')) return mark('dhcp-discover');
  if (request.startsWith('DHCPREQUEST')) return mark('dhcp-request');
  if (request.includes('/boot/menu.ipxe')) return mark('script');
  if (request.includes('/vmlinuz')) return mark('kernel');
  if (request.includes('/site.img')) return mark('ramdisk-loaded');
  return undefined;
}

const TASK_MARKS: Readonly<Record<string, MarkName>> = {
  hardware_reported: 'hardware-reported',
  install_started: 'install-started',
  install_succeeded: 'install-succeeded',
};

function parse(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
