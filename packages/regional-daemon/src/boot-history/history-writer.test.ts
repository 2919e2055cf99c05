import { LpmosError, parseRegionId, regionTag } from '@lpmos/core';
import type { Fence, MachineBoots, MacAddress } from '@lpmos/core';
import type { BootEvent } from '@lpmos/netboot';
import { silentLogger } from '@lpmos/runtime';
import { createBootStore, createMemoryKv, createRegionStore } from '@lpmos/store';
import type { BootsChange, BootStore } from '@lpmos/store';
import { sha256, testClock } from '../testing/region-fixtures';
import { createBootHistory } from './boot-history';
import type { BootHistory } from './boot-history';
import { createHistoryWriter } from './history-writer';

const REGION = parseRegionId('lab');
const mac = (index: number): MacAddress =>
  `02:00:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}` as MacAddress;

const asked = (index: number, change: Partial<BootEvent> = {}): BootEvent => ({
  protocol: 'dhcp',
  mac: mac(index),
  peer: '0.0.0.0',
  request: 'DHCPDISCOVER',
  stage: 'firmware',
  decision: { kind: 'local-disk', reason: 'installed' },
  outcome: 'answered',
  reason: 'DHCPOFFER',
  ...change,
});
const stranger = (index: number): BootEvent =>
  asked(index, { decision: { kind: 'silent', reason: 'no task' } });

interface Bench {
  readonly store: BootStore;
  readonly fence: Fence;
  readonly clock: ReturnType<typeof testClock>;
  readonly writes: BootsChange[];
  daemon(limits?: { machines: number; strangers: number }): {
    history: BootHistory;
    flush: () => Promise<void>;
  };
  stored(...indexes: number[]): Promise<(MachineBoots | undefined)[]>;
}

async function bench(): Promise<Bench> {
  const clock = testClock();
  const kv = createMemoryKv({ clock });
  const regions = createRegionStore({ kv });
  await regions.registerRegion({
    schema_version: 1,
    id: REGION,
    tag: regionTag(REGION, sha256),
    display_name: 'Lab',
    created_at: '2026-01-29T10:00:00.000Z',
    created_by: 'test',
  });
  const leader = await kv.txn({
    compares: [],
    then: [{ op: 'put', key: `/lpmos/regions/${REGION}/leader`, value: 'daemon-a' }],
    otherwise: [],
  });
  if (leader.kind !== 'done') throw new Error('no leader');
  const fence: Fence = { regionId: REGION, token: String(leader.revision) };
  const inner = createBootStore({ kv });
  const writes: BootsChange[] = [];
  const store: BootStore = {
    ...inner,
    write: (change, by) => {
      writes.push(change);
      return inner.write(change, by);
    },
  };
  return {
    ...{ store, fence, clock, writes },
    daemon(limits) {
      const history = createBootHistory({ clock, machineAt: () => undefined });
      const writer = createHistoryWriter({
        ...{ history, store, logger: silentLogger, fence: () => fence },
        ...(limits === undefined ? {} : { limits }),
      });
      return { history, flush: writer.flush };
    },
    stored: async (...indexes) => {
      const found = await inner.read(REGION, indexes.map(mac));
      return indexes.map((index) => found.find((each) => each.mac === mac(index)));
    },
  };
}

it('writes each machine once a tick, and nothing when nothing happened', async () => {
  const { daemon, writes, stored } = await bench();
  const { history, flush } = daemon();
  for (let index = 0; index < 70; index += 1) history.hear(asked(index));
  for (let times = 0; times < 20; times += 1) history.hear(asked(1));
  await flush();
  await flush();
  expect(writes.map((change) => change.boots.length)).toEqual([32, 32, 6]);
  expect((await stored(1))[0]?.records).toMatchObject([{ count: 21 }]);
});

it('goes on with the list after a restart', async () => {
  const { clock, daemon, stored } = await bench();
  const first = daemon();
  first.history.hear(asked(1));
  await first.flush();
  clock.advance(600_000);
  const second = daemon();
  second.history.hear(asked(1));
  await second.flush();
  second.history.hear(asked(1, { stage: 'ipxe' }));
  await second.flush();
  expect((await stored(1))[0]?.records.map((record) => [record.stage, record.first_at])).toEqual([
    ['firmware', '2026-01-29T10:00:00.000Z'],
    ['firmware', '2026-01-29T10:10:00.000Z'],
    ['ipxe', '2026-01-29T10:10:00.000Z'],
  ]);
});

it('tries a failed write again, and writes nothing without leading', async () => {
  const { store, fence, stored, clock } = await bench();
  const history = createBootHistory({ clock, machineAt: () => undefined });
  let broken = true;
  let leading = false;
  const writer = createHistoryWriter({
    history,
    logger: silentLogger,
    fence: () => (leading ? fence : undefined),
    store: {
      ...store,
      write: (change, by) => {
        if (broken) throw new LpmosError({ code: 'unavailable', message: 'etcd is away' });
        return store.write(change, by);
      },
    },
  });
  history.hear(asked(1));
  await writer.flush();
  leading = true;
  await writer.flush();
  expect(await stored(1)).toEqual([undefined]);
  broken = false;
  await writer.flush();
  expect((await stored(1))[0]?.records).toHaveLength(1);
});

it('is refused once another daemon leads', async () => {
  const { store, fence } = await bench();
  const outcome = await store.write({ boots: [], forget: [] }, { ...fence, token: '1' });
  expect(outcome).toMatchObject({ kind: 'refused', error: { code: 'conflict' } });
});

it('keeps few strangers and removes those not heard of for longest, also those of an earlier run', async () => {
  const { clock, daemon, stored } = await bench();
  const limits = { machines: 3, strangers: 2 };
  const first = daemon(limits);
  for (let index = 0; index < 2; index += 1) {
    first.history.hear(stranger(index));
    clock.advance(1000);
  }
  first.history.hear(asked(100));
  await first.flush();
  const second = daemon(limits);
  second.history.hear(stranger(2));
  second.history.hear(asked(101));
  second.history.hear(asked(102));
  await second.flush();
  expect((await stored(0, 1, 2, 100)).map((each) => each?.mac)).toEqual([
    undefined,
    mac(1),
    mac(2),
    mac(100),
  ]);
  second.history.hear(asked(103));
  await second.flush();
  expect((await stored(100, 101)).map((each) => each?.mac)).toEqual([undefined, mac(101)]);
});

it('never removes what it writes in the same breath', async () => {
  const { daemon, stored } = await bench();
  const { history, flush } = daemon({ machines: 2, strangers: 2 });
  for (const index of [100, 101]) {
    history.hear(asked(index));
    await flush();
  }
  history.hear(asked(100));
  history.hear(asked(102));
  await flush();
  expect((await stored(100, 101, 102)).map((each) => each?.mac)).toEqual([mac(100), undefined, mac(102)]);
});

it('a history that is too long for its key loses its oldest lines', async () => {
  const { daemon, stored } = await bench();
  const { history, flush } = daemon();
  for (let index = 0; index < 40; index += 1) {
    history.hear(
      asked(1, { request: `GET /${index}/${'x'.repeat(110)}`, reason: `${index} ${'y'.repeat(290)}` }),
    );
  }
  await flush();
  const [boots] = await stored(1);
  expect(JSON.stringify(boots).length).toBeLessThanOrEqual(8192);
  expect(boots?.records.at(-1)?.reason).toMatch(/^39 /);
  expect((boots?.records.length ?? 0) + (boots?.dropped ?? 0)).toBe(40);
  expect(boots?.records.length).toBeGreaterThan(10);
});
