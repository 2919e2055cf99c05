/** What the task store refuses before it asks any store. The rest of its behaviour is the contract suite. */
import {
  changeOf,
  done,
  newTask,
  OTHER_REGION,
  realClock,
  refusal,
  regionMetadata,
} from './contract/fixtures';
import { createMemoryKv } from './memory-kv';
import { createRegionStore } from './region-store';
import { createTaskStore } from './task-store';

const kv = createMemoryKv({ clock: realClock });
const store = createTaskStore({ kv, clock: realClock });
beforeAll(async () => {
  done(await createRegionStore({ kv }).registerRegion(regionMetadata()));
});
afterAll(() => kv.close());

it('refuses an id that lies outside its region', async () => {
  const task = newTask();
  const { id } = newTask({ regionId: OTHER_REGION }).metadata;
  expect(refusal(await store.create({ ...task, metadata: { ...task.metadata, id } }))).toBe('internal');
  expect(await store.read(id)).toBeUndefined();
});

it('refuses a document that nobody could read back', async () => {
  const task = done(await store.create(newTask({ machine: 2 })));
  const fence = { regionId: task.metadata.region_id, token: '1' };
  const progress = { attempt: 1, phase: 'write', percent: NaN, message: '', at: task.metadata.created_at };
  expect(refusal(await store.putProgress(task, progress, fence))).toBe('internal');
  const blank = { ...changeOf(task, { name: 'prepared' }), grant: 'no JWS' };
  expect(refusal(await store.commit(task, blank))).toBe('internal');
  expect(await store.read(task.metadata.id)).toEqual(task);
});

it('writes only along the table, and nothing out of an ended state', async () => {
  const pending = done(await store.create(newTask()));
  const prepared = changeOf(pending, { name: 'prepared' });
  expect(refusal(await store.commit(pending, { ...prepared, status: 'completed' }))).toBe(
    'not_allowed_in_state',
  );
  const ended = done(await store.commit(pending, changeOf(pending, { name: 'cancelled', by: 'test' })));
  expect(refusal(await store.commit(ended, prepared))).toBe('not_allowed_in_state');
  expect(await store.read(ended.metadata.id)).toEqual(ended);
});
