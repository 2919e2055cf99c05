/**
 * Whether a peer may ask for the script of a machine. A script can hold a ticket for the machine's task, so a machine of the link must not
 * fetch another's: who holds a lease of ours is known by its address. Pure; both HTTP and TFTP ask here.
 * Where another server leases nobody can say, and the claim stands: a ticket opens one session and proves no hardware.
 */
import type { MacAddress } from '@lpmos/core';

/** @param holder whose lease the peer's address is, as far as it is known. @returns what is wrong, or undefined. */
export function claimProblem(mac: MacAddress, holder: MacAddress | undefined): string | undefined {
  if (holder === undefined || holder === mac) return undefined;
  return `the address is leased to ${holder}, which may not ask for the script of ${mac}`;
}
