/**
 * One running read: opens its socket, feeds packets, timeouts and socket errors to transfer.ts and hands the effects to
 * outlet.ts. Decides nothing itself. Ends exactly once, by `onEnd`, and then holds neither socket nor timer nor file.
 */
import type { Clock } from '@lpmos/core';
import type { DataPackets } from './data-packets';
import type { Negotiated } from './options';
import { createOutlet, type Outlet } from './outlet';
import { decodeTftpPacket } from './packet';
import type { SocketFactory, UdpPeer } from './sockets';
import {
  startTransfer,
  stepTransfer,
  type TransferEffect,
  type TransferEnd,
  type TransferEvent,
} from './transfer';

export interface SessionOptions {
  readonly sockets: SocketFactory;
  /** Local address that the request came to. */
  readonly address: string;
  readonly peer: UdpPeer;
  readonly sizeBytes: number;
  readonly packets: DataPackets;
  readonly negotiated: Negotiated;
  readonly clock: Clock;
  readonly maxTransferMs: number;
  readonly onEnd: (end: TransferEnd, bytesAcknowledged: number) => void;
}

export interface Session {
  /** Monotonic milliseconds of the last ACK that moved the transfer forward, or of its start. */
  lastProgressMs(): number;
  /** Drops the transfer without a word to the peer. */
  abandon(reason: string): void;
}

/** The host itself cannot send for now: its link flaps, its address is being renewed, its firewall reloads. A lost packet like any other. */
const PASSING: ReadonlySet<string> = new Set([
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
  'EHOSTDOWN',
  'EADDRNOTAVAIL',
  'EPERM',
  'ENOBUFS',
  'EAGAIN',
]);

export function startSession(options: SessionOptions): Session {
  const { sockets, address, peer, sizeBytes, packets, negotiated, clock } = options;
  const startedMs = clock.monotonicMs();
  const opening = startTransfer(sizeBytes, negotiated);
  let state = opening.state;
  let progressMs = startedMs;
  let outlet: Outlet | undefined;
  let over = false;
  let unsent: string | undefined;

  const end = ({ outcome, reason }: TransferEnd) => {
    if (over) return;
    over = true;
    outlet?.close();
    const told = unsent === undefined ? reason : `${reason}; this host could not send: ${unsent}`;
    options.onEnd({ outcome, reason: told }, Math.min(state.acked * state.blksize, sizeBytes));
  };
  const perform = (effect: TransferEffect) => {
    if (effect.kind === 'finish') end(effect.end);
    else outlet?.perform(effect);
  };
  const feed = (event: TransferEvent) => {
    if (over) return;
    const nowMs = clock.monotonicMs();
    const expired = nowMs - startedMs > options.maxTransferMs;
    const step = stepTransfer(state, expired ? { kind: 'expired' } : event);
    if (step.state.acked > state.acked || step.state.phase !== state.phase) {
      progressMs = nowMs;
      unsent = undefined;
    }
    state = step.state;
    step.effects.forEach(perform);
  };
  const onDatagram = (datagram: Uint8Array) => {
    const event = readEvent(datagram);
    if (event !== undefined) feed(event);
  };
  const onError = (error: NodeJS.ErrnoException) => {
    if (error.code === 'ECONNREFUSED') feed({ kind: 'unreachable' });
    else if (PASSING.has(error.code ?? '')) unsent = error.message;
    else end({ outcome: 'failed', reason: `the socket failed: ${error.message}` });
  };
  const open = async () => {
    const socket = await sockets.connect({ address, peer, onDatagram, onError });
    const onTimeout = () => feed({ kind: 'timeout' });
    outlet = createOutlet({ socket, packets, oack: negotiated.oack, onTimeout });
    if (over) outlet.close();
    else opening.effects.forEach(perform);
  };

  open().catch((error: unknown) => end({ outcome: 'failed', reason: `no socket for it: ${String(error)}` }));
  return {
    lastProgressMs: () => progressMs,
    abandon: (reason) => end({ outcome: 'failed', reason }),
  };
}

/** What a datagram on the transfer's own port means to it; undefined for what a reader never sends. */
function readEvent(datagram: Uint8Array): TransferEvent | undefined {
  const packet = decodeTftpPacket(datagram);
  switch (packet.kind) {
    case 'ACK':
      return { kind: 'ack', block: packet.block };
    case 'ERROR':
      return { kind: 'peer-error', code: packet.code, message: packet.message };
    default:
      // An ERROR too short to hold its code still says that the client has left.
      if (packet.kind === 'malformed' && packet.about === 'ERROR') {
        return { kind: 'peer-error', code: 0, message: '' };
      }
      return undefined;
  }
}
