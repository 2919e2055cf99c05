/**
 * What a region's store holds of one DHCP lease, for the daemon that takes over on another host: the lease itself lives with the daemon
 * that gave it. Key `/lpmos/regions/{r}/leases/{link}/{address}`, written behind the answers by the region's leading daemon, read before
 * DHCP is opened. Only what keeps an address from a second machine: an offer binds nobody, and what was given back is forgotten.
 */
import type { MacAddress } from '../machine/mac-address';

export interface LeaseCopy {
  readonly schema_version: 1;
  readonly mac: MacAddress;
  /** `declined`: a client found the address in use by somebody else. */
  readonly state: 'bound' | 'declined';
  /** Milliseconds since the epoch, when the state was last renewed. */
  readonly since_ms: number;
  /** Milliseconds since the epoch. A copy may end after its lease, never before it: a client still holds the address until then. */
  readonly expires_at_ms: number;
  /** From the reservation; names that clients claim are not kept. */
  readonly hostname?: string;
}

/** A copy and where it stands. */
export interface StoredLease {
  readonly link: string;
  /** Dotted IPv4. */
  readonly address: string;
  readonly lease: LeaseCopy;
}
