/**
 * Mutations of a packet that know no protocol: what broken hardware, broken firmware and attackers do to good bytes.
 * Pure in the random numbers; never changes its input.
 */
import type { SeededRandom } from './seeded-random';

type Mutation = (bytes: Buffer, random: SeededRandom, corpus: readonly Uint8Array[]) => Buffer;

/** Where length fields, counters and signs have their edges. */
const EDGE_BYTES = [0, 1, 0x0a, 0x0d, 0x20, 0x2f, 0x5c, 0x7f, 0x80, 0xfe, 0xff] as const;
const MAX_BYTES = 4096;

const MUTATIONS: readonly Mutation[] = [
  (bytes, random) => changed(bytes, random, (old) => old ^ (1 << random.below(8))),
  (bytes, random) => changed(bytes, random, () => random.below(256)),
  (bytes, random) => changed(bytes, random, () => random.pick(EDGE_BYTES)),
  (bytes, random) => bytes.subarray(0, random.below(bytes.length + 1)),
  (bytes, random) => bytes.subarray(random.below(bytes.length + 1)),
  (bytes, random) => insert(bytes, random, Buffer.alloc(1 + random.below(64), random.pick(EDGE_BYTES))),
  (bytes, random) => insert(bytes, random, slice(bytes, random)),
  (bytes, random) => Buffer.concat([bytes, slice(bytes, random), slice(bytes, random)]),
  (bytes, random) => {
    const from = random.below(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + random.below(8))]);
  },
  (bytes, random, corpus) => Buffer.concat([slice(bytes, random), slice(random.pick(corpus), random)]),
  (bytes, random) => Buffer.concat([bytes, Buffer.alloc(random.below(2048), random.below(256))]),
];

/** One to four mutations of a packet of the corpus; one packet in sixteen is left whole, one is pure noise. */
export function mutate(corpus: readonly Uint8Array[], random: SeededRandom): Buffer {
  const kind = random.below(16);
  if (kind === 0) return Buffer.from(random.pick(corpus));
  if (kind === 1) return Buffer.from(Array.from({ length: random.below(600) }, () => random.below(256)));
  let bytes: Buffer = Buffer.from(random.pick(corpus));
  for (let left = 1 + random.below(4); left > 0; left -= 1) {
    bytes = random.pick(MUTATIONS)(bytes, random, corpus);
  }
  return Buffer.from(bytes.subarray(0, MAX_BYTES));
}

function changed(bytes: Buffer, random: SeededRandom, change: (old: number) => number): Buffer {
  const copy = Buffer.from(bytes);
  const at = random.below(copy.length);
  if (copy.length > 0) copy[at] = change(copy[at] ?? 0);
  return copy;
}

function slice(bytes: Uint8Array, random: SeededRandom): Uint8Array {
  const from = random.below(bytes.length + 1);
  return bytes.subarray(from, from + random.below(bytes.length + 1 - from));
}

function insert(bytes: Buffer, random: SeededRandom, more: Uint8Array): Buffer {
  const at = random.below(bytes.length + 1);
  return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
}
