/**
 * One TFTP read as a state machine: (state, event) -> (state, effects).
 * Opens no socket and starts no timer; session.ts performs the effects and feeds back the events.
 * RFC 1350 with the options of RFC 2347-2349; windowsize of RFC 7440.
 * A repeated ACK never causes data to be sent again (each duplicate would breed another), and it does not prolong a timer.
 * The block number wraps from 65535 to 0: the RFCs are silent, clients in the field expect it. Inside, blocks are
 * absolute (1, 2, 3 ...); an empty last block ends a file whose size is a multiple of blksize.
 */
import type { Negotiated } from './options';
import type { TftpErrorName } from './packet';

export interface TransferState {
  readonly phase: 'oack' | 'data' | 'over';
  readonly blksize: number;
  readonly windowsize: number;
  readonly lastBlock: number;
  /** All blocks up to this one have been acknowledged. */
  readonly acked: number;
  /** The highest block that has been sent since `acked` last moved. */
  readonly sent: number;
  /** How often the peer has been sent the same thing without an answer. */
  readonly sends: number;
  /** The peer has acknowledged something, so it is really there (its address is not forged). */
  readonly proven: boolean;
  readonly firstTimeoutMs: number;
}

export type TransferEvent =
  | { readonly kind: 'ack'; readonly block: number }
  | { readonly kind: 'peer-error'; readonly code: number; readonly message: string }
  | { readonly kind: 'timeout' }
  /** The whole transfer took longer than it may. */
  | { readonly kind: 'expired' }
  /** The peer's host says that nobody listens there any more (ICMP). */
  | { readonly kind: 'unreachable' };

export interface TransferEnd {
  readonly outcome: 'completed' | 'probe' | 'failed';
  readonly reason: string;
}

export type TransferEffect =
  | { readonly kind: 'send-oack' }
  /** Absolute block numbers, both included. */
  | { readonly kind: 'send-data'; readonly first: number; readonly last: number }
  | { readonly kind: 'send-error'; readonly error: TftpErrorName }
  | { readonly kind: 'arm'; readonly delayMs: number }
  | { readonly kind: 'finish'; readonly end: TransferEnd };

export interface TransferStep {
  readonly state: TransferState;
  readonly effects: readonly TransferEffect[];
}

/** Before the first ACK the address may be forged: no more than this goes to it, then silence. */
export const MAX_SENDS_UNPROVEN = 3;
/** After it: five tries spread over half a minute outlast a switch port that relearns. */
export const MAX_SENDS_PROVEN = 5;
const FIRST_TIMEOUT_MS = 1000;
/** Back-off doubles up to here (or stays at the client's own timeout, where that is longer and the client has proven itself). */
const LONGEST_TIMEOUT_MS = 8000;

export function startTransfer(sizeBytes: number, negotiated: Negotiated): TransferStep {
  const withOack = negotiated.oack.length > 0;
  const state: TransferState = {
    phase: withOack ? 'oack' : 'data',
    blksize: negotiated.blksize,
    windowsize: negotiated.windowsize,
    lastBlock: Math.floor(sizeBytes / negotiated.blksize) + 1,
    acked: 0,
    sent: 0,
    sends: 0,
    proven: false,
    firstTimeoutMs: negotiated.timeoutMs ?? FIRST_TIMEOUT_MS,
  };
  return sendAgain(state);
}

export function stepTransfer(state: TransferState, event: TransferEvent): TransferStep {
  if (state.phase === 'over') return { state, effects: [] };
  switch (event.kind) {
    case 'ack':
      return onAck(state, event.block);
    case 'timeout':
      return onTimeout(state);
    case 'peer-error':
      return onPeerError(state, event.code, event.message);
    case 'expired':
      return finish(state, 'failed', 'the transfer took longer than it may', 'not-defined');
    case 'unreachable':
      return finish(state, 'failed', `the client closed its port${progress(state)}`);
  }
}

