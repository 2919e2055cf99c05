/**
 * Which daemon of the region a simulated agent asks next: one leads, the others stand by, and only asking tells. Each has its turn once in
 * a round; a round without a welcome is followed by a pause that grows, the next turn within a round comes soon.
 */
import { backoffDelayMs } from '@lpmos/runtime';

export interface AgentEndpoints {
  /** host:port of the present link or, without one, of the next. */
  address(): string;
  /** How long the first answer from there may take. */
  patienceMs(): number;
  welcomed(): void;
  /** The link ended, so that the next endpoint has its turn. */
  ended(refused: boolean): { readonly pauseMs: number; readonly isRefusedForGood: boolean };
}

const LONGEST_PATIENCE_MS = 20_000;
/** A host that is off says nothing at all: less patience with it in the first rounds, for the next one may lead. */
const FIRST_PATIENCE_MS = 5_000;
const NEXT_ROUND = { firstMs: 500, ceilingMs: 10_000 };
const NEXT_ENDPOINT = { firstMs: 500, ceilingMs: 500 };
/** A daemon that just took over may not know us yet; after so many refusals in a row it will not. */
const MOST_REFUSALS = 4;

export function createAgentEndpoints(addresses: readonly string[], random: () => number): AgentEndpoints {
  const count = addresses.length;
  let turn = 0;
  let failures = 0;
  /** Of each daemon, for what one that stands by says takes no refusal of the leader back. */
  const refusals = new Map<number, number>();
  return {
    address: () => addresses[turn] ?? '',
    patienceMs: () => {
      if (count === 1) return LONGEST_PATIENCE_MS;
      const round = Math.floor(failures / count);
      return Math.min(LONGEST_PATIENCE_MS, FIRST_PATIENCE_MS * 2 ** Math.min(round, 10));
    },
    welcomed() {
      failures = 0;
      refusals.clear();
    },
    ended(refused) {
      const inRow = refused ? (refusals.get(turn) ?? 0) + 1 : 0;
      refusals.set(turn, inRow);
      turn = (turn + 1) % count;
      failures += 1;
      const pauseMs =
        failures % count === 0
          ? backoffDelayMs(NEXT_ROUND, failures / count - 1, random)
          : backoffDelayMs(NEXT_ENDPOINT, 0, random);
      return { pauseMs, isRefusedForGood: inRow >= MOST_REFUSALS };
    },
  };
}
