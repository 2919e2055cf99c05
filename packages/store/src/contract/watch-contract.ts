/** The caches' promises: equal to a range read after any history, hints in order, deletions, corrupt values, lost events found. */
import fc from 'fast-check';
import type { TaskHint, TaskStore } from '@lpmos/core';
import { regionTag } from '@lpmos/core';
import { taskKey } from '../keys';
import { prefixRange, readRange } from '../kv';
import type { Kv, TxnWrite } from '../kv';
import { createRangeWatch } from '../range-watch';
import type { RangeWatch } from '../range-watch';
import { createRegionStore } from '../region-store';
import { watchTasks } from '../task-cache';
import { createTaskStore } from '../task-store';
import {
  changeOf,
  done,
  newTask,
  OTHER_REGION,
  realClock,
  REGION,
  regionMetadata,
  sha256,
  until,
} from './fixtures';
import type { OpenStore, StoreUnderTest } from './host';

const ROOT = '/lpmos/config/templates/';
const RANGE = prefixRange(ROOT);
/** Longer than any test: no periodic list repairs what the watch should have brought. */
const NEVER_MS = 3_600_000;

export function describeWatches(open: OpenStore): void {
  let store: StoreUnderTest;
  let kv: Kv;
  let stop: AbortController;
  beforeEach(async () => {
    store = await open();
    kv = store.kv;
    stop = new AbortController();
  });
  afterEach(async () => {
    stop.abort();
    await store.close();
  });

  const write = async (...then: TxnWrite[]): Promise<number> => {
    const outcome = await kv.txn({ compares: [], then, otherwise: [] });
    if (outcome.kind !== 'done') throw new Error(`the write was ${outcome.kind}`);
    return outcome.revision;
  };

  describe('the range cache', () => {
    it('equals a range read after any history of puts and deletes, and its changes replay to the same', async () => {
      const watch = createRangeWatch({ kv, range: RANGE, clock: realClock, relistMs: NEVER_MS });
      const replayed = new Map<string, string>();
      const revisions: number[] = [];
      watch.cache.onChange((changes) => {
        for (const { key, entry, revision } of changes) {
          if (entry === undefined) replayed.delete(key);
          else replayed.set(key, entry.value);
          revisions.push(revision);
        }
      });
      await watch.start(stop.signal);
      const writes = fc.uniqueArray(
        fc.record({ key: fc.integer({ min: 0, max: 7 }), value: fc.option(fc.string({ maxLength: 8 })) }),
        { selector: ({ key }) => key, minLength: 1, maxLength: 4 },
      );
      await fc.assert(
        fc.asyncProperty(fc.array(writes, { minLength: 1, maxLength: 6 }), async (history) => {
          let last = 0;
          for (const step of history) last = await write(...step.map(writeOf));
          await watch.cache
            .waitFor(last, AbortSignal.any([stop.signal, AbortSignal.timeout(10_000)]))
            .catch(() => undefined);
          await untilEqual(kv, watch, replayed);
        }),
        { numRuns: 40 },
      );
      expect(revisions).toEqual([...revisions].sort((a, b) => a - b));
      expect(watch.divergences).toBe(0);
    });

    it('wakes those who wait for a revision, and tells those it cannot', async () => {
      const watch = createRangeWatch({ kv, range: RANGE, clock: realClock, relistMs: NEVER_MS });
      await watch.start(stop.signal);
      const revision = await write({ op: 'put', key: `${ROOT}a`, value: '1' });
      await watch.cache.waitFor(revision, AbortSignal.timeout(10_000));
      expect(watch.cache.get(`${ROOT}a`)).toMatchObject({ value: '1', modRevision: revision });
      await expect(watch.cache.waitFor(revision + 1000, AbortSignal.timeout(20))).rejects.toMatchObject({
        code: 'unavailable',
      });
      expect(watch.silentForMs).toBeLessThan(10_000);
    });

    it('finds and counts what a watch lost, puts and deletes, and repairs it', async () => {
      const lossy: Kv = {
        ...kv,
        watch: (request) => kv.watch({ ...request, onEvents: () => undefined, onProgress: () => undefined }),
      };
      await write({ op: 'put', key: `${ROOT}gone`, value: '' }, { op: 'put', key: `${ROOT}kept`, value: '' });
      const watch = createRangeWatch({
        kv: lossy,
        range: RANGE,
        clock: realClock,
        relistMs: 40,
        settleMs: 20,
      });
      await watch.start(stop.signal);
      await write({ op: 'delete', key: `${ROOT}gone` }, { op: 'put', key: `${ROOT}new`, value: 'x' });
      await until('the repair', () => watch.cache.get(`${ROOT}new`) !== undefined);
      expect(watch.divergences).toBe(2);
      expect([...watch.cache.entries()].map((entry) => entry.key).sort()).toEqual([
        `${ROOT}kept`,
        `${ROOT}new`,
      ]);
      expect(watch.cache.get(`${ROOT}new`)?.value).toBe('x');
      await until('a new watch', () => watch.restarts > 0);
    });
  });

  describe('the task cache', () => {
    let tasks: TaskStore;
    beforeEach(async () => {
      tasks = createTaskStore({ kv, clock: realClock });
      const regions = createRegionStore({ kv });
      done(await regions.registerRegion(regionMetadata()));
      done(await regions.registerRegion(regionMetadata(OTHER_REGION)));
    });

    it('shows what read shows, tells in order and sees its own region only', async () => {
      const before = done(await tasks.create(newTask({ machine: 1 })));
      const cache = watchTasks({ kv, clock: realClock, regionTag: regionTag(REGION, sha256) });
      const hints: TaskHint[] = [];
      cache.onChange((hint) => hints.push(hint));
      expect(cache.ready).toBe(false);
      expect(cache.silentForMs).toBe(Infinity);
      await cache.start(stop.signal);
      expect(cache.get(before.metadata.id)).toEqual(before);
      done(await tasks.create(newTask({ machine: 2, regionId: OTHER_REGION })));
      const changed = await tasks.commit(before, changeOf(before, { name: 'prepared' }));
      if (changed.kind !== 'done') throw new Error('not committed');
      await cache.waitFor(changed.revision, AbortSignal.timeout(10_000));
      expect(cache.get(before.metadata.id)).toEqual(changed.value);
      expect(cache.ids()).toEqual([before.metadata.id]);
      expect(cache.ofMachine(before.metadata.target_mac)).toEqual(changed.value);
      expect(cache.query({ limit: 10, offset: 0 })).toEqual({ tasks: [changed.value], total: 1 });
      expect(hints.at(-1)).toEqual({ id: before.metadata.id, revision: changed.revision });
    });

    it('leaves out a task that does not decode, counts it, and shows it again once it does', async () => {
      const task = done(await tasks.create(newTask({ machine: 1 })));
      const sound = done(await tasks.create(newTask({ machine: 2 })));
      const warnings: string[] = [];
      const cache = watchTasks({
        kv,
        clock: realClock,
        logger: { warn: (fields) => warnings.push(String(fields['key'])) },
      });
      await cache.start(stop.signal);
      const applied = async (change: TxnWrite): Promise<void> =>
        cache.waitFor(String(await write(change)), AbortSignal.timeout(10_000));
      const status = taskKey(task.metadata.id, 'status');
      // Not a part that every task needs: the task must still not be shown without it.
      const approval = taskKey(task.metadata.id, 'approval');
      for (const key of [status, approval]) {
        await applied({ op: 'put', key, value: 'sleeping' });
        expect(cache.ids()).toEqual([sound.metadata.id]);
        expect(cache.corruptTasks).toBe(1);
        expect(warnings).toContain(key);
        await applied(key === status ? { op: 'put', key, value: 'ready' } : { op: 'delete', key });
        expect(cache.get(task.metadata.id)?.status).toBe('ready');
        expect(cache.corruptTasks).toBe(0);
      }
    });

    it('stops with its signal', async () => {
      const cache = watchTasks({ kv, clock: realClock });
      await cache.start(stop.signal);
      stop.abort();
      await cache.done;
    });
  });
}

function writeOf({ key, value }: { readonly key: number; readonly value: string | null }): TxnWrite {
  const name = `${ROOT}${key}`;
  return value === null ? { op: 'delete', key: name } : { op: 'put', key: name, value };
}

async function untilEqual(kv: Kv, watch: RangeWatch, replayed: ReadonlyMap<string, string>): Promise<void> {
  const { entries } = await readRange(kv, RANGE);
  const wanted = JSON.stringify(entries);
  const cached = (): string =>
    JSON.stringify([...watch.cache.entries()].sort((a, b) => (a.key < b.key ? -1 : 1)));
  await until('the cache to equal the range', () => cached() === wanted);
  expect(new Map(entries.map(({ key, value }) => [key, value]))).toEqual(new Map(replayed));
}
