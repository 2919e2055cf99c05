/**
 * Whether an address belongs to a machine of this link, so that other boot servers need not answer strangers: a TFTP server that answers
 * anybody is a reflector, which sends fifty bytes to whoever a spoofed address names for each one that came. Pure.
 */
import { isHostOf, readIpv4 } from './ipv4';
import type { LeaseView } from './lease-table';
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
  if ((plan.link.mode ?? 'server') !== 'server') return isHostOf(plan.subnet, number);
  const lease = table.ofAddress(number);
  const held = lease?.state === 'offered' || lease?.state === 'bound';
  return held && nowMs <= lease.expiresAtMs + AFTER_EXPIRY_MS;
}
