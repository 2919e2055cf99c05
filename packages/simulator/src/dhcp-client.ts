/**
 * A DHCP client as a pure machine: (state, event) → (state, effects). DISCOVER with back-off, the first usable offer, REQUEST, ACK;
 * a NAK starts over (RFC 2131 section 4.4). iPXE waits for a proxyDHCP offer unless option 175.176 is set.
 * Sends nothing and knows no time but the delays it asks for: dhcp-exchange.ts runs it.
 */
import {
  bootRequest,
  addressOption,
  IPXE_SUBOPTION,
  messageTypeName,
  OPTION,
  readAddress,
  readSubOptions,
  readText,
  readU32,
  readU8,
} from '@lpmos/netboot';
import type { DhcpPacket } from '@lpmos/netboot';
import { macFromBytes } from '@lpmos/core';
import { clientOptions, clientRow } from './dhcp-options';
import type { BootClient } from './dhcp-options';

export interface DhcpLease {
  readonly address: string;
  readonly serverIdentifier: string;
  readonly leaseSeconds: number;
  /** `siaddr`, else option 66 when it is an address; empty when the server named none. */
  readonly nextServer: string;
  /** Option 67, else `file`; empty when the server offered nothing to boot. */
  readonly bootFile: string;
  readonly router: string;
  readonly hostname: string;
}

export type DhcpState =
  | { readonly phase: 'selecting'; readonly tries: number; readonly naks: number }
  | { readonly phase: 'proxy-wait'; readonly offer: DhcpPacket; readonly naks: number }
  | {
      readonly phase: 'requesting';
      readonly offer: DhcpPacket;
      readonly tries: number;
      readonly naks: number;
    }
  | { readonly phase: 'over' };

export type DhcpEvent =
  { readonly kind: 'reply'; readonly packet: DhcpPacket } | { readonly kind: 'timeout' };

export type DhcpEffect =
  | { readonly kind: 'send'; readonly packet: DhcpPacket }
  | { readonly kind: 'arm'; readonly delaySeconds: number }
  | { readonly kind: 'offered'; readonly address: string }
  | { readonly kind: 'bound'; readonly lease: DhcpLease }
  | { readonly kind: 'failed'; readonly reason: string };

export interface DhcpStep {
  readonly state: DhcpState;
  readonly effects: readonly DhcpEffect[];
}

/** What stays the same through one exchange. */
export interface DhcpClient {
  readonly client: BootClient;
  readonly xid: number;
  /** The relay that the messages go through: its address is `giaddr`, and the server answers there. */
  readonly giaddr: string;
}

/** A server that refuses what it offered is broken; firmware does not try for ever either. */
const MOST_NAKS = 3;
const REQUEST_TRIES = 4;

export function startDhcp(context: DhcpClient): DhcpStep {
  return discover(context, { tries: 0, naks: 0 });
}

export function stepDhcp(context: DhcpClient, state: DhcpState, event: DhcpEvent): DhcpStep {
  if (state.phase === 'over') return { state, effects: [] };
  return event.kind === 'timeout' ? onTimeout(context, state) : onReply(context, state, event.packet);
}

function onReply(
  context: DhcpClient,
  state: Exclude<DhcpState, { phase: 'over' }>,
  packet: DhcpPacket,
): DhcpStep {
  const ignored: DhcpStep = { state, effects: [] };
  if (packet.op !== 2 || packet.xid !== context.xid) return ignored;
  if (macFromBytes(packet.chaddr) !== context.client.mac) return ignored;
  const type = messageTypeName(readU8(packet.options, OPTION.messageType) ?? 0);
  if (state.phase === 'selecting' && type === 'DHCPOFFER' && isUsable(packet)) {
    return onOffer(context, packet, state.naks);
  }
  if (state.phase !== 'requesting') return ignored;
  if (type === 'DHCPACK') return bound(packet);
  if (type !== 'DHCPNAK') return ignored;
  return state.naks + 1 >= MOST_NAKS
    ? failed(`the server refused what it offered ${MOST_NAKS} times (DHCPNAK)`)
    : discover(context, { tries: 0, naks: state.naks + 1 });
}

