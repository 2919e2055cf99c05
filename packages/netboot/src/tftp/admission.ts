/**
 * How many transfers may run, in all and for one peer. Over a limit a request is met with silence and not with an
 * ERROR: a client repeats a request that stays unanswered, but gives up booting on an error.
 */
export interface TftpLimits {
  readonly maxSessions: number;
  /** A machine loads one or two files at once; this also bounds what a forged address can be made to receive. */
  readonly maxSessionsPerPeer: number;
  /** Largest packet of the link, in bytes. */
  readonly mtuBytes: number;
  /** Largest RFC 7440 window; 64 blocks of 1468 bytes fit into a client's default receive buffer. */
  readonly maxWindowsize: number;
  /** No transfer lives longer than this, however slowly its client trickles ACKs. */
  readonly maxTransferMs: number;
}

export const DEFAULT_TFTP_LIMITS: TftpLimits = {
  maxSessions: 1024,
  maxSessionsPerPeer: 8,
  mtuBytes: 1500,
  maxWindowsize: 64,
  maxTransferMs: 30 * 60_000,
};

export interface Admission {
  /** Takes a place, or says why there is none. */
  enter(address: string): { readonly refused?: string };
  leave(address: string): void;
}

export function createAdmission(limits: TftpLimits): Admission {
  const perPeer = new Map<string, number>();
  let all = 0;
  return {
    enter(address) {
      const mine = perPeer.get(address) ?? 0;
      if (all >= limits.maxSessions) return { refused: `${all} transfers run already, which is the limit` };
      if (mine >= limits.maxSessionsPerPeer) {
        return { refused: `${mine} transfers to this address run already, which is the limit` };
      }
      all += 1;
      perPeer.set(address, mine + 1);
      return {};
    },
    leave(address) {
      const mine = (perPeer.get(address) ?? 0) - 1;
      all -= 1;
      if (mine > 0) perPeer.set(address, mine);
      else perPeer.delete(address);
    },
  };
}
