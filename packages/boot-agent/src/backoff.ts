/** How long to wait before another try: exponential between two bounds, with jitter so that a rack does not knock in step. Pure. */
export interface BackoffRule {
  readonly firstMs: number;
  readonly mostMs: number;
}

/**
 * @param tries failed tries so far, 1 after the first
 * @param random 0..1; the wait is between half and the whole of the step, never below `firstMs`
 */
export function backoffMs(rule: BackoffRule, tries: number, random: number): number {
  const step = Math.min(rule.mostMs, rule.firstMs * 2 ** Math.min(Math.max(tries - 1, 0), 30));
  return Math.max(rule.firstMs, Math.round(step * (0.5 + random / 2)));
}

/** A pause that ends early when `signal` aborts. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
