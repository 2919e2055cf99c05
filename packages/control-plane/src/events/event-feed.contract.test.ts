import { createApiClient } from '@lpmos/api';
import type { ServerEvent } from '@lpmos/api';
import type { MemoryKv } from '@lpmos/store';
import {
  actRegion,
  actRegionClient,
  call,
  memoryKv,
  startReplica,
  tokenFor,
  until,
  untilReady,
} from '../testing/app-bench';
import type { ActedRegion, Replica } from '../testing/app-bench';

let kv: MemoryKv;
let replicas: Replica[];
let region: ActedRegion;
let macs = 0;
const stops: AbortController[] = [];

const replica = (index: number): Replica => replicas[index] as Replica;

async function newTask(region_id = 'dc1'): Promise<string> {
  const target_mac = `02:00:00:02:00:${(macs += 1).toString(16).padStart(2, '0')}`;
  const { body } = await call(replica(0), 'POST', '/api/v1/tasks', {
    body: { region_id, target_mac, os_type: 'ubuntu', os_version: '22.04' },
  });
  return body.task_id as string;
}

interface Listening {
  readonly seen: ServerEvent[];
  readonly stop: AbortController;
  readonly ended: Promise<void>;
}

function listen(
  index: number,
  request: { taskId?: string; regionId?: string; lastEventId?: string } = {},
  token = tokenFor(),
): Listening {
  const stop = new AbortController();
  stops.push(stop);
  const seen: ServerEvent[] = [];
  const client = createApiClient({ baseUrl: replica(index).url, token });
  const ended = (async () => {
    for await (const event of client.events({ ...request, signal: stop.signal })) seen.push(event);
  })();
  ended.catch(() => undefined);
  return { seen, stop, ended };
}

const tasksIn = ({ seen }: Listening): { id: string; status: string }[] =>
  seen.flatMap((event) =>
    event.kind === 'task' ? [{ id: event.task.task_id, status: event.task.status }] : [],
  );
const synced = ({ seen }: Listening): boolean => seen.some(({ kind }) => kind === 'sync');

beforeAll(async () => {
  kv = memoryKv();
  replicas = [await startReplica(kv), await startReplica(kv)];
  await Promise.all(replicas.map(untilReady));
  region = actRegion(kv);
  for (const region_id of ['dc1', 'dc2'])
    await call(replica(0), 'POST', '/api/v1/regions', { body: { region_id } });
  await actRegionClient(kv);
});

afterEach(() => {
  for (const stop of stops.splice(0)) stop.abort();
});

afterAll(async () => {
  await Promise.all(replicas.map((each) => each.stop()));
  kv.close();
});

describe('GET /api/v1/events', () => {
  it('tells of every task that changes, on any replica, with rising ids', async () => {
    const listening = listen(1);
    await until(() => synced(listening));
    const id = await newTask();
    await region.report(id);
    await until(() => tasksIn(listening).at(-1)?.status === 'pending_approval');
    expect(tasksIn(listening).every((task) => task.id === id)).toBe(true);
    const ids = listening.seen.map((event) => BigInt(event.id));
    expect([...ids].sort((a, b) => (a < b ? -1 : 1))).toEqual(ids);
  });

  it('replays what was missed since Last-Event-ID, on another replica', async () => {
    const first = listen(0);
    await until(() => synced(first));
    const before = await newTask();
    await until(() => tasksIn(first).length > 0);
    const lastEventId = first.seen.at(-1)?.id ?? '';
    first.stop.abort();
    const missed = await newTask();
    await region.report(missed);
    const second = listen(1, { lastEventId });
    await until(() => synced(second));
    expect(tasksIn(second)).toEqual([{ id: missed, status: 'pending_approval' }]);
    expect(tasksIn(second).some(({ id }) => id === before)).toBe(false);
  });

  it('starts afresh for an id of another history', async () => {
    const listening = listen(0, { lastEventId: '999999999' });
    await until(() => synced(listening));
    expect(listening.seen[0]).toMatchObject({ kind: 'sync', reset: true });
  });

  it('filters by task and region, and by the regions of the token', async () => {
    const id = await newTask('dc1');
    const byTask = listen(0, { taskId: id });
    const byRegion = listen(0, { regionId: 'dc2' });
    const byToken = listen(0, {}, tokenFor({ roles: ['viewer'], regions: ['dc2'] }));
    await until(() => [byTask, byRegion, byToken].every(synced));
    const other = await newTask('dc1');
    await region.apply(id, { name: 'prepared' });
    const foreign = await newTask('dc2');
    await until(() => [byTask, byRegion, byToken].every((each) => tasksIn(each).length > 0));
    expect(tasksIn(byTask).map((task) => task.id)).toEqual([id]);
    expect(tasksIn(byRegion).map((task) => task.id)).toEqual([foreign]);
    expect(tasksIn(byToken).map((task) => task.id)).toEqual([foreign]);
    expect(other).not.toBe(id);
    const refused = await call(replica(0), 'GET', '/api/v1/events?region_id=dc1', {
      token: tokenFor({ roles: ['viewer'], regions: ['dc2'] }),
    });
    expect(refused.status).toBe(403);
  });

  it('loses nothing while links break', async () => {
    const listening = listen(0);
    await until(() => synced(listening));
    const ids: string[] = [];
    for (let i = 0; i < 10; i += 1) {
      ids.push(await newTask());
      if (i === 3 || i === 6) kv.breakWatches();
    }
    await until(() => ids.every((id) => tasksIn(listening).some((task) => task.id === id)));
  }, 20_000);
});
