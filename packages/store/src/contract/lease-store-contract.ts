/** LeaseStore's promises: what was written is read by whoever takes over, whole, in pages, and never from a daemon that was deposed. */
import type { Fence, StoredLease } from '@lpmos/core';
import { leaseKey } from '../keys';
import { PAGE_KEYS } from '../kv';
import type { Kv, RangeRequest } from '../kv';
import { createLeaseStore, LEASES_PER_WRITE } from '../lease-store';
import type { LeaseStore } from '../lease-store';
import { createRegionStore } from '../region-store';
import { done, leaderOf, mac, OTHER_REGION, REGION, refusal, regionMetadata } from './fixtures';
import type { OpenStore, StoreUnderTest } from './host';

/** Numbers of five digits in key order. */
const addressOf = (number: number): string =>
  `10.77.${100 + Math.floor(number / 100)}.${100 + (number % 100)}`;

function leaseOf(number: number, change: Partial<StoredLease['lease']> = {}): StoredLease {
  const since_ms = 1_700_000_000_000 + number;
  return {
    link: 'boot',
    address: addressOf(number),
    lease: {
      ...{ schema_version: 1, mac: mac(number), state: 'bound' },
      ...{ since_ms, expires_at_ms: since_ms + 600_000 },
      ...change,
    },
  };
}

const leasesOf = (count: number, from = 0): StoredLease[] =>
  Array.from({ length: count }, (_, index) => leaseOf(from + index));

export function describeLeaseStore(open: OpenStore): void {
  let host: StoreUnderTest;
  let kv: Kv;
  let store: LeaseStore;
  let fence: Fence;
  beforeEach(async () => {
    host = await open();
    kv = host.kv;
    store = createLeaseStore({ kv });
    done(await createRegionStore({ kv }).registerRegion(regionMetadata()));
    fence = await leaderOf(kv, 'daemon-a');
  });
  afterEach(() => host.close());

  const all = async (region = REGION): Promise<StoredLease[]> => {
    const found: StoredLease[] = [];
    for await (const each of store.all(region)) found.push(each);
    return found;
  };
  const damage = async (address: string, value: string): Promise<void> => {
    const put = { op: 'put', key: leaseKey(REGION, 'boot', address), value } as const;
    await kv.txn({ compares: [], then: [put], otherwise: [] });
  };

  it('gives back what was written, of each link, and of no other region', async () => {
    const first = leaseOf(1, { hostname: 'node-1' });
    const second = { ...leaseOf(1, { mac: mac(2), state: 'declined' }), link: 'rack-7' };
    done(await store.write({ put: [second, first], forget: [] }, fence));
    expect(await all()).toEqual([first, second]);
    expect(await all(OTHER_REGION)).toEqual([]);
  });

  it('puts and forgets in one write; what is not there is no error', async () => {
    done(await store.write({ put: leasesOf(3), forget: [] }, fence));
    const renewed = leaseOf(1, { expires_at_ms: 1_800_000_000_000 });
    const put = [renewed, leaseOf(7)];
    const forget = [leaseOf(0), { link: 'boot', address: '10.77.0.250' }];
    const before = (await kv.range({ range: { start: '/lpmos/' }, limit: 1 })).revision;
    expect(await store.write({ put, forget }, fence)).toMatchObject({
      kind: 'done',
      revision: String(before + 1),
    });
    expect(await all()).toEqual([renewed, leaseOf(2), leaseOf(7)]);
  });

  it('refuses every write of a deposed leader, whole', async () => {
    done(await store.write({ put: [leaseOf(1)], forget: [] }, fence));
    const leading = await leaderOf(kv, 'daemon-b');
    const change = { put: [leaseOf(2)], forget: [leaseOf(1)] };
    expect(refusal(await store.write(change, fence))).toBe('conflict');
    expect(await all()).toEqual([leaseOf(1)]);
    done(await store.write(change, leading));
    expect(await all()).toEqual([leaseOf(2)]);
  });

  it('refuses a region that nobody registered', async () => {
    const stranger = { regionId: OTHER_REGION, token: fence.token };
    expect(refusal(await store.write({ put: [leaseOf(1)], forget: [] }, stranger))).toBe('not_found');
  });

  it('takes as many of both as its limit says, and refuses one more whole', async () => {
    const put = leasesOf(LEASES_PER_WRITE - 40);
    const forget = leasesOf(40, LEASES_PER_WRITE);
    const tooMany = { put, forget: [...forget, leaseOf(999)] };
    expect(refusal(await store.write(tooMany, fence))).toBe('too_large');
    expect(refusal(await store.write({ put: leasesOf(LEASES_PER_WRITE + 1), forget: [] }, fence))).toBe(
      'too_large',
    );
    expect(await all()).toEqual([]);
    done(await store.write({ put, forget }, fence));
    expect(await all()).toHaveLength(put.length);
    done(await store.write({ put: leasesOf(LEASES_PER_WRITE), forget: [] }, fence));
    expect(await all()).toEqual(leasesOf(LEASES_PER_WRITE));
  });

  it('writes no copy that nobody could read back, and nothing beside it', async () => {
    const endless = leaseOf(2, { expires_at_ms: Infinity });
    await expect(store.write({ put: [leaseOf(1), endless], forget: [] }, fence)).rejects.toMatchObject({
      code: 'internal',
    });
    expect(await all()).toEqual([]);
  });

  it('leaves out what does not decode and goes on behind it', async () => {
    done(await store.write({ put: leasesOf(5), forget: [] }, fence));
    await damage(addressOf(0), '{"schema_version":1');
    await damage(addressOf(2), JSON.stringify({ ...leaseOf(2).lease, schema_version: 2 }));
    await damage('no-address', JSON.stringify(leaseOf(4).lease));
    expect(await all()).toEqual([leaseOf(1), leaseOf(3), leaseOf(4)]);
    done(await store.write({ put: [leaseOf(0)], forget: [leaseOf(2)] }, fence));
    expect(await all()).toEqual([leaseOf(0), leaseOf(1), leaseOf(3), leaseOf(4)]);
  });

  it('reads in pages, one at a time, to the last', async () => {
    const count = 2 * PAGE_KEYS + 1;
    for (let from = 0; from < count; from += LEASES_PER_WRITE) {
      done(
        await store.write(
          { put: leasesOf(Math.min(LEASES_PER_WRITE, count - from), from), forget: [] },
          fence,
        ),
      );
    }
    const lastOfPage = PAGE_KEYS - 1;
    await damage(addressOf(lastOfPage), 'damaged');
    const asked: RangeRequest[] = [];
    const watched: Kv = {
      ...kv,
      range: (request) => {
        asked.push(request);
        return kv.range(request);
      },
    };
    const pagesBehind: number[] = [];
    const found: StoredLease[] = [];
    for await (const each of createLeaseStore({ kv: watched }).all(REGION)) {
      found.push(each);
      if (asked.length > pagesBehind.length) pagesBehind.push(found.length);
    }
    expect(found).toEqual(leasesOf(count).filter((_, index) => index !== lastOfPage));
    expect(asked.map(({ limit }) => limit)).toEqual([PAGE_KEYS, PAGE_KEYS, PAGE_KEYS]);
    expect(pagesBehind).toEqual([1, PAGE_KEYS, 2 * PAGE_KEYS]);
  });
}
