/**
 * Whether an address belongs to a machine of this link, and to which, for boot servers whose requests name no machine. Strangers need no
 * answer: a TFTP server that answers anybody is a reflector, which sends fifty bytes to whoever a spoofed address names for each one that
 * came. Pure. Invariant: only a lease that was really given says whose an address is.
 */
import type { MacAddress } from '@lpmos/core';
import { isHostOf, readIpv4 } from './ipv4';
import type { Lease, LeaseView } from './lease-table';
import type { LinkPlan } from './link';

/** A machine that loads while its lease ends is still the same machine. */
const AFTER_EXPIRY_MS = 10 * 60_000;

export interface PeerQuestion {
  readonly plan: LinkPlan;
  readonly table: Pick<LeaseView, 'ofAddress'>;
  readonly nowMs: number;
}

/** In server mode who holds a lease of ours; where another server leases, every host of the subnet. Relays are the operator's own. */
export function isKnownPeer({ plan, table, nowMs }: PeerQuestion, address: string): boolean {
  const number = readIpv4(address);
  if (number === undefined) return false;
  if (plan.relays.has(address)) return true;
  if (plan.mode !== 'server') return isHostOf(plan.subnet, number);
  const lease = table.ofAddress(number);
  return isHeld(lease) && nowMs <= lease.expiresAtMs + AFTER_EXPIRY_MS;
}

/**
 * Who holds an address; nobody, as far as we can know, where another server leases. What an observer or a former server remembers there is
 * no lease, and would keep the machine that really has the address from its script.
 */
export function holderAt({ plan, table, nowMs }: PeerQuestion, address: string): MacAddress | undefined {
  const number = readIpv4(address);
  if (number === undefined || plan.mode !== 'server') return undefined;
  const lease = table.ofAddress(number);
  if (!isHeld(lease)) return undefined;
  const grace = lease.state === 'bound' ? AFTER_EXPIRY_MS : 0;
  return nowMs <= lease.expiresAtMs + grace ? lease.mac : undefined;
}

function isHeld(lease: Lease | undefined): lease is Lease {
  return lease?.state === 'offered' || lease?.state === 'bound';
}
