/**
 * Boot events of TFTP: what a peer sent is bounded and printable before anybody logs it.
 */
import type { BootEvent, BootEventListener } from '../boot-event';
import type { UdpPeer } from './sockets';

export type Report = (event: Omit<BootEvent, 'protocol'>) => void;

/** Longest `request` of a boot event. */
const MAX_REQUEST_TEXT = 200;

export function createReport(onEvent: BootEventListener): Report {
  return (event) => onEvent({ ...event, protocol: 'tftp', request: printable(event.request) });
}

export function peerText(peer: UdpPeer): string {
  return peer.address.includes(':') ? `[${peer.address}]:${peer.port}` : `${peer.address}:${peer.port}`;
}

function printable(text: string): string {
  return text.slice(0, MAX_REQUEST_TEXT).replace(/[^\x20-\x7e]/g, '?');
}
