/** The real clock, and the hand-driven one for tests. Monotonic time comes from performance.now, which never steps. */
import type { Clock } from '@lpmos/core';

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

export interface ManualClock extends Clock {
  /** Moves wall and monotonic time together. */
  advance(ms: number): void;
  /** Steps the wall clock alone, as NTP or a dead battery does. */
  stepWall(ms: number): void;
}

export function createManualClock(startMs = Date.UTC(2026, 0, 1)): ManualClock {
  let wall = startMs;
  let monotonic = 0;
  return {
    nowMs: () => wall,
    monotonicMs: () => monotonic,
    advance(ms) {
      wall += ms;
      monotonic += ms;
    },
    stepWall(ms) {
      wall += ms;
    },
  };
}
