/** TaskStore's promises: one active task per machine, idempotent creation, guarded transitions, fencing, three outcomes. */
import { isTerminal } from '@lpmos/core';
import type { Fence, NewTask, TaskEvent, TaskRecord, TaskStore } from '@lpmos/core';
import { measureRange } from '../footprint';
import { assignmentKey, machineGuardKey, taskKey, taskRange } from '../keys';
import { LOG_TAIL_BYTES } from '../log-tail';
import { createRegionStore } from '../region-store';
import { createTaskStore } from '../task-store';
import {
  changeOf,
  done,
  leaderOf,
  lifeOf,
  newTask,
  OTHER_REGION,
  realClock,
  REGION,
  refusal,
  regionMetadata,
} from './fixtures';
import type { OpenStore, StoreUnderTest } from './host';
import { createLossyKv } from './lossy-kv';
import type { LossyKv } from './lossy-kv';

const RACERS = 16;
/** What the design allows a finished task with hardware to take. */
const TASK_BYTES_LIMIT = 20 * 1024;

export function describeTaskStore(open: OpenStore): void {
  let host: StoreUnderTest;
  let kv: LossyKv;
  let store: TaskStore;
  beforeEach(async () => {
    host = await open();
    kv = createLossyKv(host.kv);
    store = createTaskStore({ kv, clock: realClock });
    done(await createRegionStore({ kv }).registerRegion(regionMetadata()));
  });
  afterEach(() => host.close());

  const exists = async (key: string): Promise<boolean> =>
    (await kv.range({ range: { start: key }, limit: 1 })).entries.length > 0;
  const step = async (task: TaskRecord, event: TaskEvent, fence?: Fence): Promise<TaskRecord> =>
    done(await store.commit(task, changeOf(task, event), fence));
  const cancelled = (task: TaskRecord): Promise<TaskRecord> => step(task, { name: 'cancelled', by: 'test' });

  describe('create', () => {
    it('writes task, assignment and guard, and read gives back what was returned', async () => {
      const created = done(await store.create(newTask()));
      const { id, target_mac } = created.metadata;
      expect(await store.read(id)).toEqual(created);
      expect(created.status).toBe('pending');
      expect(await exists(assignmentKey(REGION, id))).toBe(true);
      expect(await exists(machineGuardKey(target_mac))).toBe(true);
      expect(await store.read(newTask().metadata.id)).toBeUndefined();
    });

    it('refuses an unregistered region and writes nothing', async () => {
      const task = newTask({ regionId: OTHER_REGION });
      expect(refusal(await store.create(task))).toBe('not_found');
      expect(await exists(taskKey(task.metadata.id, 'metadata'))).toBe(false);
    });

    it('lets exactly one of many racing creators have the machine, and names the winner to the others', async () => {
      const outcomes = await Promise.all(Array.from({ length: RACERS }, () => store.create(newTask())));
      const [winner] = outcomes.filter((outcome) => outcome.kind === 'done');
      expect(outcomes.filter((outcome) => outcome.kind === 'done')).toHaveLength(1);
      const losers = outcomes.flatMap((outcome) => (outcome.kind === 'refused' ? [outcome.error] : []));
      expect(losers.map((error) => error.code)).toEqual(Array(RACERS - 1).fill('already_exists'));
      const id = winner?.kind === 'done' ? winner.value.metadata.id : undefined;
      expect(new Set(losers.map((error) => error.details['task_id']))).toEqual(new Set([id]));
    });

    it('replaces the guard of an ended task, also when many race for it', async () => {
      const fence = await leaderOf(kv, 'daemon-a');
      let task = done(await store.create(newTask()));
      for (const event of lifeOf()) task = await step(task, event, eventIsHubs(event) ? undefined : fence);
      expect(isTerminal(task.status)).toBe(true);
      expect(await exists(assignmentKey(REGION, task.metadata.id))).toBe(false);
      const outcomes = await Promise.all(Array.from({ length: RACERS }, () => store.create(newTask())));
      expect(outcomes.filter((outcome) => outcome.kind === 'done')).toHaveLength(1);
      expect((await store.read(task.metadata.id))?.status).toBe('completed');
    });

    it('frees the machine with the transition that ends its task', async () => {
      const ended = await cancelled(done(await store.create(newTask())));
      expect(await exists(machineGuardKey(ended.metadata.target_mac))).toBe(false);
      expect(await exists(assignmentKey(REGION, ended.metadata.id))).toBe(false);
      expect(refusal(await store.create(newTask()))).toBe('done');
    });

    it('leaves the guard of another task alone when its own was removed by hand', async () => {
      const first = done(await store.create(newTask()));
      const guard = machineGuardKey(first.metadata.target_mac);
      await kv.txn({ compares: [], then: [{ op: 'delete', key: guard }], otherwise: [] });
      const second = done(await store.create(newTask()));
      expect((await cancelled(first)).status).toBe('cancelled');
      expect(refusal(await store.create(newTask()))).toBe('already_exists');
      expect((await store.read(second.metadata.id))?.status).toBe('pending');
    });
  });

  describe('idempotent create', () => {
    const once = (requestDigest: string, scope = 'operator', machine = 1): NewTask =>
      newTask({ machine, idempotency: { scope, key: 'key-1', requestDigest } });

    it('answers every repetition with the first task, racing or later, ended or not', async () => {
      const outcomes = await Promise.all(Array.from({ length: RACERS }, () => store.create(once('same'))));
      const ids = new Set(outcomes.map((outcome) => done(outcome).metadata.id));
      expect(ids.size).toBe(1);
      const [first] = outcomes.map(done);
      if (first === undefined) throw new Error('no outcome');
      await cancelled(first);
      const later = done(await store.create(once('same')));
      expect(later).toMatchObject({ metadata: { id: first.metadata.id }, status: 'cancelled' });
    });

    it('refuses the key for another request, but not for another caller', async () => {
      done(await store.create(once('one')));
      expect(refusal(await store.create(once('two', 'operator', 2)))).toBe('idempotency_mismatch');
      expect(refusal(await store.create(once('two', 'somebody else', 2)))).toBe('done');
    });

    it('hangs the key on a lease that lives a day', async () => {
      done(await store.create(once('one')));
      const { entries } = await kv.range({
        range: { start: '/lpmos/idempotency/', end: '/lpmos/idempotency0' },
        limit: 2,
      });
      expect(entries).toHaveLength(1);
      expect(await kv.keepLeaseAlive(entries[0]?.leaseId ?? '0')).toMatchObject({ ttlSeconds: 25 * 3600 });
    });

    it('takes a new lease when the store forgot the old one', async () => {
      done(await store.create(once('one')));
      const { entries } = await kv.range({
        range: { start: '/lpmos/idempotency/', end: '/lpmos/idempotency0' },
        limit: 2,
      });
      await kv.revokeLease(entries[0]?.leaseId ?? '0');
      expect(refusal(await store.create(once('two', 'another', 2)))).toBe('done');
    });
  });

  describe('commit', () => {
    it('lands once when two decide on the same version, and says conflict to the other', async () => {
      const task = done(await store.create(newTask()));
      const change = changeOf(task, { name: 'prepared' });
      const outcomes = await Promise.all(Array.from({ length: RACERS }, () => store.commit(task, change)));
      expect(outcomes.filter((outcome) => outcome.kind === 'done')).toHaveLength(1);
      expect(outcomes.map(refusal).filter((kind) => kind === 'conflict')).toHaveLength(RACERS - 1);
      const read = await store.read(task.metadata.id);
      expect(read?.timeline.map((event) => event.event)).toEqual(['task_created', 'prepared']);
    });

    it('gives a new version with every transition, also one that keeps the status', async () => {
      const task = done(await store.create(newTask()));
      const waiting = await step(task, { name: 'preparation_blocked', reason: 'image missing' });
      expect(waiting.status).toBe(task.status);
      expect(waiting.version).not.toBe(task.version);
      expect(refusal(await store.commit(task, changeOf(task, { name: 'prepared' })))).toBe('conflict');
      expect(await store.read(task.metadata.id)).toEqual(waiting);
    });

    it('carries a whole life, keeps the documents together and stays within its bytes', async () => {
      const fence = await leaderOf(kv, 'daemon-a');
      let task = done(await store.create(newTask()));
      for (const event of lifeOf()) {
        task = await step(task, event, eventIsHubs(event) ? undefined : fence);
        expect(await store.read(task.metadata.id)).toEqual(task);
      }
      done(await store.putLogs(task, 'installed\n'.repeat(200), fence));
      const { keys, bytes } = await measureRange(kv, taskRange(task.metadata.id));
      process.stdout.write(`a finished task with hardware: ${bytes} bytes in ${keys} keys\n`);
      expect(bytes).toBeLessThanOrEqual(TASK_BYTES_LIMIT);
      expect(task).toMatchObject({ status: 'completed' });
      expect(task.grant).toBeUndefined();
    });
  });

  describe('fencing', () => {
    it('refuses every write of a deposed leader', async () => {
      const deposed = await leaderOf(kv, 'daemon-a');
      const task = done(await store.create(newTask()));
      const leading = await leaderOf(kv, 'daemon-b');
      const progress = { attempt: 1, phase: 'write', percent: 5, message: '', at: task.metadata.created_at };
      expect(refusal(await store.commit(task, changeOf(task, { name: 'prepared' }), deposed))).toBe(
        'conflict',
      );
      expect(refusal(await store.putProgress(task, progress, deposed))).toBe('conflict');
      expect(refusal(await store.putLogs(task, 'x', deposed))).toBe('conflict');
      expect(await store.read(task.metadata.id)).toEqual(task);
      expect((await step(task, { name: 'prepared' }, leading)).status).toBe('ready');
    });

    it('refuses a fence of another region before anything is sent', async () => {
      const task = done(await store.create(newTask()));
      const foreign: Fence = { regionId: OTHER_REGION, token: '1' };
      expect(refusal(await store.commit(task, changeOf(task, { name: 'prepared' }), foreign))).toBe(
        'forbidden',
      );
    });
  });

  describe('progress and logs', () => {
    it('are overwritten without a transition and refused once the task moved on', async () => {
      const fence = await leaderOf(kv, 'daemon-a');
      const task = done(await store.create(newTask()));
      const progress = { attempt: 1, phase: 'write', percent: 5, message: 'x', at: task.metadata.created_at };
      done(await store.putProgress(task, progress, fence));
      done(await store.putProgress(task, { ...progress, percent: 6 }, fence));
      expect(await store.read(task.metadata.id)).toEqual({ ...task, progress: { ...progress, percent: 6 } });
      await step(task, { name: 'prepared' }, fence);
      expect(refusal(await store.putProgress(task, progress, fence))).toBe('conflict');
    });

    it('keep the end of a long log', async () => {
      const fence = await leaderOf(kv, 'daemon-a');
      const task = done(await store.create(newTask()));
      done(await store.putLogs(task, `${'grüße\n'.repeat(20_000)}the end`, fence));
      const logs = (await store.read(task.metadata.id))?.logs ?? '';
      expect(Buffer.byteLength(logs)).toBeLessThanOrEqual(LOG_TAIL_BYTES);
      expect(logs.startsWith('grüße\n')).toBe(true);
      expect(logs.endsWith('the end')).toBe(true);
    });
  });

  describe('the third outcome', () => {
    it('is said as unknown, and the same write can be sent again: one of the two lands', async () => {
      const task = done(await store.create(newTask()));
      const change = changeOf(task, { name: 'prepared' });
      kv.loseNext('request');
      expect(refusal(await store.commit(task, change))).toBe('unknown');
      expect((await store.read(task.metadata.id))?.status).toBe('pending');
      kv.loseNext('answer');
      expect(refusal(await store.commit(task, change))).toBe('unknown');
      expect((await store.read(task.metadata.id))?.status).toBe('ready');
      expect(refusal(await store.commit(task, change))).toBe('conflict');
    });

    it('cannot do harm late: a write that arrives after a newer one changes nothing', async () => {
      const task = done(await store.create(newTask()));
      kv.loseNext('late');
      expect(refusal(await store.commit(task, changeOf(task, { name: 'prepared' })))).toBe('unknown');
      const ended = await cancelled(task);
      expect(await kv.deliverLate()).toMatchObject([{ kind: 'done', succeeded: false }]);
      expect(await store.read(task.metadata.id)).toEqual(ended);
    });

    it('of a creation is settled by sending the same creation again', async () => {
      const task = newTask();
      kv.loseNext('answer');
      expect(refusal(await store.create(task))).toBe('unknown');
      expect(done(await store.create(task)).metadata.id).toBe(task.metadata.id);
      expect(refusal(await store.create(newTask()))).toBe('already_exists');
    });
  });

  it('says which key does not decode', async () => {
    const task = done(await store.create(newTask()));
    const key = taskKey(task.metadata.id, 'status');
    await kv.txn({ compares: [], then: [{ op: 'put', key, value: 'sleeping' }], otherwise: [] });
    await expect(store.read(task.metadata.id)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(key),
    });
    expect(refusal(await store.create(newTask()))).toBe('corrupt');
  });
}

function eventIsHubs(event: TaskEvent): boolean {
  return ['approved', 'rejected', 'cancelled', 'cancel_requested'].includes(event.name);
}
