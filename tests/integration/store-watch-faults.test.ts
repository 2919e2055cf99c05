/**
 * The faults that lose events, on a real etcd behind a link that breaks: a flapping link, a backlog over gRPC's 4 MiB,
 * a compaction while away, a silent black hole, a killed server. Ours must equal the store after each; etcd3's own Watcher runs
 * beside it through the same link, and must lose in at least one of them, or the test would not detect anything.
 * Every key is written once, so a key that is missing at the end is a lost event.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createEtcdKv, createRangeWatch, prefixRange, readRange } from '@lpmos/store';
import type { Kv, RangeWatch } from '@lpmos/store';
import { realClock, until, watchAsStock } from '@lpmos/store/contract';
import type { StockWatcher } from '@lpmos/store/contract';
import { startEtcd } from './harness/etcd';
import type { EtcdProcess } from './harness/etcd';
import { callEtcd } from './harness/etcd-json';
import { createTcpLink } from './harness/tcp-link';
import type { TcpLink } from './harness/tcp-link';

/** Time for the stock watcher to come back; it is not asserted that it does. */
const STOCK_GRACE_MS = 4_000;
const FLAPS = 25;
/** Prime to the writers' rhythm; from the measurement that found the loss. */
const FLAP_EVERY_MS = 137;
const KEYS_PER_TXN = 100;

/** Of one test, far over what any needs (about 10 s). */
jest.setTimeout(60_000);

let etcd: EtcdProcess;
let link: TcpLink;
let direct: Kv;
const lost = new Map<string, string>();

beforeAll(async () => {
  etcd = await startEtcd();
  direct = createEtcdKv({ endpoints: [etcd.endpoint] });
});
beforeEach(async () => {
  link = await createTcpLink(etcd.port);
});
afterEach(() => link.close());
afterAll(async () => {
  direct.close();
  await etcd.stop();
  for (const [fault, text] of lost) process.stdout.write(`${fault}: ${text}\n`);
});

describe('after a fault our cache equals the store', () => {
  it('flapping link', async () => {
    const { stock } = await ordeal('flapping', async (write) => {
      for (let flap = 0; flap < FLAPS; flap++) {
        link.cut();
        await write(40);
        link.mend();
        await write(40);
        await sleep(FLAP_EVERY_MS);
      }
    });
    expect(stock.seen.size).toBeGreaterThan(0);
  });

  it('backlog of 7 MB while away; the stock watcher loses it', async () => {
    const { missedByStock } = await ordeal('backlog', async (write) => {
      link.cut();
      await write(1200, 'x'.repeat(6_000));
      link.mend();
    });
    expect(missedByStock).toBeGreaterThan(1_000);
  });

  it('compaction while away; the stock watcher is dead afterwards', async () => {
    const { missedByStock, ours } = await ordeal('compaction', async (write) => {
      link.cut();
      const revision = await write(300);
      await callEtcd(etcd.endpoint, 'kv/compaction', { revision, physical: true });
      link.mend();
    });
    expect(missedByStock).toBeGreaterThan(0);
    expect(ours.divergences).toBe(0);
  });

  it('silent black hole; the stock watcher never notices', async () => {
    const { missedByStock } = await ordeal('black hole', async (write) => {
      link.freeze();
      await write(300);
    });
    expect(missedByStock).toBeGreaterThanOrEqual(300);
  });

  it('etcd killed and restarted, with writes before anyone is back', async () => {
    const { ours } = await ordeal('kill -9', async (write) => {
      await write(100);
      await etcd.kill9();
      await etcd.restart();
      await write(300);
    });
    expect(ours.restarts).toBeGreaterThan(0);
  });
});

type Write = (count: number, value?: string) => Promise<number>;

interface Result {
  readonly ours: RangeWatch;
  readonly stock: StockWatcher;
  readonly missedByStock: number;
}

async function ordeal(name: string, disturb: (write: Write) => Promise<void>): Promise<Result> {
  const prefix = `/lpmos/config/templates/${name.replaceAll(' ', '-')}/`;
  const range = prefixRange(prefix);
  const kv = createEtcdKv({
    endpoints: [link.endpoint],
    callTimeoutMs: 1_000,
    watchProbeMs: 500,
    watchDeadMs: 500,
  });
  // No periodic list within this test: what is found is found by the watch and its restarts.
  const ours = createRangeWatch({ kv, range, clock: realClock, relistMs: 3_600_000 });
  const seen = new Set<string>();
  ours.cache.onChange((changes) => changes.forEach((change) => seen.add(change.key)));
  const stop = new AbortController();
  await ours.start(stop.signal);
  const stock = await watchAsStock(link.endpoint, prefix);
  const write = writer(prefix);
  try {
    await write(1);
    await until('both to see the first write', () => seen.size === 1 && stock.seen.size === 1);
    await disturb(write);
    await write(1);
    const { entries } = await readRange(direct, range);
    const wanted = JSON.stringify(entries);
    await until(
      'our cache to equal the store',
      () => JSON.stringify([...ours.cache.entries()].sort((a, b) => (a.key < b.key ? -1 : 1))) === wanted,
      15_000,
    );
    expect(seen.size).toBe(entries.length);
    await until('the stock watcher', () => stock.seen.size === entries.length, STOCK_GRACE_MS).catch(
      () => undefined,
    );
    const missedByStock = entries.length - stock.seen.size;
    lost.set(name, `ours lost 0 of ${entries.length}, the stock watcher ${missedByStock}`);
    return { ours, stock, missedByStock };
  } finally {
    stop.abort();
    await ours.done;
    stock.close();
    kv.close();
  }
}

/** Writes new keys past the link; gives the last revision. Right after a restart etcd may need a second try. */
function writer(prefix: string): Write {
  let next = 0;
  return async (count, value = '') => {
    let revision = 0;
    for (let left = count; left > 0; left -= KEYS_PER_TXN) {
      const keys = Array.from(
        { length: Math.min(left, KEYS_PER_TXN) },
        () => prefix + String(next++).padStart(6, '0'),
      );
      await until('a write', async () => {
        const then = keys.map((key) => ({ op: 'put', key, value }) as const);
        const outcome = await direct.txn({ compares: [], then, otherwise: [] });
        if (outcome.kind === 'done') revision = outcome.revision;
        return outcome.kind === 'done';
      });
    }
    return revision;
  };
}
