/**
 * What a boot server did with one request and why: the raw material of timelines, `explain` and metrics.
 * Emitted synchronously by the servers; a listener must not throw and must not block.
 */
import type { BootDecision, MacAddress } from '@lpmos/core';

export interface BootEvent {
  readonly protocol: 'dhcp' | 'tftp' | 'http';
  /** Absent when the request names no machine (a TFTP read, a malformed packet). */
  readonly mac?: MacAddress;
  /** Address of the peer, as far as it has one. */
  readonly peer: string;
  /** `DHCPDISCOVER`, `RRQ undionly.kpxe`, `GET /boot/menu.ipxe`; at most 200 characters, printable ASCII. */
  readonly request: string;
  /** Stage of the machine, where the request shows it. */
  readonly stage?: 'firmware' | 'ipxe' | 'os';
  readonly decision?: BootDecision;
  readonly outcome: 'answered' | 'ignored' | 'refused' | 'failed' | 'completed';
  /** One sentence in words. */
  readonly reason: string;
  readonly bytes?: number;
}

export type BootEventListener = (event: BootEvent) => void;
