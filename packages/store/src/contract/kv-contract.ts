/** The Kv port's promises: revisions, guards, reads of refused transactions, leases, watches and compaction. */
import {
  KvCompacted,
  MAX_TXN_OPERATIONS,
  MAX_VALUE_BYTES,
  absent,
  prefixRange,
  present,
  readRange,
  unchangedSince,
} from '../kv';
import type { Kv, KvEvent, Txn, TxnOutcome, TxnWrite, WatchEnd } from '../kv';
import { until } from './fixtures';
import type { OpenStore, StoreUnderTest } from './host';

const ROOT = '/lpmos/config/global/';
const put = (name: string, value: string): TxnWrite => ({ op: 'put', key: ROOT + name, value });
const remove = (name: string): TxnWrite => ({ op: 'delete', key: ROOT + name });

export function describeKv(open: OpenStore): void {
  let store: StoreUnderTest;
  let kv: Kv;
  beforeEach(async () => {
    store = await open();
    kv = store.kv;
  });
  afterEach(() => store.close());

  const write = async (...then: TxnWrite[]): Promise<number> => revisionOf(await kv.txn(txnOf({ then })));
  const get = async (name: string) =>
    (await kv.range({ range: { start: ROOT + name }, limit: 1 })).entries[0];

  describe('transactions', () => {
    it('give one revision to all their writes and keep the create revision', async () => {
      const first = await write(put('a', '1'), put('b', '1'));
      const second = await write(put('a', '2'));
      expect(second).toBe(first + 1);
      expect(await get('a')).toMatchObject({ value: '2', createRevision: first, modRevision: second });
      expect(await get('b')).toMatchObject({ value: '1', createRevision: first, modRevision: first });
    });

    it('write nothing when a compare fails, and read what was asked instead', async () => {
      const revision = await write(put('a', '1'));
      const outcome = await kv.txn({
        compares: [unchangedSince(`${ROOT}a`, revision), absent(`${ROOT}a`)],
        then: [put('a', '2'), put('c', '1')],
        otherwise: [{ start: `${ROOT}a` }, { start: `${ROOT}none` }],
      });
      expect(outcome).toMatchObject({ kind: 'done', succeeded: false, revision });
      expect(
        outcome.kind === 'done' && !outcome.succeeded && outcome.reads.map((read) => read.length),
      ).toEqual([1, 0]);
      expect(await get('a')).toMatchObject({ value: '1', modRevision: revision });
      expect(await get('c')).toBeUndefined();
    });

    it('compare presence, age and value', async () => {
      const revision = await write(put('a', 'x'));
      const key = `${ROOT}a`;
      const holds = async (...compares: Txn['compares']): Promise<boolean> => {
        const outcome = await kv.txn(txnOf({ compares }));
        return outcome.kind === 'done' && outcome.succeeded;
      };
      expect(await holds(present(key), unchangedSince(key, revision))).toBe(true);
      expect(await holds({ key, field: 'value', is: '=', value: 'x' })).toBe(true);
      expect(await holds({ key, field: 'value', is: '=', value: 'y' })).toBe(false);
      expect(await holds(absent(key))).toBe(false);
      expect(await holds(unchangedSince(key, revision - 1))).toBe(false);
      expect(await holds({ key: `${ROOT}none`, field: 'value', is: '=', value: '' })).toBe(false);
    });

    it('start a new life of a key after its deletion', async () => {
      await write(put('a', '1'));
      await write(remove('a'));
      expect(await get('a')).toBeUndefined();
      const again = await write(put('a', '2'));
      expect(await get('a')).toMatchObject({ createRevision: again, modRevision: again });
    });

    it('refuse too many operations, too large values and a key written twice, naming them', async () => {
      const many = Array.from({ length: MAX_TXN_OPERATIONS + 1 }, (_, index) => put(`k${index}`, ''));
      expect(await kv.txn(txnOf({ then: many }))).toMatchObject({
        kind: 'refused',
        error: { code: 'too_large' },
      });
      const large = await kv.txn(txnOf({ then: [put('big', 'x'.repeat(MAX_VALUE_BYTES + 1))] }));
      expect(large).toMatchObject({
        kind: 'refused',
        error: { code: 'too_large', message: expect.stringContaining('big') },
      });
      expect(await kv.txn(txnOf({ then: [put('a', '1'), put('a', '2')] }))).toMatchObject({
        kind: 'refused',
      });
      expect(await kv.txn(txnOf({ then: [put('edge', 'x'.repeat(MAX_VALUE_BYTES))] }))).toMatchObject({
        succeeded: true,
      });
    });
  });

  describe('ranges', () => {
    it('are read in pages at one revision, in key order, whatever is written meanwhile', async () => {
      await write(
        ...Array.from({ length: 25 }, (_, index) => put(`p${String(index).padStart(2, '0')}`, 'old')),
      );
      const racing: Kv = {
        ...kv,
        range: async (request) => {
          const page = await kv.range(request);
          await write(put('p20', 'new'), remove('p21'));
          return page;
        },
      };
      const { entries } = await readRange(racing, prefixRange(ROOT), { pageKeys: 10 });
      expect(entries.map((entry) => entry.key)).toEqual(entries.map((entry) => entry.key).sort());
      expect(entries).toHaveLength(25);
      expect(new Set(entries.map((entry) => entry.value))).toEqual(new Set(['old']));
    });

    it('come without values when only keys are asked for', async () => {
      const revision = await write(put('a', 'some value'));
      const { entries } = await readRange(kv, prefixRange(ROOT), { keysOnly: true });
      expect(entries).toMatchObject([{ key: `${ROOT}a`, value: '', modRevision: revision }]);
    });

    it('of a compacted revision are refused as such', async () => {
      const old = await write(put('a', '1'));
      const newer = await write(put('a', '2'));
      await store.compact(newer);
      const stale = kv.range({ range: { start: `${ROOT}a` }, revision: old, limit: 1 });
      await expect(stale).rejects.toBeInstanceOf(KvCompacted);
    });
  });

  describe('watches', () => {
    it('tell every change of the range from a past revision on, in order, and end when told to', async () => {
      const first = await write(put('a', '1'));
      await write(put('a', '2'), put('b', '1'));
      const watched = watching(kv, first);
      await until('the past', () => watched.events.length === 3);
      await write(remove('a'));
      await kv.txn(txnOf({ then: [{ op: 'put', key: '/lpmos/elsewhere', value: '' }] }));
      const last = await write(put('b', '2'));
      await until('the present', () => watched.events.length === 5);
      expect(watched.events.map((event) => [event.key.slice(ROOT.length), event.entry?.value])).toEqual([
        ['a', '1'],
        ['a', '2'],
        ['b', '1'],
        ['a', undefined],
        ['b', '2'],
      ]);
      expect(watched.events.at(-1)?.modRevision).toBe(last);
      expect(await watched.stop()).toEqual({ kind: 'closed' });
    });

    it('from a compacted revision end as such and name the revision', async () => {
      const first = await write(put('a', '1'));
      const newer = await write(put('a', '2'));
      await write(put('a', '3'));
      await store.compact(newer + 1);
      expect(await watching(kv, first).end).toEqual({ kind: 'compacted', revision: newer + 1 });
    });
  });

  describe('leases', () => {
    it('take their keys along when they end', async () => {
      const lease = await kv.grantLease(60);
      await write({ op: 'put', key: `${ROOT}held`, value: '', leaseId: lease.id }, put('free', ''));
      expect(await get('held')).toMatchObject({ leaseId: lease.id });
      expect(await kv.keepLeaseAlive(lease.id)).toMatchObject({ id: lease.id });
      await kv.revokeLease(lease.id);
      await kv.revokeLease(lease.id);
      expect(await get('held')).toBeUndefined();
      expect(await get('free')).toBeDefined();
      expect(await kv.keepLeaseAlive(lease.id)).toBeUndefined();
    });

    it('let go of a key that is written without them', async () => {
      const lease = await kv.grantLease(60);
      await write({ op: 'put', key: `${ROOT}held`, value: '', leaseId: lease.id });
      await write(put('held', 'free now'));
      await kv.revokeLease(lease.id);
      expect(await get('held')).toMatchObject({ value: 'free now', leaseId: '0' });
    });

    it('refuse keys after their end, and then nothing of the transaction is written', async () => {
      const lease = await kv.grantLease(60);
      await kv.revokeLease(lease.id);
      const outcome = await kv.txn(
        txnOf({ then: [put('a', '1'), { op: 'put', key: `${ROOT}held`, value: '', leaseId: lease.id }] }),
      );
      expect(outcome).toMatchObject({ kind: 'refused', leaseGone: true });
      expect(await get('a')).toBeUndefined();
    });

    it('end by themselves when nobody keeps them alive', async () => {
      const lease = await kv.grantLease(1);
      await write({ op: 'put', key: `${ROOT}held`, value: '', leaseId: lease.id });
      await until('the end of the lease', async () => (await get('held')) === undefined);
    });
  });
}

function txnOf({ compares = [], then = [] }: Partial<Txn>): Txn {
  return { compares, then, otherwise: [] };
}

function revisionOf(outcome: TxnOutcome): number {
  if (outcome.kind === 'done' && outcome.succeeded) return outcome.revision;
  throw new Error(`the write was ${outcome.kind}`);
}

interface Watched {
  readonly events: KvEvent[];
  readonly end: Promise<WatchEnd>;
  stop(): Promise<WatchEnd>;
}

function watching(kv: Kv, startRevision: number): Watched {
  const events: KvEvent[] = [];
  const controller = new AbortController();
  const end = kv.watch({
    range: prefixRange(ROOT),
    startRevision,
    onEvents: (batch) => events.push(...batch),
    onProgress: () => undefined,
    onAlive: () => undefined,
    signal: controller.signal,
  });
  return {
    events,
    end,
    stop: () => {
      controller.abort();
      return end;
    },
  };
}
