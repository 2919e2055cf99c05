/**
 * The three outcomes on a real etcd: refused at once when it is down, unknown within the deadline when it does not answer,
 * and what an unknown write may do later. SIGSTOP is a server that hangs: its kernel still takes our bytes, so the
 * write that "failed" lands when it goes on, and only the guard keeps that harmless.
 */
import { createEtcdKv, createRegionStore, createTaskStore } from '@lpmos/store';
import type { Kv } from '@lpmos/store';
import { changeOf, done, newTask, realClock, refusal, regionMetadata, until } from '@lpmos/store/contract';
import type { TaskStore } from '@lpmos/core';
import { startEtcd } from './harness/etcd';
import type { EtcdProcess } from './harness/etcd';

jest.setTimeout(60_000);

let etcd: EtcdProcess;
let kv: Kv;
let store: TaskStore;

beforeEach(async () => {
  etcd = await startEtcd();
  kv = createEtcdKv({ endpoints: [etcd.endpoint], callTimeoutMs: 1_000 });
  store = createTaskStore({ kv, clock: realClock });
  done(await createRegionStore({ kv }).registerRegion(regionMetadata()));
});
afterEach(async () => {
  kv.close();
  await etcd.stop();
});

it('refuses while etcd is down, and goes on when it is back', async () => {
  const task = done(await store.create(newTask()));
  const change = changeOf(task, { name: 'prepared' });
  await etcd.kill9();
  // The first write may still meet the connection that died with the server.
  await until('a clear refusal', async () => refusal(await store.commit(task, change)) === 'unavailable');
  await expect(store.read(task.metadata.id)).rejects.toMatchObject({ code: 'unavailable' });
  expect(refusal(await store.create(newTask({ machine: 2 })))).toBe('unavailable');
  await etcd.restart();
  await until('the write', async () => refusal(await store.commit(task, change)) === 'done');
  expect((await store.read(task.metadata.id))?.status).toBe('ready');
  expect(refusal(await store.create(newTask({ machine: 2 })))).toBe('done');
});

it('says unknown when etcd hangs; at most one of the write and its repetition lands', async () => {
  const task = done(await store.create(newTask()));
  const change = changeOf(task, { name: 'prepared' });
  await etcd.pause();
  const outcome = await store.commit(task, change);
  const read = await store.read(task.metadata.id).catch((error: unknown) => error);
  etcd.resume();
  expect(outcome.kind).toBe('unknown');
  expect(read).toMatchObject({ code: 'deadline_exceeded' });
  const repeated = await store.commit(task, change);
  const after = await store.read(task.metadata.id);
  expect(['done', 'conflict']).toContain(refusal(repeated));
  expect(after?.timeline.map((event) => event.event)).toEqual(['task_created', 'prepared']);
  process.stdout.write(`a write during a hang, repeated: ${refusal(repeated)}\n`);
});

it('moves to a member that answers', async () => {
  const both = createEtcdKv({ endpoints: ['http://127.0.0.1:1', etcd.endpoint], callTimeoutMs: 1_000 });
  const second = createTaskStore({ kv: both, clock: realClock });
  const task = done(await second.create(newTask()));
  expect(await second.read(task.metadata.id)).toEqual(task);
  both.close();
});

it.each<[string, readonly string[]]>([
  ['no member', []],
  ['no port', ['http://etcd']],
  ['another scheme', ['tcp://etcd:2379']],
  ['mixed schemes', ['http://a:2379', 'https://b:2379']],
])('refuses endpoints with %s', (_, endpoints) => {
  expect(() => createEtcdKv({ endpoints })).toThrow(expect.objectContaining({ code: 'invalid_argument' }));
});
