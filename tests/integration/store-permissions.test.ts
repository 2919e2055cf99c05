/**
 * Isolation between regions as etcd permissions: a daemon whose role covers its own ranges can do all its work with them and
 * nothing elsewhere; and a watch survives the loss of its auth token, which kills etcd3's own watchers for good.
 */
import { regionTag } from '@lpmos/core';
import type { TaskStore } from '@lpmos/core';
import {
  createBootStore,
  createEtcdKv,
  createLeaseStore,
  createRegionStore,
  createSession,
  createTaskStore,
  prefixRange,
  readRange,
  runElection,
  tasksRange,
  watchTasks,
} from '@lpmos/store';
import type { Kv } from '@lpmos/store';
import {
  changeOf,
  done,
  lifeOf,
  newTask,
  OTHER_REGION,
  realClock,
  REGION,
  refusal,
  regionMetadata,
  sha256,
  until,
} from '@lpmos/store/contract';
import { startEtcd } from './harness/etcd';
import type { EtcdProcess } from './harness/etcd';
import { callEtcd } from './harness/etcd-json';

jest.setTimeout(60_000);

const TAG = regionTag(REGION, sha256);
let etcd: EtcdProcess;
let hubKv: Kv;
let regionKv: Kv;
let hub: TaskStore;
let region: TaskStore;
const stop = new AbortController();

beforeAll(async () => {
  etcd = await startEtcd();
  await allow('root', undefined);
  await allow('region-lab', [tasksRange(TAG), prefixRange(`/lpmos/regions/${REGION}/`)]);
  await callEtcd(etcd.endpoint, 'auth/enable', {});
  const config = { endpoints: [etcd.endpoint], password: 'secret', callTimeoutMs: 1_000 };
  hubKv = createEtcdKv({ ...config, username: 'root' });
  regionKv = createEtcdKv({ ...config, username: 'region-lab' });
  hub = createTaskStore({ kv: hubKv, clock: realClock });
  region = createTaskStore({ kv: regionKv, clock: realClock });
  const regions = createRegionStore({ kv: hubKv });
  done(await regions.registerRegion(regionMetadata()));
  done(await regions.registerRegion(regionMetadata(OTHER_REGION)));
});
afterAll(async () => {
  stop.abort();
  hubKv.close();
  regionKv.close();
  await etcd.stop();
});

it('a region does its whole work with its own ranges', async () => {
  const session = await createSession({
    kv: regionKv,
    clock: realClock,
    ttlSeconds: 30,
    signal: stop.signal,
  });
  const { fence } = await runElection({
    kv: regionKv,
    session,
    regionId: REGION,
    holder: 'daemon-a',
    signal: stop.signal,
  });
  const regions = createRegionStore({ kv: regionKv });
  done(await regions.heartbeat({ fence, nowMs: realClock.nowMs(), leaseId: session.leaseId }));
  expect(await regions.readRegion(REGION)).toMatchObject({ online: true });
  const cache = watchTasks({ kv: regionKv, clock: realClock, regionTag: TAG });
  await cache.start(stop.signal);
  let task = done(await hub.create(newTask()));
  for (const event of lifeOf()) {
    const byHub = event.name === 'approved';
    task = done(await (byHub ? hub : region).commit(task, changeOf(task, event), byHub ? undefined : fence));
  }
  done(await region.putLogs(task, 'done\n', fence));
  const mac = task.metadata.target_mac;
  const boots = { schema_version: 1, mac, known: true, records: [], dropped: 3 } as const;
  const histories = createBootStore({ kv: regionKv });
  done(await histories.write({ boots: [boots], forget: [] }, fence));
  expect(await histories.read(REGION, [mac])).toEqual([boots]);
  const found = await createBootStore({ kv: hubKv }).readOf(mac, [OTHER_REGION, REGION]);
  expect([...found]).toEqual([[REGION, boots]]);
  const copy = { schema_version: 1, mac, state: 'bound', since_ms: 1, expires_at_ms: 2 } as const;
  const stored = { link: 'boot', address: '10.77.0.9', lease: copy };
  const leases = createLeaseStore({ kv: regionKv });
  done(await leases.write({ put: [stored], forget: [] }, fence));
  expect(await leases.all(REGION).next()).toEqual({ done: false, value: stored });
  done(await leases.write({ put: [], forget: [stored] }, fence));
  expect(await leases.all(REGION).next()).toMatchObject({ done: true });
  await until('the cache to see the end', () => cache.get(task.metadata.id)?.version === task.version);
  expect(task.status).toBe('completed');
  expect(refusal(await hub.create(newTask()))).toBe('done');
});

it('a region can neither read nor write elsewhere', async () => {
  const foreign = done(await hub.create(newTask({ machine: 7, regionId: OTHER_REGION })));
  await expect(region.read(foreign.metadata.id)).rejects.toMatchObject({ code: 'internal' });
  await expect(readRange(regionKv, tasksRange())).rejects.toMatchObject({ code: 'internal' });
  const leases = createLeaseStore({ kv: regionKv });
  await expect(leases.all(OTHER_REGION).next()).rejects.toMatchObject({ code: 'internal' });
  for (const key of [
    `/lpmos/tasks/${foreign.metadata.id}/status`,
    `/lpmos/regions/${OTHER_REGION}/leases/boot/10.77.0.9`,
  ]) {
    const put = { op: 'put', key, value: 'failed' } as const;
    expect(await regionKv.txn({ compares: [], then: [put], otherwise: [] })).toMatchObject({
      kind: 'refused',
    });
    expect((await hubKv.range({ range: { start: key }, limit: 1 })).entries[0]?.value).not.toBe('failed');
  }
  expect(await hub.read(foreign.metadata.id)).toEqual(foreign);
});

it('a watch survives the loss of its auth token', async () => {
  const cache = watchTasks({ kv: regionKv, clock: realClock, regionTag: TAG, relistMs: 3_600_000 });
  await cache.start(stop.signal);
  await etcd.restart();
  const task = await eventually(() => hub.create(newTask({ machine: 8 })));
  await until('the task in the cache', () => cache.get(task.metadata.id) !== undefined);
  expect(cache.restarts).toBeGreaterThan(0);
});

/** A user with a role of the same name; without ranges the all-mighty root role. */
async function allow(
  name: string,
  ranges: readonly { start: string; end?: string }[] | undefined,
): Promise<void> {
  await callEtcd(etcd.endpoint, 'auth/role/add', { name });
  for (const { start, end = '' } of ranges ?? []) {
    await callEtcd(etcd.endpoint, 'auth/role/grant', {
      name,
      perm: { permType: 'READWRITE', key: encoded(start), range_end: encoded(end) },
    });
  }
  await callEtcd(etcd.endpoint, 'auth/user/add', { name, password: 'secret' });
  await callEtcd(etcd.endpoint, 'auth/user/grant', { user: name, role: name });
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64');
}

/** Right after a restart the first call may still meet the dead connection. */
async function eventually<T>(write: () => Promise<Parameters<typeof done<T>>[0]>): Promise<T> {
  let value: T | undefined;
  await until('a write', async () => {
    const outcome = await write();
    if (outcome.kind === 'done') value = outcome.value;
    return outcome.kind === 'done';
  });
  if (value === undefined) throw new Error('no value');
  return value;
}
