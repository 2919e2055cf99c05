import type { RegionId } from '@lpmos/core';
import { silentLogger, sleep, systemClock } from '@lpmos/runtime';
import { createMemoryKv } from '@lpmos/store';
import type { Kv, MemoryKv } from '@lpmos/store';
import { createLeadership, Deposed } from './leadership';

const KEY = '/lpmos/regions/dc1/leader';
let kv: MemoryKv;
let stop: AbortController;
const runs: Promise<void>[] = [];
beforeEach(() => {
  kv = createMemoryKv({ clock: systemClock });
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await Promise.allSettled(runs.splice(0));
  kv.close();
});

function daemon(nodeName: string, on: Kv = kv, ttlSeconds = 30) {
  const end = new AbortController();
  const led: string[] = [];
  const keeper = createLeadership({
    ...{ kv: on, nodeName, ttlSeconds, regionId: 'dc1' as RegionId, clock: systemClock },
    logger: silentLogger,
    onLead: () => led.push(keeper.fence()?.token ?? 'none'),
  });
  const run = keeper.run(AbortSignal.any([stop.signal, end.signal]));
  run.catch(() => undefined);
  runs.push(run);
  return { keeper, run, led, end: () => end.abort() };
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 8_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`${what} did not come`);
    await sleep(2);
  }
}

/** As etcd does at the end of a lease, or an operator by hand. */
const deleteKey = () => kv.txn({ compares: [], then: [{ op: 'delete', key: KEY }], otherwise: [] });

describe('leadership', () => {
  it('is one daemon’s; the other stands by without a fence and takes over when the first ends', async () => {
    const first = daemon('n1');
    await until('a leader', () => first.keeper.state === 'leading');
    const second = daemon('n2');
    await until('a standby', () => second.keeper.state === 'standby');
    expect([second.keeper.leader, second.keeper.fence()]).toEqual(['n1', undefined]);
    first.end();
    await until('the takeover', () => second.keeper.state === 'leading');
    expect(Number(second.led[0])).toBeGreaterThan(Number(first.led[0]));
    await first.run;
  });

  it('is known to be over before anybody tells, as soon as its time has passed', async () => {
    let ahead = 0;
    const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + ahead };
    const keeper = createLeadership({
      ...{ kv, nodeName: 'n1', ttlSeconds: 30, regionId: 'dc1' as RegionId, clock },
      ...{ logger: silentLogger, onLead: () => undefined },
    });
    runs.push(keeper.run(stop.signal));
    await until('a leader', () => keeper.state === 'leading');
    expect(keeper.leads()).toBe(true);
    ahead = 30_000;
    expect(keeper.leads()).toBe(false);
  });

  it('comes back at once to the node whose daemon was killed, with a new fence', async () => {
    const killed = daemon('n1');
    await until('a leader', () => killed.keeper.state === 'leading');
    const restarted = daemon('n1');
    await until('the takeover', () => restarted.keeper.state === 'leading');
    expect(Number(restarted.led[0])).toBeGreaterThan(Number(killed.led[0]));
  });

  it('ends the daemon that another deposed', async () => {
    const first = daemon('n1');
    await until('a leader', () => first.keeper.state === 'leading');
    const second = daemon('n2');
    await until('a standby', () => second.keeper.state === 'standby');
    await deleteKey();
    // The first pauses before it campaigns again; the second is told by its watch.
    await until('the takeover', () => second.keeper.state === 'leading');
    await expect(first.run).rejects.toThrow(Deposed);
    expect(first.keeper.fence()).toBeUndefined();
  });

  it('does not circle between two nodes that wrongly share a name: the older one ends', async () => {
    const older = daemon('same');
    await until('a leader', () => older.keeper.state === 'leading');
    const newer = daemon('same');
    await expect(older.run).rejects.toThrow(Deposed);
    expect(newer.keeper.state).toBe('leading');
    expect(newer.led).toHaveLength(1);
  });

  it('has no fence while etcd is away, and comes back by itself', async () => {
    let away = false;
    const flaky: Kv = {
      ...kv,
      txn: (txn) => (away ? Promise.resolve({ kind: 'unknown', cause: new Error('away') }) : kv.txn(txn)),
      grantLease: (ttl) => (away ? Promise.reject(new Error('away')) : kv.grantLease(ttl)),
      keepLeaseAlive: (id) => (away ? Promise.reject(new Error('away')) : kv.keepLeaseAlive(id)),
      revokeLease: (id) => (away ? Promise.reject(new Error('away')) : kv.revokeLease(id)),
    };
    const only = daemon('n1', flaky, 1);
    await until('a leader', () => only.keeper.state === 'leading');
    away = true;
    await until('the loss', () => only.keeper.state === 'cut off');
    expect(only.keeper.fence()).toBeUndefined();
    away = false;
    await until('the return', () => only.keeper.state === 'leading');
    expect(Number(only.led[1])).toBeGreaterThan(Number(only.led[0]));
  });
});
