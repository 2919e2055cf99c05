import { parseMacAddress, parseRegionId } from '@lpmos/core';
import type { MachineBoots } from '@lpmos/core';
import { createBootStore } from '@lpmos/store';
import type { MemoryKv } from '@lpmos/store';
import {
  actRegion,
  actRegionClient,
  call,
  memoryKv,
  startReplica,
  tokenFor,
  untilReady,
} from './testing/app-bench';
import type { Replica } from './testing/app-bench';

const MAC = parseMacAddress('02:00:00:00:00:01');
const RECORD: MachineBoots['records'][number] = {
  first_at: '2026-01-29T10:00:00.000Z',
  last_at: '2026-01-29T10:00:28.000Z',
  count: 4,
  protocol: 'dhcp',
  stage: 'firmware',
  request: 'DHCPDISCOVER',
  decision: 'agent',
  outcome: 'answered',
  reason: 'DHCPOFFER 10.77.0.5, loader undionly.kpxe: ready',
  peer: '0.0.0.0',
};

let kv: MemoryKv;
let replica: Replica;

beforeAll(async () => {
  kv = memoryKv();
  replica = await startReplica(kv);
  await untilReady(replica);
  for (const region_id of ['dc1', 'dc2']) {
    expect((await call(replica, 'POST', '/api/v1/regions', { body: { region_id } })).status).toBe(201);
  }
  await actRegionClient(kv);
  await remember('dc1');
});
afterAll(async () => {
  await replica.stop();
  kv.close();
});

/** As the leading daemon of the region does. */
async function remember(region: string, mac = MAC): Promise<void> {
  const leader = await kv.txn({
    compares: [],
    then: [{ op: 'put', key: `/lpmos/regions/${region}/leader`, value: 'daemon-a' }],
    otherwise: [],
  });
  if (leader.kind !== 'done') throw new Error('no leader');
  // A leader that is elected anew has the key's first revision as its token.
  const { entries } = await kv.range({ range: { start: `/lpmos/regions/${region}/leader` }, limit: 1 });
  const outcome = await createBootStore({ kv }).write(
    { boots: [{ schema_version: 1, mac, known: true, dropped: 2, records: [RECORD] }], forget: [] },
    { regionId: parseRegionId(region), token: String(entries[0]?.createRevision) },
  );
  expect(outcome.kind).toBe('done');
}

const boots = (mac: string, more = '', token = tokenFor()) =>
  call(replica, 'GET', `/api/v1/machines/${mac}/boots${more}`, { token });

it.each(['02:00:00:00:00:01', '02-00-00-00-00-01', '0200.0000.0001', '020000000001'])(
  'shows the boots of %s, whatever the notation',
  async (notation) => {
    const { status, body } = await boots(notation);
    expect(status).toBe(200);
    expect(body).toEqual({
      mac: MAC,
      regions: [
        {
          region_id: 'dc1',
          online: true,
          boots: [RECORD],
          dropped: 2,
          next_boot: { decision: 'silent', reason: 'no task and no assignment names this machine' },
        },
      ],
    });
  },
);

it('says what the machine would boot now, from the task of that region alone', async () => {
  await remember('dc2');
  const order = {
    target_mac: MAC,
    os_type: 'ubuntu',
    os_version: '22.04',
    disk_layout: 'auto',
    network_config: 'dhcp',
  };
  const created = await call(replica, 'POST', '/api/v1/tasks', { body: { ...order, region_id: 'dc1' } });
  await actRegion(kv).report(created.body.task_id as string);
  const task = { task_id: created.body.task_id as string, status: 'pending_approval', attempt: 0 };
  // The list of tasks is a watched copy: ask for what was written.
  const headers = {
    'lpmos-min-revision': (await call(replica, 'GET', `/api/v1/tasks/${task.task_id}`)).body
      .version as string,
  };
  const { body } = await call(replica, 'GET', `/api/v1/machines/${MAC}/boots`, { headers });
  expect(body.regions).toMatchObject([
    { region_id: 'dc1', task, next_boot: { decision: 'agent', purpose: 'report' } },
    { region_id: 'dc2', online: false, next_boot: { decision: 'silent' } },
  ]);
  expect(body.regions[1]).not.toHaveProperty('task');
  const one = await boots(MAC, '?region_id=dc2');
  expect(one.body.regions.map((each: { region_id: string }) => each.region_id)).toEqual(['dc2']);
});

it('answers 404 with what to check for a machine that nobody knows', async () => {
  const { status, body } = await boots('02:00:00:00:00:99');
  expect([status, body.code]).toEqual([404, 'not_found']);
  for (const word of ['network boot', 'firmware', 'lpmos doctor', '02:00:00:00:00:99']) {
    expect(body.detail).toContain(word);
  }
  expect(body.detail).toMatch(/^No region has seen a boot request/);
});

it('says of a parameter that is given twice what was done, and not what it became', async () => {
  const { status, body } = await boots('02:00:00:00:00:99', '?region_id=dc1&region_id=dc2');
  expect([status, body.errors]).toEqual([
    400,
    [{ path: 'region_id', problem: 'is given more than once; keep one' }],
  ]);
});

it('shows nothing of regions that the token may not see', async () => {
  const limited = tokenFor({ roles: ['viewer'], regions: ['dc2'] });
  const { body } = await boots(MAC, '', limited);
  expect(body.regions.map((each: { region_id: string }) => each.region_id)).toEqual(['dc2']);
  expect((await boots(MAC, '?region_id=dc1', limited)).status).toBe(404);
});

it.each([
  ['a group address', '01:00:5e:00:00:01', ''],
  ['no address', 'nonsense', ''],
  ['an unknown parameter', MAC, '?days=3'],
  ['a wrong region', MAC, '?region_id=../x'],
])('refuses %s', async (_what, mac, more) => {
  const { status, body } = await boots(mac, more);
  expect([status, body.code]).toEqual([400, 'invalid_argument']);
});

it('leaves out a history that does not decode, and still says what boots', async () => {
  const key = `/lpmos/regions/dc1/boots/${MAC}`;
  await kv.txn({ compares: [], then: [{ op: 'put', key, value: '{"schema_version":2}' }], otherwise: [] });
  const { status, body } = await boots(MAC, '?region_id=dc1');
  expect([status, body.regions[0].boots]).toEqual([200, []]);
});