function onOffer(context: DhcpClient, offer: DhcpPacket, naks: number): DhcpStep {
  const offered: DhcpEffect = { kind: 'offered', address: offer.yiaddr };
  const { proxyWaitSeconds } = clientRow(context.client);
  if (proxyWaitSeconds > 0 && !tellsNotToWait(offer)) {
    return {
      state: { phase: 'proxy-wait', offer, naks },
      effects: [offered, { kind: 'arm', delaySeconds: proxyWaitSeconds }],
    };
  }
  const step = request(context, { offer, tries: 0, naks });
  return { ...step, effects: [offered, ...step.effects] };
}

function onTimeout(context: DhcpClient, state: Exclude<DhcpState, { phase: 'over' }>): DhcpStep {
  switch (state.phase) {
    case 'selecting':
      return discover(context, { tries: state.tries, naks: state.naks });
    case 'proxy-wait':
      return request(context, { offer: state.offer, tries: 0, naks: state.naks });
    case 'requesting':
      return request(context, state);
  }
}

function discover(context: DhcpClient, count: { tries: number; naks: number }): DhcpStep {
  const row = clientRow(context.client);
  const delaySeconds = row.patienceSeconds[count.tries];
  if (delaySeconds === undefined) return failed(`no DHCPOFFER after ${count.tries} DHCPDISCOVERs`);
  const packet = bootRequest({
    ...envelope(context, count.tries),
    type: 'DHCPDISCOVER',
    options: new Map(clientOptions(context.client)),
  });
  return {
    state: { phase: 'selecting', tries: count.tries + 1, naks: count.naks },
    effects: [
      { kind: 'send', packet },
      { kind: 'arm', delaySeconds },
    ],
  };
}

function request(
  context: DhcpClient,
  at: { readonly offer: DhcpPacket; readonly tries: number; readonly naks: number },
): DhcpStep {
  if (at.tries >= REQUEST_TRIES) return failed(`no DHCPACK after ${at.tries} DHCPREQUESTs`);
  const server = readAddress(at.offer.options, OPTION.serverIdentifier) ?? '';
  const packet = bootRequest({
    ...envelope(context, at.tries),
    type: 'DHCPREQUEST',
    options: new Map([
      ...clientOptions(context.client),
      [OPTION.serverIdentifier, addressOption(server)],
      [OPTION.requestedAddress, addressOption(at.offer.yiaddr)],
    ]),
  });
  const { patienceSeconds } = clientRow(context.client);
  return {
    state: { phase: 'requesting', offer: at.offer, tries: at.tries + 1, naks: at.naks },
    effects: [
      { kind: 'send', packet },
      { kind: 'arm', delaySeconds: patienceSeconds[at.tries] ?? patienceSeconds[0] },
    ],
  };
}

function envelope(context: DhcpClient, tries: number) {
  const { client, xid, giaddr } = context;
  const { broadcast } = clientRow(client);
  /** iPXE in the capture said 4 and then 8. */
  return { mac: client.mac, xid, giaddr, hops: 1, broadcast, secs: 4 * (tries + 1) };
}

function bound(ack: DhcpPacket): DhcpStep {
  const { options } = ack;
  const lease: DhcpLease = {
    address: ack.yiaddr,
    serverIdentifier: readAddress(options, OPTION.serverIdentifier) ?? '',
    leaseSeconds: readU32(options, OPTION.leaseTime) ?? 0,
    nextServer:
      ack.siaddr === '0.0.0.0' ? dottedOrEmpty(readText(options, OPTION.tftpServerName)) : ack.siaddr,
    bootFile: readText(options, OPTION.bootfileName) ?? ack.file,
    router: options.get(OPTION.router)?.subarray(0, 4).join('.') ?? '',
    hostname: readText(options, OPTION.hostName) ?? '',
  };
  return { state: { phase: 'over' }, effects: [{ kind: 'bound', lease }] };
}

function failed(reason: string): DhcpStep {
  return { state: { phase: 'over' }, effects: [{ kind: 'failed', reason }] };
}

function isUsable(offer: DhcpPacket): boolean {
  return offer.yiaddr !== '0.0.0.0' && readAddress(offer.options, OPTION.serverIdentifier) !== undefined;
}

function tellsNotToWait(offer: DhcpPacket): boolean {
  const settings = readSubOptions(offer.options.get(OPTION.ipxeEncapsulated) ?? new Uint8Array());
  return settings !== undefined && readU8(settings, IPXE_SUBOPTION.noPxeDhcp) === 1;
}

/** ROMs do not resolve names. */
function dottedOrEmpty(text: string | undefined): string {
  return text !== undefined && /^\d{1,3}(?:\.\d{1,3}){3}$/.test(text) ? text : '';
}
