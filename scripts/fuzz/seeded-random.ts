/**
 * Randomness that repeats, for fuzzers and fault wires: the simulator's generator with the two questions that mutating asks.
 * Not for secrets.
 */
import { createSeededRandom as createGenerator } from '@lpmos/simulator';
import type { SeededRandom as Generator } from '@lpmos/simulator';

export interface SeededRandom extends Pick<Generator, 'next' | 'below'> {
  chance(probability: number): boolean;
  pick<T>(choices: readonly T[]): T;
}

/** @throws RangeError from `pick` when there is nothing to choose from. */
export function createSeededRandom(seed: number): SeededRandom {
  const { next, below } = createGenerator(seed);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: (choices) => {
      if (choices.length === 0) throw new RangeError('nothing to pick from');
      return choices[below(choices.length)] as (typeof choices)[number];
    },
  };
}
