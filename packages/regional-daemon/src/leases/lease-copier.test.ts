/** Leases on their way to the store and back, on the memory store: under the fence, in batches, and never lost by a failed write. */
import { LpmosError, regionTag } from '@lpmos/core';
import type { Fence, MacAddress } from '@lpmos/core';
import type { Lease } from '@lpmos/netboot';
import { silentLogger } from '@lpmos/runtime';
import { createLeaseStore, createMemoryKv, createRegionStore } from '@lpmos/store';
import type { LeaseStore } from '@lpmos/store';
import { leaderOf, REGION } from '@lpmos/store/contract';
import { sha256, testClock } from '../testing/region-fixtures';
import { createLeaseCopier } from './lease-copier';

const NOW = 1_000_000;
const lease = (index: number, rest: Partial<Lease> = {}): Lease => ({
  mac: `02:00:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}` as MacAddress,
  address: `10.77.${index >> 8}.${index & 255}`,
  state: 'bound',
  sinceMs: NOW + 0.25,
  expiresAtMs: NOW + 8_000.25,
  ...rest,
});

async function bench() {
  const kv = createMemoryKv({ clock: testClock() });
  await createRegionStore({ kv }).registerRegion({
    ...{ schema_version: 1, id: REGION, tag: regionTag(REGION, sha256), display_name: 'Lab' },
    ...{ created_at: '2026-01-29T10:00:00.000Z', created_by: 'test' },
  });
  const real = createLeaseStore({ kv });
  const state: { fence: Fence | undefined; failing: boolean; writes: number } = {
    ...{ fence: await leaderOf(kv, 'n1'), failing: false, writes: 0 },
  };
  const store: LeaseStore = {
    all: (region) => {
      if (state.failing) throw new LpmosError({ code: 'unavailable', message: 'away' });
      return real.all(region);
    },
    write: async (change, fence) => {
      if (state.failing) throw new LpmosError({ code: 'unavailable', message: 'away' });
      state.writes += 1;
      return real.write(change, fence);
    },
  };
  const daemon = () =>
    createLeaseCopier({ store, regionId: REGION, fence: () => state.fence, logger: silentLogger });
  return { kv, state, daemon };
}
const never = new AbortController().signal;

describe('copies of leases', () => {
  it('reach the daemon that takes over, link by link, and never end before their leases', async () => {
    const { state, daemon, kv } = await bench();
    const first = daemon();
    first.hear('row-3', lease(1));
    first.hear('row-4', lease(2, { state: 'declined', hostname: 'web2' }));
    await first.flush();
    state.fence = await leaderOf(kv, 'n2');
    const copies = await daemon().read(never);
    expect([...copies.keys()].sort()).toEqual(['row-3', 'row-4']);
    expect(copies.get('row-3')).toEqual([lease(1, { sinceMs: NOW, expiresAtMs: NOW + 9_001 })]);
    expect(copies.get('row-4')).toMatchObject([{ state: 'declined', hostname: 'web2' }]);
  });

  it('go with what was given back', async () => {
    const { daemon } = await bench();
    const copier = daemon();
    copier.hear('row-3', lease(1));
    await copier.flush();
    copier.hear('row-3', lease(1, { state: 'released' }));
    await copier.flush();
    expect((await daemon().read(never)).size).toBe(0);
  });

  it('are written two hundred at a time, and the rest the next time', async () => {
    const { daemon, state } = await bench();
    const copier = daemon();
    for (let index = 0; index < 300; index += 1) copier.hear('row-3', lease(index));
    await copier.flush();
    expect(state.writes).toBe(2);
    await copier.flush();
    expect((await daemon().read(never)).get('row-3')).toHaveLength(300);
  });

  it('wait while nothing can be written, and are all there afterwards', async () => {
    const { daemon, state } = await bench();
    const copier = daemon();
    copier.hear('row-3', lease(1));
    state.failing = true;
    await copier.flush();
    state.failing = false;
    const { fence } = state;
    state.fence = undefined;
    copier.hear('row-3', lease(2));
    await copier.flush();
    expect(state.writes).toBe(0);
    state.fence = fence;
    await copier.flush();
    expect((await daemon().read(never)).get('row-3')).toHaveLength(2);
  });

  it('of a deposed daemon are refused, and what the new one wrote stays', async () => {
    const { daemon, state, kv } = await bench();
    const [old, fresh] = [daemon(), daemon()];
    const oldFence = state.fence;
    state.fence = await leaderOf(kv, 'n2');
    fresh.hear('row-3', lease(1, { mac: '02:00:00:00:00:99' as MacAddress }));
    await fresh.flush();
    state.fence = oldFence;
    old.hear('row-3', lease(1));
    await old.flush();
    expect((await daemon().read(never)).get('row-3')).toMatchObject([{ mac: '02:00:00:00:00:99' }]);
  });

  it('are waited for: who serves without them could give an address twice', async () => {
    const { daemon, state } = await bench();
    const copier = daemon();
    copier.hear('row-3', lease(1));
    await copier.flush();
    state.failing = true;
    const reading = daemon().read(never);
    await new Promise(setImmediate);
    state.failing = false;
    expect((await reading).get('row-3')).toHaveLength(1);
    state.failing = true;
    const ending = new AbortController();
    const given = daemon().read(ending.signal);
    ending.abort();
    expect((await given).size).toBe(0);
  });
});
