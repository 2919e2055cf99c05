/**
 * Waiting: exponential back-off with full jitter, and sleeps that an AbortSignal ends.
 * Pure arithmetic apart from `sleep` and `whenAborted`; randomness is passed in so that tests repeat.
 */

export interface BackoffPolicy {
  readonly firstMs: number;
  readonly ceilingMs: number;
}

/** Delay before try number `attempt` (0 is the first retry): random in [half, whole] of the doubled step. */
export function backoffDelayMs(policy: BackoffPolicy, attempt: number, random: () => number): number {
  const step = Math.min(policy.ceilingMs, policy.firstMs * 2 ** Math.min(attempt, 30));
  return step / 2 + (random() * step) / 2;
}

/** Resolves after `ms`, or at once when the signal aborts (it does not throw: the caller looks at the signal). */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Resolves when the signal aborts, at once when it has. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
