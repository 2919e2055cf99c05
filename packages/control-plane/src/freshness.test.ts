import { LpmosError } from '@lpmos/core';
import { createFreshness, shareNext } from './freshness';

function cacheAt(start: number) {
  let revision = start;
  const waiters = new Set<() => void>();
  return {
    ready: true,
    get revision() {
      return String(revision);
    },
    advance(to: number) {
      revision = to;
      for (const check of waiters) check();
    },
    waitFor: (wanted: string, signal: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        const check = (): void => {
          if (revision >= Number(wanted)) resolve();
        };
        waiters.add(check);
        signal.addEventListener('abort', () =>
          reject(new LpmosError({ code: 'unavailable', message: 'late' })),
        );
        check();
      }),
  };
}

const head = (
  revision: string,
  putMark: () => Promise<string> = () => Promise.reject(new Error('no mark is needed')),
) => ({
  currentRevision: () => Promise.resolve(revision),
  putMark,
});

describe('createFreshness', () => {
  it('answers at once when the cache has everything', async () => {
    await createFreshness({ cache: cacheAt(7), head: head('7') }).beforeRead();
  });

  it('writes a mark when the newest revision is not one that the cache sees, and waits for it', async () => {
    const cache = cacheAt(7);
    const marks: string[] = [];
    const putMark = (): Promise<string> => {
      marks.push('put');
      setImmediate(() => cache.advance(10));
      return Promise.resolve('10');
    };
    await createFreshness({ cache, head: head('9', putMark) }).beforeRead();
    expect([marks, cache.revision]).toEqual([['put'], '10']);
  });

  it('refuses to answer from a cache that does not keep up', async () => {
    const freshness = createFreshness({
      cache: cacheAt(7),
      head: head('9', () => Promise.resolve('10')),
      catchUpMs: 20,
    });
    await expect(freshness.beforeRead()).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('does not wait for a revision that the store never had', async () => {
    await createFreshness({ cache: cacheAt(7), head: head('7') }).beforeRead('999999');
  });

  it('refuses before the first list', async () => {
    const cache = { ...cacheAt(0), ready: false };
    await expect(createFreshness({ cache, head: head('1') }).beforeRead()).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  it('lets a write be a success though the cache lags', async () => {
    await createFreshness({ cache: cacheAt(7), head: head('9'), catchUpMs: 20 }).afterWrite('9');
  });
});

describe('shareNext', () => {
  it('never shares a call that began before the question, and starts at most one more', async () => {
    const ends: ((value: number) => void)[] = [];
    const ask = shareNext(() => new Promise<number>((resolve) => ends.push(resolve)));
    const first = ask();
    const later = [ask(), ask(), ask()];
    expect(ends).toHaveLength(1);
    ends[0]?.(1);
    expect(await first).toBe(1);
    while (ends.length < 2) await Promise.resolve();
    const last = ask();
    ends[1]?.(2);
    expect(await Promise.all(later)).toEqual([2, 2, 2]);
    while (ends.length < 3) await Promise.resolve();
    ends[2]?.(3);
    expect(await last).toBe(3);
  });

  it('goes on after a failure', async () => {
    let calls = 0;
    const ask = shareNext(() =>
      (calls += 1) === 1 ? Promise.reject(new Error('x')) : Promise.resolve(calls),
    );
    await expect(ask()).rejects.toThrow('x');
    expect(await ask()).toBe(2);
  });
});
