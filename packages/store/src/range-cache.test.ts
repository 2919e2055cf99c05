import type { KvEntry, KvEvent } from './kv';
import { createRangeCache } from './range-cache';
import type { KeyChange } from './range-cache';

const entry = (key: string, modRevision: number, value = ''): KvEntry => ({
  key,
  value,
  modRevision,
  createRevision: modRevision,
  leaseId: '0',
});
const put = (key: string, revision: number, value = ''): KvEvent => ({
  key,
  modRevision: revision,
  entry: entry(key, revision, value),
});
const remove = (key: string, revision: number): KvEvent => ({ key, modRevision: revision });

function opened(options: { keepValues?: boolean } = {}) {
  const faults: unknown[] = [];
  const cache = createRangeCache({ onListenerFault: (fault) => faults.push(fault), ...options });
  const batches: (readonly KeyChange[])[] = [];
  cache.onChange((changes) => batches.push(changes));
  const keys = (): string[] => [...cache.entries()].map(({ key }) => key).sort();
  return { cache, batches, keys, faults };
}

describe('the range cache', () => {
  it('tells only what a list changed, deletions by absence included', () => {
    const { cache, batches, keys } = opened();
    expect(cache.ready).toBe(false);
    cache.replace([entry('a', 1), entry('b', 2)], 5);
    cache.replace([entry('b', 2), entry('c', 6)], 7);
    expect(cache.ready).toBe(true);
    expect(keys()).toEqual(['b', 'c']);
    expect(batches[1]?.map(({ key, entry: after }) => [key, after?.modRevision])).toEqual([
      ['c', 6],
      ['a', undefined],
    ]);
    expect(cache.revision).toBe(7);
  });

  it('does not let a late event undo what a list showed', () => {
    const { cache, keys } = opened();
    cache.replace([entry('a', 3)], 10);
    cache.applyEvents([put('deleted before the list', 9), remove('a', 2)]);
    expect(keys()).toEqual(['a']);
  });

  it('does not go back when a stream does', () => {
    const { cache } = opened();
    cache.replace([], 1);
    cache.applyEvents([put('a', 5, 'new'), put('a', 4, 'old'), put('b', 6)]);
    cache.applyEvents([put('a', 3, 'older'), remove('b', 2)]);
    expect(cache.get('a')?.value).toBe('new');
    expect(cache.get('b')).toBeDefined();
    expect(cache.revision).toBe(6);
  });

  it('follows a key through several lives in one batch', () => {
    const { cache } = opened();
    cache.replace([entry('a', 1)], 1);
    cache.applyEvents([remove('a', 2), put('a', 3, 'x'), remove('a', 4), put('a', 5, 'y')]);
    expect(cache.get('a')?.value).toBe('y');
  });

  it('takes over everything from a store that was restored from a backup', () => {
    const { cache } = opened();
    cache.replace([entry('a', 3, 'lost future')], 10);
    cache.replace([entry('a', 3, 'backup')], 5);
    expect(cache.get('a')?.value).toBe('backup');
    expect(cache.revision).toBe(5);
  });

  it('can go without values, and still hands them to listeners', () => {
    const { cache, batches } = opened({ keepValues: false });
    cache.replace([entry('a', 1, 'x')], 1);
    expect(cache.get('a')).toMatchObject({ value: '', modRevision: 1 });
    expect(batches[0]?.[0]?.entry?.value).toBe('x');
  });

  it('keeps telling the others when a listener fails', () => {
    const { cache, faults } = opened();
    const heard: number[] = [];
    cache.onChange(() => {
      throw new Error('bad listener');
    });
    const leave = cache.onChange((changes) => heard.push(changes.length));
    cache.replace([entry('a', 1)], 1);
    leave();
    cache.applyEvents([put('b', 2)]);
    expect(heard).toEqual([1]);
    expect(faults).toHaveLength(2);
  });

  it('wakes a waiter after its listeners, and leaves none behind', async () => {
    const { cache, batches } = opened();
    const reached = cache.waitFor(4, AbortSignal.timeout(5_000)).then(() => batches.length);
    const stop = new AbortController();
    const given = cache.waitFor(99, stop.signal);
    cache.replace([entry('a', 1)], 1);
    cache.applyEvents([put('b', 4)]);
    expect(await reached).toBe(2);
    stop.abort();
    await expect(given).rejects.toMatchObject({ code: 'unavailable' });
    await expect(cache.waitFor(99, AbortSignal.abort())).rejects.toMatchObject({ code: 'unavailable' });
  });

  describe('compared with a list', () => {
    it('finds lost puts and lost deletes', () => {
      const { cache } = opened();
      cache.replace([entry('gone', 1), entry('old', 1), entry('same', 1)], 1);
      const check = cache.beginCheck();
      expect(check.differences([entry('old', 3), entry('same', 1), entry('new', 2)], 4).sort()).toEqual([
        'gone',
        'new',
        'old',
      ]);
    });

    it('takes what happened after the list for no difference', () => {
      const { cache } = opened();
      cache.replace([entry('deleted later', 1), entry('changed later', 1)], 1);
      const check = cache.beginCheck();
      cache.applyEvents([remove('deleted later', 8), put('changed later', 9), put('born later', 10)]);
      expect(check.differences([entry('deleted later', 1), entry('changed later', 1)], 5)).toEqual([]);
      check.end();
    });

    it('takes a key that was deleted and came back for a difference when the return was lost', () => {
      const { cache } = opened();
      cache.replace([entry('a', 1)], 1);
      const check = cache.beginCheck();
      cache.applyEvents([remove('a', 2)]);
      expect(check.differences([entry('a', 3)], 4)).toEqual(['a']);
    });
  });
});
