/**
 * What a process must not do under hostile input, measured from inside: stall its event loop, or keep memory.
 * A stall counts only as far as this process was computing: on a busy machine the scheduler takes the processor away for
 * longer than any limit, and that says nothing about the code. Memory is taken after a collection, so a leak of one small
 * object a packet shows.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export interface ProcessWatch {
  /** Longest time that one turn of the loop computed, milliseconds. */
  longestStallMs(): number;
  /** Bytes of heap and buffers that a collection leaves. */
  settledBytes(): number;
  stop(): void;
}

/** The watchdog's own beat; stalls shorter than this are not seen. */
const BEAT_MS = 10;

export function watchProcess(): ProcessWatch {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  let longestMs = 0;
  let last = sample();
  const beat = setInterval(() => {
    const now = sample();
    longestMs = Math.max(longestMs, Math.min(now.wallMs - last.wallMs, now.cpuMs - last.cpuMs) - BEAT_MS);
    last = now;
  }, BEAT_MS);
  return {
    longestStallMs: () => longestMs,
    settledBytes() {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      // A full collection takes long and is the watchdog's own doing.
      last = sample();
      return heapUsed + external;
    },
    stop: () => clearInterval(beat),
  };
}

function sample(): { readonly wallMs: number; readonly cpuMs: number } {
  const { user, system } = process.cpuUsage();
  return { wallMs: performance.now(), cpuMs: (user + system) / 1000 };
}
