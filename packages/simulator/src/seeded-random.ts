/**
 * Randomness that repeats: one seed gives one sequence, so that a failing fleet run can be played again.
 * Not for secrets; nonces of sessions come from node:crypto. The generator is mulberry32 (32 bits of state, full period).
 */

export interface SeededRandom {
  /** In [0, 1). */
  next(): number;
  /** Whole number in [0, bound). */
  below(bound: number): number;
  pick<T>(choices: readonly [T, ...T[]]): T;
  /** `length` characters out of `alphabet`. */
  text(length: number, alphabet: string): string;
}

/** @param words mixed into the seed, so that one seed feeds several independent sequences. */
export function createSeededRandom(seed: number, ...words: readonly string[]): SeededRandom {
  let state = words.reduce(mixWord, seed >>> 0);
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    next,
    below,
    pick: (choices) => choices[below(choices.length)] ?? choices[0],
    text: (length, alphabet) =>
      Array.from({ length }, () => alphabet.charAt(below(alphabet.length))).join(''),
  };
}

/** FNV-1a over UTF-16 code units, continued from the hash so far. */
function mixWord(hash: number, word: string): number {
  let mixed = (hash ^ 0x811c9dc5) >>> 0;
  for (let i = 0; i < word.length; i += 1) mixed = Math.imul(mixed ^ word.charCodeAt(i), 0x01000193) >>> 0;
  return mixed;
}
