/**
 * The named moments of a machine's life at which power can be cut, hardware swapped or a link pulled: where faults.ts hooks in and
 * what chaos tests enumerate. The order is that of an undisturbed life.
 */
export const MACHINE_POINTS = [
  'firmware',
  'dhcp-start',
  'dhcp-bound',
  'loader-loaded',
  'script-run',
  'kernel-loaded',
  'agent-started',
  'session-opened',
  'hardware-sent',
  'hardware-acknowledged',
  'order-received',
  'grant-verified',
  'write-started',
  'write-half',
  'disk-verified',
  'disk-finished',
  'result-sent',
  'result-acknowledged',
  'reboot-ordered',
  'disk-boot',
  'check-in-sent',
  'host-up',
] as const;

export type MachinePoint = (typeof MACHINE_POINTS)[number];
