/**
 * One TFTP download as a pure machine: (state, event) → (state, effects). RFC 1350 with the options of RFC 2347-2349 and
 * windowsize of RFC 7440, as a loader in ROM does it: what it asks is data, a refusal of its options ends the download.
 * Opens no socket: tftp-client.ts runs it. Blocks are absolute inside and wrap at 65536 on the wire.
 */
import type { TftpOptionList, TftpPacket } from '@lpmos/netboot';

export interface TftpWish {
  readonly filename: string;
  readonly blksize: number;
  readonly windowsize: number;
}

export interface ReceiveState {
  readonly wish: TftpWish;
  readonly blksize: number;
  readonly windowsize: number;
  /** Size that the server announced (tsize). */
  readonly announcedBytes?: number;
  /** Blocks received in order. */
  readonly received: number;
  readonly bytes: number;
  /** Blocks since the last ACK was sent. */
  readonly unacked: number;
  readonly started: boolean;
  readonly tries: number;
  readonly over: boolean;
}

export type ReceiveEvent =
  { readonly kind: 'packet'; readonly packet: TftpPacket } | { readonly kind: 'timeout' };

export type ReceiveEffect =
  | { readonly kind: 'send'; readonly packet: TftpPacket }
  /** The next bytes of the file, in order. */
  | { readonly kind: 'data'; readonly data: Uint8Array }
  | { readonly kind: 'arm' }
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly reason: string };

export interface ReceiveStep {
  readonly state: ReceiveState;
  readonly effects: readonly ReceiveEffect[];
}

const DEFAULT_BLKSIZE = 512;
const MOST_TRIES = 6;
/** No loader is larger; what a server announces is not to be believed. */
const LARGEST_FILE_BYTES = 64 * 1024 * 1024;

export function startReceive(wish: TftpWish): ReceiveStep {
  const state: ReceiveState = {
    wish,
    blksize: DEFAULT_BLKSIZE,
    windowsize: 1,
    received: 0,
    bytes: 0,
    unacked: 0,
    started: false,
    tries: 0,
    over: false,
  };
  return { state, effects: [{ kind: 'send', packet: readRequest(wish) }, { kind: 'arm' }] };
}

export function stepReceive(state: ReceiveState, event: ReceiveEvent): ReceiveStep {
  if (state.over) return { state, effects: [] };
  if (event.kind === 'timeout') return onTimeout(state);
  const { packet } = event;
  switch (packet.kind) {
    case 'OACK':
      return onOack(state, packet.options);
    case 'DATA':
      return onData(state, packet.block, packet.data);
    case 'ERROR':
      return fail(state, `the server says error ${packet.code}: ${packet.message}`);
    case 'RRQ':
    case 'WRQ':
    case 'ACK':
      return { state, effects: [] };
  }
}

function readRequest(wish: TftpWish): TftpPacket {
  const options: [string, string][] = [
    ['tsize', '0'],
    ['blksize', String(wish.blksize)],
  ];
  if (wish.windowsize > 1) options.push(['windowsize', String(wish.windowsize)]);
  return { kind: 'RRQ', filename: wish.filename, mode: 'octet', options };
}

function onOack(state: ReceiveState, options: TftpOptionList): ReceiveStep {
  if (state.started && state.received > 0) return { state, effects: [] };
  const value = (name: string): number | undefined => {
    const found = options.find(([spelled]) => spelled.toLowerCase() === name);
    return found === undefined ? undefined : Number(found[1]);
  };
  const {
    blksize = DEFAULT_BLKSIZE,
    windowsize = 1,
    size,
  } = {
    blksize: value('blksize'),
    windowsize: value('windowsize'),
    size: value('tsize'),
  };
  /** An option that the server left out keeps its default, which may be more than was asked for. */
  const mostBlksize = Math.max(state.wish.blksize, value('blksize') === undefined ? DEFAULT_BLKSIZE : 0);
  if (!isWithin(blksize, 8, mostBlksize) || !isWithin(windowsize, 1, state.wish.windowsize)) {
    return fail(
      state,
      `the server says blksize ${blksize}, windowsize ${windowsize}, which was not asked for`,
    );
  }
  if (size !== undefined && !(size >= 0 && size <= LARGEST_FILE_BYTES)) {
    return fail(state, `the server announced ${size} bytes`);
  }
  const next = { ...state, blksize, windowsize, started: true, tries: 0 };
  return {
    state: size === undefined ? next : { ...next, announcedBytes: size },
    effects: [{ kind: 'send', packet: { kind: 'ACK', block: 0 } }, { kind: 'arm' }],
  };
}

function isWithin(value: number, least: number, most: number): boolean {
  return value >= least && value <= most;
}

function onData(state: ReceiveState, block: number, data: Uint8Array): ReceiveStep {
  const expected = (state.received + 1) & 0xffff;
  if (block !== expected) return onWrongBlock(state, block);
  if (data.length > state.blksize) return fail(state, `block ${block} has ${data.length} bytes`);
  const received = state.received + 1;
  const bytes = state.bytes + data.length;
  if (bytes > LARGEST_FILE_BYTES) return fail(state, `more than ${LARGEST_FILE_BYTES} bytes came`);
  const last = data.length < state.blksize;
  const due = last || state.unacked + 1 >= state.windowsize;
  const next: ReceiveState = {
    ...state,
    received,
    bytes,
    started: true,
    tries: 0,
    unacked: due ? 0 : state.unacked + 1,
    over: last,
  };
  const effects: ReceiveEffect[] = [{ kind: 'data', data }];
  if (due) effects.push({ kind: 'send', packet: { kind: 'ACK', block } });
  if (!last) return { state: next, effects: [...effects, { kind: 'arm' }] };
  if (state.announcedBytes !== undefined && state.announcedBytes !== bytes) {
    return fail(next, `${state.announcedBytes} bytes were announced and ${bytes} came`);
  }
  return { state: next, effects: [...effects, { kind: 'finished' }] };
}

/**
 * A block behind us is a duplicate and earns nothing. One ahead shows a hole: the ACK of the last good block makes the server go
 * back (RFC 7440 section 4); said once per hole, not once per block behind it.
 */
function onWrongBlock(state: ReceiveState, block: number): ReceiveStep {
  const ahead = (block - state.received) & 0xffff;
  const isAhead = ahead > 1 && ahead <= state.windowsize;
  if (!isAhead || state.unacked === 0) return { state, effects: [] };
  return { state: { ...state, unacked: 0 }, effects: [ackOf(state), { kind: 'arm' }] };
}

function onTimeout(state: ReceiveState): ReceiveStep {
  if (state.tries + 1 >= MOST_TRIES) return fail(state, `silence after ${state.bytes} bytes`);
  const again: ReceiveEffect = state.started
    ? ackOf(state)
    : { kind: 'send', packet: readRequest(state.wish) };
  return { state: { ...state, tries: state.tries + 1, unacked: 0 }, effects: [again, { kind: 'arm' }] };
}

function ackOf(state: ReceiveState): ReceiveEffect {
  return { kind: 'send', packet: { kind: 'ACK', block: state.received & 0xffff } };
}

function fail(state: ReceiveState, reason: string): ReceiveStep {
  return { state: { ...state, over: true }, effects: [{ kind: 'failed', reason }] };
}
