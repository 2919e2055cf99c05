/**
 * How an agent goes round the endpoints of its region to find the daemon that leads: how long it waits for each, how long it rests, and
 * what it says of it. Pure, part of session-machine.ts.
 * Invariant: each endpoint has its turn once in a round, and there is always another round.
 */
import { backoffDelayMs } from '@lpmos/runtime';
import type { SessionState } from './session-state';

/** Links that broke since the last welcome, and how many endpoints take turns. */
type Tries = Pick<SessionState, 'failures' | 'endpoints'>;

/** Between rounds, for ever: a machine without orders has nothing better to do than to ask again. */
const NEXT_ROUND = { firstMs: 1000, ceilingMs: 10_000 };
/**
 * Within a round: the next daemon has not been asked yet and need not be spared. Not at once, for when a leader dies the agents of all its
 * machines move to the other one.
 */
const NEXT_ENDPOINT = { firstMs: 500, ceilingMs: 500 };
/** TLS and the region's read of the task; a rack that powers on at once needs some seconds. */
const LONGEST_PATIENCE_MS = 20_000;
/**
 * A host that is off sends nothing back, not even a reset, and would keep each round for all of the 20 s while the daemon that leads waits
 * to be asked. One that is on answers a lost SYN's second repetition, which Linux sends after 3 s. Doubled each round, because a leader that
 * is merely slow would otherwise be left each time just before its welcome.
 */
const FIRST_PATIENCE_MS = 5_000;
/** Broken links are said for the first rounds, then for every tenth, so that a console stays readable overnight. */
const SAID_ROUNDS = 3;
const SAY_EVERY = 10;

/**
 * Also after a session that was up for days: a dead host is noticed after 15 s and its leadership passes after 10, so the other daemon
 * probably leads; where it does not, it says so at once and the old one is asked again.
 */
export function nextTurn({ turn, endpoints }: SessionState): number {
  return (turn + 1) % endpoints.length;
}

/** For the first answer of the endpoint that is dialled after these failures. */
export function patienceMs({ failures, endpoints }: Tries): number {
  if (endpoints.length === 1) return LONGEST_PATIENCE_MS;
  const round = Math.floor(failures / endpoints.length);
  return Math.min(LONGEST_PATIENCE_MS, FIRST_PATIENCE_MS * 2 ** Math.min(round, 10));
}

/** After the last of these failures, before the next dial. */
export function pauseMs(tries: Tries, random: () => number): number {
  const isRoundOver = tries.failures % tries.endpoints.length === 0;
  return isRoundOver
    ? backoffDelayMs(NEXT_ROUND, roundOf(tries), random)
    : backoffDelayMs(NEXT_ENDPOINT, 0, random);
}

/** Whole rounds: every tenth failure would show the faults of one and the same endpoint of two. */
export function isSaid(tries: Tries): boolean {
  const round = roundOf(tries);
  return round < SAID_ROUNDS || (round + 1) % SAY_EVERY === 0;
}

/** The round, counted from 0, of the last failure. */
function roundOf({ failures, endpoints }: Tries): number {
  return Math.floor((failures - 1) / endpoints.length);
}
