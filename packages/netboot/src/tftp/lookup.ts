/**
 * Reads of names that are in no table: the owner of the files is asked once, and the request waits for its answer within bounds.
 * While an answer is awaited the client repeats its request; the repetition must not ask again or start a second transfer. Another request
 * from the same port means that the client has begun anew, and the first one is forgotten.
 * Not responsible for what is published; the finder is, and it says at once when a name can never be.
 */
import type { FileFinder, FoundFile } from '../file-finder';
import type { TftpLimits } from './admission';
import type { MissingFile } from './read-request';
import { peerText, type Report } from './report';
import type { UdpPeer } from './sockets';

/** A client asks for some ten seconds before it gives up; an answer after that would meet a closed port. */
const DEADLINE_MS = 10_000;

export interface LookupsOptions {
  readonly find?: FileFinder;
  readonly limits: Pick<TftpLimits, 'maxSessions'>;
  readonly report: Report;
}

export interface Lookups {
  /** Calls `then` once with what was found, at once when nothing can be; never when it took too long or too many wait. */
  ask(missing: MissingFile, from: UdpPeer, then: (found: FoundFile | undefined) => void): void;
  /** The peer has been answered something else: what it asked for before is of no use to it any more. */
  forget(from: UdpPeer): void;
}

interface Waiting {
  readonly fingerprint: string;
  readonly deadline: NodeJS.Timeout;
}

export function createLookups({ find, limits, report }: LookupsOptions): Lookups {
  const waiting = new Map<string, Waiting>();
  const forget = (peer: string) => {
    clearTimeout(waiting.get(peer)?.deadline);
    waiting.delete(peer);
  };
  return {
    forget: (from) => forget(peerText(from)),
    ask(missing, from, then) {
      const peer = peerText(from);
      const event = { peer, request: `RRQ ${missing.request.filename}` };
      const fingerprint = JSON.stringify(missing.request);
      if (waiting.get(peer)?.fingerprint === fingerprint) return;
      forget(peer);
      if (waiting.size >= limits.maxSessions) {
        const reason = `${waiting.size} requests wait for their files already, which is the limit`;
        return report({ ...event, outcome: 'ignored', reason });
      }
      const found = find === undefined ? undefined : asked(find, missing.name, from.address);
      if (found === undefined) return then(undefined);

      const fail = (reason: string) => report({ ...event, outcome: 'failed', reason });
      const late = () => settle(() => fail(`the file was not read within ${DEADLINE_MS / 1000} s`));
      const mine: Waiting = { fingerprint, deadline: setTimeout(late, DEADLINE_MS).unref() };
      const settle = (act: () => void) => {
        if (waiting.get(peer) !== mine) return;
        forget(peer);
        act();
      };
      waiting.set(peer, mine);
      found.then(
        (file) => settle(() => then(file)),
        (error: unknown) => settle(() => fail(`no file: ${String(error).slice(0, 200)}`)),
      );
    },
  };
}

/** Whatever the owner does, it must not end the server that hears for all. */
function asked(find: FileFinder, ...question: Parameters<FileFinder>): ReturnType<FileFinder> {
  try {
    return find(...question);
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}
