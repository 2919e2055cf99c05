/**
 * The links of one daemon beside each other: a request that one link's port heard is served by the link that it belongs to, and the reply
 * leaves by the port that heard it. select-link.ts decides; this file only knows who is there. Bounded by the configuration.
 */
import type { DatagramPort, Endpoint, Inlet } from './datagram-port';
import type { LinkPlan } from './link';
import type { DhcpPacket } from './packet';
import { selectLink } from './select-link';

/** One datagram on its way through the daemon. */
export interface Arrival {
  readonly inlet: Inlet;
  readonly port: DatagramPort;
  readonly bytes: Uint8Array;
  readonly from: Endpoint;
  readonly nowMs: number;
}

export interface LinkMember {
  plan(): LinkPlan;
  serve(arrival: Arrival, packet: DhcpPacket): void;
}

export type FoundMember =
  { readonly problem?: undefined; readonly member: LinkMember } | { readonly problem: string };

export interface LinkGroup {
  /** @returns leaves the group again. */
  join(member: LinkMember): () => void;
  /** Who serves a request; undefined when it is the link that heard it. */
  find(heardOn: LinkPlan, arrival: Arrival, packet: DhcpPacket): FoundMember | undefined;
}

export function createLinkGroup(): LinkGroup {
  const members = new Set<LinkMember>();
  return {
    join(member) {
      members.add(member);
      return () => members.delete(member);
    },
    find(heardOn, { inlet, from }, packet) {
      if (members.size < 2 && heardOn.link.relayedOnly !== true) return undefined;
      const selected = selectLink({
        packet,
        heardOn,
        plans: [...members].map((member) => member.plan()),
        ...(inlet === 'boot-server' ? { sender: from.address } : {}),
      });
      if (selected.problem !== undefined) return { problem: selected.problem };
      if (selected.plan === heardOn) return undefined;
      const member = [...members].find((one) => one.plan() === selected.plan);
      return member === undefined ? undefined : { member };
    },
  };
}
