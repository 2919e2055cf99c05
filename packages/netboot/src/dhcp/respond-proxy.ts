/**
 * proxyDHCP as one pure function beside respond.ts: boot data for netboot clients, next to a DHCP server that leases the addresses.
 * On port 67 an OFFER without address; on port 4011 an ACK to where the request came from. PXE 2.1 sections 2.2 to 2.4, RFC 4578.
 * Never a lease, never a network parameter, never a word to a client without option 60 or to a machine that is not ours:
 * whatever this function says must be harmless on a network that works without us.
 */
import type { BootDecision } from '@lpmos/core';
import type { AdmittedRequest } from './admit';
import type { BootData } from './boot-data';
import { bootData } from './boot-data';
import type { Endpoint } from './datagram-port';
import { isHostOf, readIpv4 } from './ipv4';
import type { LinkPlan } from './link';
import { OPTION, PXE_SUBOPTION } from './option-codes';
import { concat } from './packet';
import { readSubOptions, subOptions } from './options';
import { buildReply } from './reply';
import type { DhcpResponse } from './respond';
import { routeReply } from './route-reply';

/** Where a request came in: the DHCP port, or the boot server's port (4011). */
export type ProxyPort = 'dhcp' | 'boot-server';

export interface RespondProxyInput {
  readonly request: AdmittedRequest;
  readonly plan: LinkPlan;
  readonly decision: BootDecision;
  readonly port: ProxyPort;
  /** Sender of the datagram; the answer on the boot server's port goes there. */
  readonly from: Endpoint;
}

const END = Uint8Array.of(OPTION.end);
/** Boot server type (2 bytes) and layer (2 bytes). */
const BOOT_ITEM_LENGTH = 4;
const FIRST_UNICAST = 0x01000000;
const FIRST_MULTICAST = 0xe0000000;

export function respondProxy(input: RespondProxyInput): DhcpResponse {
  const problem = input.port === 'dhcp' ? notForDhcpPort(input) : notForBootServerPort(input);
  if (problem !== undefined) return ignored(problem);
  const { request, plan, decision } = input;
  if (request.client.method === undefined) {
    return ignored('no netboot client (option 60): a proxy answers nobody else');
  }
  const boot = bootData({
    mac: request.mac,
    client: request.client,
    decision,
    sources: plan.link.boot,
    options: request.packet.options,
  });
  if (boot.kind === 'none') return ignored(`${boot.reason}: ${decision.reason}`, boot.fault);
  return answer(input, boot.data);
}

function answer(input: RespondProxyInput, boot: BootData): DhcpResponse {
  const { request, plan, decision, port, from } = input;
  const type = port === 'dhcp' ? 'DHCPOFFER' : 'DHCPACK';
  const { packet, maxBytes } = buildReply({
    type,
    request,
    plan,
    boot: { ...boot, options: proxyOptions(input, boot) },
    parameters: false,
  });
  return {
    kind: 'reply',
    type,
    packet,
    maxBytes,
    to: port === 'dhcp' ? routeReply({ request: request.packet, reply: type, link: plan.link }) : from,
    reason: `proxy ${type}, ${boot.what}: ${decision.reason}`,
  };
}

/** REQUEST, RENEW and the rest on this port belong to the server that leases. */
function notForDhcpPort({ request }: RespondProxyInput): string | undefined {
  return request.type === 'DHCPDISCOVER'
    ? undefined
    : `${request.type} belongs to the server that leases, and we are the proxy`;
}

/** EDK2 and iPXE ask by DHCPREQUEST, some ROMs by DHCPINFORM (PXE 2.1 section 2.4.4); all from an address that they have. */
function notForBootServerPort({ request, plan, from }: RespondProxyInput): string | undefined {
  if (request.type !== 'DHCPREQUEST' && request.type !== 'DHCPINFORM') {
    return `${request.type} on the boot server's port, where only DHCPREQUEST and DHCPINFORM make sense`;
  }
  if (request.chosenServer !== undefined && request.chosenServer !== request.serverIdentifier) {
    return `the client asks boot server ${request.chosenServer}`;
  }
  return isAnswerable(from, plan)
    ? undefined
    : `${from.address}:${from.port} is no client's address and port`;
}

/**
 * Behind relays clients have addresses of networks that we do not know; without relays, who is not on the link is no client.
 * Never ourselves: two boot servers that answer each other would not end.
 */
function isAnswerable({ address, port }: Endpoint, plan: LinkPlan): boolean {
  const sender = readIpv4(address);
  if (sender === undefined || port === 0 || sender === plan.serverAddress) return false;
  if (isHostOf(plan.subnet, sender)) return true;
  const isUnicast = sender >= FIRST_UNICAST && sender < FIRST_MULTICAST;
  return (
    isUnicast && plan.relays.size > 0 && sender !== plan.subnet.network && sender !== plan.subnet.broadcast
  );
}

/**
 * Boot data as in server mode, but for two options. 175.176 ("wait for no proxy") is a word of the server that leases.
 * A client that comes with an item of a boot menu (43.71) wants that item back, or iPXE and ROMs take the answer for another's.
 */
function proxyOptions({ request, port }: RespondProxyInput, boot: BootData): BootData['options'] {
  const options = new Map(boot.options);
  options.delete(OPTION.ipxeEncapsulated);
  const item = port === 'boot-server' ? bootItem(request) : undefined;
  if (item !== undefined) {
    options.set(OPTION.vendorSpecific, concat([subOptions([[PXE_SUBOPTION.bootItem, item]]), END]));
  }
  return options;
}

function bootItem({ packet }: AdmittedRequest): Uint8Array | undefined {
  const encapsulated = packet.options.get(OPTION.vendorSpecific);
  const item = encapsulated && readSubOptions(encapsulated)?.get(PXE_SUBOPTION.bootItem);
  return item?.length === BOOT_ITEM_LENGTH ? item : undefined;
}

function ignored(reason: string, refused = false): DhcpResponse {
  return { kind: 'ignored', reason, refused };
}