function onAck(state: TransferState, block: number): TransferStep {
  if (state.phase === 'oack') {
    // Only ACK 0 answers an OACK (RFC 2347); anything else is of an older transfer on the same port.
    if (block !== 0) return { state, effects: [] };
    return send(state, { phase: 'data', sends: 1, proven: true, acked: 0 });
  }
  // The distance modulo 65536 tells how far the peer got; with at most 65535 blocks in flight it is unambiguous.
  const acked = state.acked + ((block - state.acked) & 0xffff);
  if (acked === state.acked || acked > state.sent) return { state, effects: [] };
  if (acked === state.lastBlock) return finish(state, 'completed', 'every block was acknowledged');
  // An ACK inside the window names the last block before a gap: go on right after it (RFC 7440 section 4).
  return send(state, { phase: 'data', sends: 1, proven: true, acked });
}

/** Sends what the peer has to answer next once more. */
function sendAgain(state: TransferState): TransferStep {
  return send(state, { ...state, sends: state.sends + 1 });
}

type Progress = Pick<TransferState, 'phase' | 'acked' | 'sends' | 'proven'>;

/** Sends what the peer has to answer next, and arms the timer with back-off. */
function send(before: TransferState, { phase, acked, sends, proven }: Progress): TransferStep {
  const { blksize, windowsize, lastBlock, firstTimeoutMs } = before;
  const inData = phase === 'data';
  const last = Math.min(acked + windowsize, lastBlock);
  const sent = inData ? last : 0;
  // Made once for each ACK of each transfer: one object, not a copy of a copy.
  const state = { phase, blksize, windowsize, lastBlock, acked, sent, sends, proven, firstTimeoutMs };
  const effect: TransferEffect = inData
    ? { kind: 'send-data', first: acked + 1, last }
    : { kind: 'send-oack' };
  return { state, effects: [effect, { kind: 'arm', delayMs: retryDelayMs(state) }] };
}

function retryDelayMs(state: TransferState): number {
  // A forged request may ask for any timeout, and holds a place of its victim until the last one has passed.
  const longest = state.proven ? Math.max(LONGEST_TIMEOUT_MS, state.firstTimeoutMs) : LONGEST_TIMEOUT_MS;
  return Math.min(state.firstTimeoutMs * 2 ** (state.sends - 1), longest);
}

function onTimeout(state: TransferState): TransferStep {
  const limit = state.proven ? MAX_SENDS_PROVEN : MAX_SENDS_UNPROVEN;
  if (state.sends < limit) return sendAgain(state);
  if (!state.proven) return finish(state, 'failed', `the client never answered ${limit} packets`);
  if (state.sent === state.lastBlock) {
    return finish(state, 'failed', 'every block was sent, but the last was never acknowledged');
  }
  return finish(state, 'failed', `no ACK after ${limit} tries${progress(state)}`, 'not-defined');
}

function onPeerError(state: TransferState, code: number, message: string): TransferStep {
  if (state.phase === 'oack') {
    // EDK2 asks for the size first, aborts right after the OACK with error 8 and comes again for the file.
    return finish(state, 'probe', 'the client only asked for the options and will come again');
  }
  return finish(
    state,
    'failed',
    `the client ended it with error ${code} ${JSON.stringify(message)}${progress(state)}`,
  );
}

function finish(
  state: TransferState,
  outcome: TransferEnd['outcome'],
  reason: string,
  error?: TftpErrorName,
): TransferStep {
  // Never an ERROR to an address that has not proven itself: it may be a victim.
  const parting: TransferEffect[] =
    error !== undefined && state.proven ? [{ kind: 'send-error', error }] : [];
  const acked = outcome === 'completed' ? state.lastBlock : state.acked;
  return {
    state: { ...state, phase: 'over', acked },
    effects: [...parting, { kind: 'finish', end: { outcome, reason } }],
  };
}

function progress(state: TransferState): string {
  return ` after block ${state.acked} of ${state.lastBlock}`;
}
