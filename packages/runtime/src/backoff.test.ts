import fc from 'fast-check';
import { backoffDelayMs, sleep, whenAborted } from './backoff';

describe('back-off', () => {
  it('doubles up to its ceiling and stays within [half, whole] of the step', () => {
    fc.assert(
      fc.property(
        fc.nat(200),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, random) => {
          const policy = { firstMs: 100, ceilingMs: 10_000 };
          const step = Math.min(10_000, 100 * 2 ** attempt);
          const delay = backoffDelayMs(policy, attempt, () => random);
          expect(delay).toBeGreaterThanOrEqual(step / 2);
          expect(delay).toBeLessThanOrEqual(step);
        },
      ),
    );
  });
});

describe('sleep', () => {
  it('ends at once with its signal, and leaves no listener on it', async () => {
    const stop = new AbortController();
    const added = jest.spyOn(stop.signal, 'addEventListener');
    const removed = jest.spyOn(stop.signal, 'removeEventListener');
    await sleep(1, stop.signal);
    expect(removed).toHaveBeenCalledTimes(added.mock.calls.length);
    const long = sleep(1_000_000, stop.signal);
    stop.abort();
    await long;
    await sleep(1_000_000, stop.signal);
  });
});

describe('whenAborted', () => {
  it('waits for the abort, and not at all when it has come', async () => {
    const controller = new AbortController();
    let seen = false;
    const waiting = whenAborted(controller.signal).then(() => (seen = true));
    await Promise.resolve();
    expect(seen).toBe(false);
    controller.abort();
    await waiting;
    await whenAborted(controller.signal);
  });
});
