/**
 * The running transfers, one for each (address, port), within the limits of admission.ts.
 * A repeated request must not start a second transfer while the first one is alive: both would answer one client.
 */
import type { Clock } from '@lpmos/core';
import { createAdmission, type TftpLimits } from './admission';
import { createDataPackets } from './data-packets';
import { toNetascii } from './netascii';
import { negotiate } from './options';
import { peerText, type Report } from './report';
import type { RequestAnswer } from './read-request';
import { startSession, type Session } from './session';
import type { SocketFactory, UdpPeer } from './sockets';

export type Transfer = Extract<RequestAnswer, { kind: 'transfer' }>;

export interface SessionTableOptions {
  readonly address: string;
  readonly sockets: SocketFactory;
  readonly clock: Clock;
  readonly limits: TftpLimits;
  readonly report: Report;
}

export interface SessionTable {
  start(transfer: Transfer, peer: UdpPeer): void;
  abandonAll(reason: string): void;
  size(): number;
}

interface Entry {
  readonly fingerprint: string;
  readonly session: Session;
}

/**
 * A live transfer moves at least at each re-send. When the same request comes from the same port after a longer
 * silence, the machine was reset (many ROMs always use one port) and the old transfer is dead.
 */
const RESTARTED_AFTER_MS = 3000;

export function createSessionTable(options: SessionTableOptions): SessionTable {
  const { address, sockets, clock, limits, report } = options;
  const admission = createAdmission(limits);
  const entries = new Map<string, Entry>();
  const payloadOf = createPayloads();
  const packetsOf = createDataPackets();

  const isRepeat = (entry: Entry | undefined, fingerprint: string) =>
    entry?.fingerprint === fingerprint &&
    clock.monotonicMs() - entry.session.lastProgressMs() < RESTARTED_AFTER_MS;

  const open = (transfer: Transfer, peer: UdpPeer, key: string): Session => {
    const about = { ...transfer.about, peer: key, request: `RRQ ${transfer.request.filename}` };
    const bytes = payloadOf(transfer);
    const negotiated = negotiate(transfer.request.options, bytes.length, limits);
    const reason = `sending ${bytes.length} bytes in blocks of ${negotiated.blksize}`;
    report({ ...about, outcome: 'answered', reason });
    return startSession({
      sockets,
      address,
      peer,
      sizeBytes: bytes.length,
      packets: packetsOf(bytes, negotiated.blksize),
      negotiated,
      clock,
      maxTransferMs: limits.maxTransferMs,
      onEnd: (end, acknowledged) => {
        entries.delete(key);
        admission.leave(peer.address);
        const outcome = end.outcome === 'probe' ? 'answered' : end.outcome;
        report({ ...about, outcome, reason: end.reason, bytes: acknowledged });
      },
    });
  };

  return {
    start(transfer, peer) {
      const key = peerText(peer);
      const fingerprint = JSON.stringify(transfer.request);
      const entry = entries.get(key);
      if (isRepeat(entry, fingerprint)) return;
      entry?.session.abandon('the client asked again from the same port');
      const { refused } = admission.enter(peer.address);
      if (refused === undefined) entries.set(key, { fingerprint, session: open(transfer, peer, key) });
      else
        report({
          ...transfer.about,
          peer: key,
          request: `RRQ ${transfer.request.filename}`,
          outcome: 'ignored',
          reason: refused,
        });
    },
    abandonAll(reason) {
      for (const entry of [...entries.values()]) entry.session.abandon(reason);
    },
    size: () => entries.size,
  };
}

/** Text mode is converted once for each published file, as long as the file is published. */
function createPayloads(): (transfer: Transfer) => Uint8Array {
  const texts = new WeakMap<Uint8Array, Uint8Array>();
  return ({ mode, bytes }) => {
    if (mode === 'octet') return bytes;
    const text = texts.get(bytes) ?? toNetascii(bytes);
    texts.set(bytes, text);
    return text;
  };
}
