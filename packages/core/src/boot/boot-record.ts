/**
 * What a region remembers of one machine's boots: every request, what was decided, what came of it. Documents carry the contract's names.
 * Key `/lpmos/regions/{r}/boots/{mac}`, written by the region's leading daemon; advisory, no decision rests on it.
 * Bounded on the way in: a history is for people, and the machines of a rack must not fill a store.
 */
import type { MacAddress } from '../machine/mac-address';
import type { BootDecision } from './decide';

export const BOOT_PROTOCOLS = ['dhcp', 'tftp', 'http'] as const;
export type BootProtocol = (typeof BOOT_PROTOCOLS)[number];
/** Who asked: the firmware of the machine, iPXE, or an operating system. */
export const BOOT_STAGES = ['firmware', 'ipxe', 'os'] as const;
export const BOOT_OUTCOMES = ['answered', 'ignored', 'refused', 'failed', 'completed'] as const;
export type BootOutcome = (typeof BOOT_OUTCOMES)[number];
export const BOOT_DECISIONS = [
  'agent',
  'local-disk',
  'silent',
  'wait',
] as const satisfies readonly BootDecision['kind'][];

/** One request, or several that were the same: then `count`, and the time of the first and the last. */
export interface BootRecord {
  readonly first_at: string;
  readonly last_at: string;
  readonly count: number;
  readonly protocol: BootProtocol;
  readonly stage?: (typeof BOOT_STAGES)[number];
  /** `DHCPDISCOVER`, `RRQ undionly.kpxe`, `GET /boot/menu.ipxe`. */
  readonly request: string;
  readonly decision?: BootDecision['kind'];
  readonly outcome: BootOutcome;
  /** One sentence in words. */
  readonly reason: string;
  /** Of the last of them. */
  readonly bytes?: number;
  /** Address of the last peer. */
  readonly peer: string;
}

export interface MachineBoots {
  readonly schema_version: 1;
  readonly mac: MacAddress;
  /** Whether a task named the machine when it last asked. Strangers are kept in small numbers only. */
  readonly known: boolean;
  /** Oldest first, by their first time. */
  readonly records: readonly BootRecord[];
  /** Records that had to make room. */
  readonly dropped: number;
}

/** What one machine may take in the store. */
export const MACHINE_BOOTS_BYTES = 8 * 1024;
