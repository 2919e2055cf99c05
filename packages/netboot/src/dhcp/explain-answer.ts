/**
 * What a link would answer to one request of a machine, for explanations: the server's own functions (admit, respond, respondProxy) on a
 * link without leases. Pure; sends nothing and remembers nothing, so the address is one that a fresh link would choose.
 */
import type { BootDecision } from '@lpmos/core';
import { admit } from './admit';
import type { Endpoint } from './datagram-port';
import { LeaseTable } from './lease-table';
import type { DhcpLink } from './link';
import { planLink } from './link';
import type { DhcpPacket } from './packet';
import type { DhcpResponse } from './respond';
import { respond } from './respond';
import { respondProxy } from './respond-proxy';

export interface ExplainQuestion {
  /** As parseDhcpLink gave it. */
  readonly link: DhcpLink;
  readonly packet: DhcpPacket;
  readonly decision: BootDecision;
  /** Which port of the link it comes to. */
  readonly port: 'dhcp' | 'boot-server';
  readonly from: Endpoint;
  readonly nowMs: number;
}

export type ExplainedAnswer =
  | {
      readonly kind: 'reply';
      readonly type: 'DHCPOFFER' | 'DHCPACK' | 'DHCPNAK';
      readonly packet: DhcpPacket;
      readonly reason: string;
      /** The machine should boot from us and cannot. */
      readonly fault?: string;
    }
  | { readonly kind: 'silence'; readonly reason: string };

export function explainAnswer(question: ExplainQuestion): ExplainedAnswer {
  const plan = planLink(question.link);
  const admission = admit(question.packet, plan);
  if (admission.kind === 'ignored') return { kind: 'silence', reason: admission.reason };
  const input = {
    request: admission.request,
    plan,
    decision: question.decision,
    leases: new LeaseTable(plan),
    nowMs: question.nowMs,
  };
  const { port, from } = question;
  const asProxy = port === 'boot-server' || plan.mode === 'proxy';
  return explained(
    asProxy ? respondProxy({ ...input, port, from }) : respond(input),
    plan.mode === 'observe',
  );
}

function explained(response: DhcpResponse, observes: boolean): ExplainedAnswer {
  if (response.kind === 'ignored') return { kind: 'silence', reason: response.reason };
  if (observes)
    return { kind: 'silence', reason: `the link only observes; it would send ${response.reason}` };
  const { type, packet, reason, fault } = response;
  return { kind: 'reply', type, packet, reason, ...(fault === undefined ? {} : { fault }) };
}
