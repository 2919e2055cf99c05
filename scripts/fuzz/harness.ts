/**
 * Runs one fuzz target: hostile packets in small batches, a good client after every thousand, a watch on stalls and memory.
 * A target owns its server and sockets and knows its protocol; it is deterministic in the random numbers that it is given.
 * Nothing here knows a protocol. The run ends at the first fault and says the seed and the packet, so that it can be repeated.
 */
import { createSeededRandom, type SeededRandom } from './seeded-random';
import { watchProcess } from './process-watch';

export interface FuzzTarget {
  /** Sends packets `first` to `first + count - 1` and resolves when the server has read them all. Waits with a deadline. */
  attack(first: number, count: number, random: SeededRandom): Promise<void>;
  /** A well-behaved client gets all it wants. @throws Error that says what it did not get. */
  serveGoodClient(): Promise<void>;
  /** What must never happen and did: a wrong answer, a fault in an event. Empty when all is well. */
  faults(): readonly string[];
  /** How often which answer was seen, for the report: shows that the packets got past the first look. */
  tally(): Readonly<Record<string, number>>;
  stop(): Promise<void>;
}

export interface FuzzSettings {
  readonly packets: number;
  readonly seed: number;
}

export interface FuzzReport extends FuzzSettings {
  /** Packets sent when the run ended. */
  readonly sent: number;
  readonly goodClients: number;
  readonly longestStallMs: number;
  /** Growth of settled memory from the first third of the run to the last, in bytes. */
  readonly grownBytes: number;
  readonly packetsPerSecond: number;
  readonly tally: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
}

/** Few enough for the kernel's socket buffers to hold them all: a dropped packet tests nothing. */
const BATCH = 50;
const GOOD_CLIENT_EVERY = 1000;
/** A boot storm: other machines wait for this loop. */
export const MAX_STALL_MS = 100;
/** A collection costs tens of milliseconds: some samples are enough to see a slope. */
const MEMORY_SAMPLES = 15;
/** Caches, compiled code and the test's own bookkeeping; beyond it a byte count per packet decides. */
const ALLOWED_GROWTH_BYTES = 4 * 1024 * 1024;
const ALLOWED_GROWTH_PER_PACKET = 16;

export async function runFuzz(open: () => Promise<FuzzTarget>, settings: FuzzSettings): Promise<FuzzReport> {
  const random = createSeededRandom(settings.seed);
  const target = await open();
  const watch = watchProcess();
  const memory: number[] = [];
  const memoryEvery = Math.max(GOOD_CLIENT_EVERY, Math.floor(settings.packets / MEMORY_SAMPLES));
  const begun = performance.now();
  const faults: string[] = [];
  let sent = 0;
  let goodClients = 0;
  try {
    while (sent < settings.packets && faults.length === 0) {
      const count = Math.min(BATCH, settings.packets - sent, GOOD_CLIENT_EVERY - (sent % GOOD_CLIENT_EVERY));
      await target.attack(sent, count, random);
      sent += count;
      if (sent % GOOD_CLIENT_EVERY === 0 || sent === settings.packets) {
        await target.serveGoodClient();
        goodClients += 1;
        if (sent % memoryEvery < GOOD_CLIENT_EVERY) memory.push(watch.settledBytes());
      }
      if (watch.longestStallMs() > MAX_STALL_MS) {
        faults.push(`the event loop stood still for ${watch.longestStallMs().toFixed(0)} ms`);
      }
      faults.push(...target.faults());
    }
    const grown = growth(memory);
    if (grown > ALLOWED_GROWTH_BYTES + ALLOWED_GROWTH_PER_PACKET * sent) {
      faults.push(`memory grew by ${grown} bytes over ${sent} packets`);
    }
  } catch (thrown) {
    faults.push(thrown instanceof Error ? thrown.message : String(thrown));
  } finally {
    watch.stop();
    await target.stop();
  }
  return {
    ...settings,
    sent,
    goodClients,
    longestStallMs: Math.round(watch.longestStallMs()),
    grownBytes: growth(memory),
    packetsPerSecond: Math.round((sent * 1000) / (performance.now() - begun)),
    tally: target.tally(),
    faults: faults.map((fault) => `seed ${settings.seed}, by packet ${sent}: ${fault}`),
  };
}

/** Medians of the first and the last third: one late collection is no growth. */
function growth(samples: readonly number[]): number {
  const third = Math.floor(samples.length / 3);
  if (third === 0) return 0;
  return middle(samples.slice(-third)) - middle(samples.slice(0, third));
}

function middle(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
