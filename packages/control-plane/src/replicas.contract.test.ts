/** Two replicas over one store must look like one: nothing a client was told by either may be denied by the other. */
import { LpmosError, parseTaskId } from '@lpmos/core';
import type { Kv, MemoryKv, Txn, TxnOutcome } from '@lpmos/store';
import {
  actRegion,
  actRegionClient,
  call,
  memoryKv,
  startReplica,
  storedHardware,
  tokenFor,
  untilReady,
} from './testing/app-bench';
import type { ActedRegion, Replica } from './testing/app-bench';

const order = { region_id: 'dc1', os_type: 'ubuntu', os_version: '22.04' };

/** A link to the store that can be made to fail, per replica. */
interface FaultyKv extends Kv {
  fault?: ((txn: Txn, send: () => Promise<TxnOutcome>) => Promise<TxnOutcome>) | undefined;
  down: boolean;
}

function faulty(kv: Kv): FaultyKv {
  const unavailable = (): Promise<never> =>
    Promise.reject(new LpmosError({ code: 'unavailable', message: 'etcd cannot be asked now; try again' }));
  const link: FaultyKv = {
    ...kv,
    down: false,
    range: (request) => (link.down ? unavailable() : kv.range(request)),
    txn: (txn) => {
      if (link.down)
        return unavailable().catch((error: LpmosError) => ({ kind: 'refused', error, leaseGone: false }));
      // Transactions that write nothing are reads of several keys.
      if (link.fault === undefined || txn.then.length === 0) return kv.txn(txn);
      return link.fault(txn, () => kv.txn(txn));
    },
  };
  return link;
}

let kv: MemoryKv;
let links: FaultyKv[];
let replicas: Replica[];
let region: ActedRegion;
let macs = 0;

const replica = (index: number): Replica => replicas[index % 2] as Replica;
const link = (index: number): FaultyKv => links[index] as FaultyKv;
const nextMac = (): string =>
  `02:00:00:01:${((macs += 1) >> 8).toString(16).padStart(2, '0')}:${(macs & 255).toString(16).padStart(2, '0')}`;

async function newTask(): Promise<string> {
  const { body } = await call(replica(0), 'POST', '/api/v1/tasks', {
    body: { ...order, target_mac: nextMac() },
  });
  return body.task_id as string;
}

beforeAll(async () => {
  kv = memoryKv();
  links = [faulty(kv), faulty(kv)];
  replicas = await Promise.all(links.map((each) => startReplica(each)));
  await Promise.all(replicas.map(untilReady));
  region = actRegion(kv);
  await call(replica(0), 'POST', '/api/v1/regions', { body: { region_id: 'dc1' } });
  await actRegionClient(kv);
});

afterEach(() => {
  for (const each of links) {
    each.down = false;
    each.fault = undefined;
  }
});

afterAll(async () => {
  await Promise.all(replicas.map((each) => each.stop()));
  kv.close();
});

describe('two replicas', () => {
  it('show what the other just wrote: create here, list, read, approve and list there', async () => {
    for (let i = 0; i < 30; i += 1) {
      const target_mac = nextMac();
      const { body } = await call(replica(i), 'POST', '/api/v1/tasks', { body: { ...order, target_mac } });
      const id = body.task_id as string;
      const list = await call(replica(i + 1), 'GET', `/api/v1/tasks?target_mac=${target_mac}`);
      expect(list.body.total).toBe(1);
      await region.report(id);
      const approved = await call(replica(i + 1), 'PUT', `/api/v1/tasks/${id}/approve`, {
        body: { approved: true },
      });
      expect(approved.status).toBe(200);
      const again = await call(replica(i), 'GET', `/api/v1/tasks?target_mac=${target_mac}&status=approved`);
      expect(again.body.total).toBe(1);
      expect((await call(replica(i), 'GET', `/api/v1/tasks/${id}`)).body.status).toBe('approved');
    }
  });

  it('create one task of one key, wherever the repeats go', async () => {
    const body = { ...order, target_mac: nextMac() };
    const headers = { 'idempotency-key': 'same' };
    const replies = await Promise.all(
      Array.from({ length: 16 }, (_, i) => call(replica(i), 'POST', '/api/v1/tasks', { body, headers })),
    );
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 201));
    expect(new Set(replies.map(({ text }) => text)).size).toBe(1);
  });

  it('create one task for one machine without a key', async () => {
    const body = { ...order, target_mac: nextMac() };
    const replies = await Promise.all(
      Array.from({ length: 16 }, (_, i) => call(replica(i), 'POST', '/api/v1/tasks', { body })),
    );
    const created = replies.filter(({ status }) => status === 201);
    expect(created).toHaveLength(1);
    for (const reply of replies.filter(({ status }) => status !== 201)) {
      expect([reply.status, reply.body.details.task_id]).toEqual([409, created[0]?.body.task_id]);
    }
  });

  it('let exactly one of approve and cancel win a race, and no grant outlives a cancellation', async () => {
    const winners = { approve: 0, cancel: 0, both: 0 };
    for (let i = 0; i < 60; i += 1) {
      const id = await newTask();
      const { version } = await region.report(id);
      const headers = { 'if-match': `"${version}"` };
      const [approve, cancel] = await Promise.all([
        call(replica(i), 'PUT', `/api/v1/tasks/${id}/approve`, { body: { approved: true }, headers }),
        call(replica(i + 1), 'DELETE', `/api/v1/tasks/${id}`, { headers }),
      ]);
      const task = await region.tasks.read(parseTaskId(id));
      const won = [approve.status === 200, cancel.status === 204];
      expect(won.filter(Boolean)).toHaveLength(1);
      expect(task?.status).toBe(won[0] ? 'approved' : 'cancelled');
      expect(task?.grant === undefined).toBe(won[1]);
      expect([409, 412]).toContain(won[0] ? cancel.status : approve.status);
      winners[won[0] ? 'approve' : 'cancel'] += 1;
    }
    expect(winners.approve + winners.cancel).toBe(60);
  });

  it('name the decision that got in first to who cancels without If-Match', async () => {
    const id = await newTask();
    await region.report(id);
    link(1).fault = async (_txn, send) => {
      link(1).fault = undefined;
      const { status } = await call(replica(0), 'PUT', `/api/v1/tasks/${id}/approve`, {
        body: { approved: true },
      });
      expect(status).toBe(200);
      return send();
    };
    const reply = await call(replica(1), 'DELETE', `/api/v1/tasks/${id}`);
    expect([reply.status, reply.body.code, reply.body.details.decision]).toEqual([
      409,
      'conflict',
      'approved',
    ]);
  });

  it('cancel nevertheless when only the region moved the task meanwhile', async () => {
    const id = await newTask();
    link(1).fault = async (_txn, send) => {
      link(1).fault = undefined;
      await region.apply(id, { name: 'prepared' });
      return send();
    };
    expect((await call(replica(1), 'DELETE', `/api/v1/tasks/${id}`)).status).toBe(204);
  });

  it('void an approval of hardware that was reported anew meanwhile', async () => {
    const id = await newTask();
    await region.report(id);
    const hardware = storedHardware({ memory: { total_gb: 1, dimms: [] } });
    link(1).fault = async (_txn, send) => {
      link(1).fault = undefined;
      await region.apply(id, { name: 'hardware_reported', hardware, sessionId: 'session-2' });
      return send();
    };
    const reply = await call(replica(1), 'PUT', `/api/v1/tasks/${id}/approve`, { body: { approved: true } });
    expect([reply.status, reply.body.code]).toEqual([409, 'conflict']);
    expect((await region.tasks.read(parseTaskId(id)))?.grant).toBeUndefined();
  });
});

describe('a store that answers badly', () => {
  const lost = (): TxnOutcome => ({ kind: 'unknown', cause: new Error('the link broke') });

  it('an approval that landed though the answer was lost is a success', async () => {
    const id = await newTask();
    await region.report(id);
    link(0).fault = async (_txn, send) => {
      link(0).fault = undefined;
      await send();
      return lost();
    };
    const reply = await call(replica(0), 'PUT', `/api/v1/tasks/${id}/approve`, { body: { approved: true } });
    expect([reply.status, reply.body.next_status]).toEqual([200, 'installing']);
    expect(
      (await region.tasks.read(parseTaskId(id)))?.timeline.filter(({ event }) => event === 'approved'),
    ).toHaveLength(1);
  });

  it('a write that never left is sent again', async () => {
    const target_mac = nextMac();
    link(0).fault = () => {
      link(0).fault = undefined;
      return Promise.resolve(lost());
    };
    const reply = await call(replica(0), 'POST', '/api/v1/tasks', { body: { ...order, target_mac } });
    expect(reply.status).toBe(201);
  });

  it('a creation that landed though the answer was lost is a success, once', async () => {
    const target_mac = nextMac();
    link(0).fault = async (_txn, send) => {
      link(0).fault = undefined;
      await send();
      return lost();
    };
    const reply = await call(replica(0), 'POST', '/api/v1/tasks', { body: { ...order, target_mac } });
    expect(reply.status).toBe(201);
    expect((await call(replica(1), 'GET', `/api/v1/tasks?target_mac=${target_mac}`)).body.total).toBe(1);
  });

  it('what stays unknown is said so, with Retry-After and the id to look at', async () => {
    const id = await newTask();
    link(0).fault = () => {
      link(0).down = true;
      return Promise.resolve(lost());
    };
    const reply = await call(replica(0), 'DELETE', `/api/v1/tasks/${id}`);
    expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '2']);
    expect(['outcome_unknown', 'unavailable']).toContain(reply.body.code);
    expect(reply.body.details).toMatchObject({ task_id: id });
  });

  it('etcd away: every operation that needs it is 503 with Retry-After and nothing is half done', async () => {
    const id = await newTask();
    await region.report(id);
    const before = await region.tasks.read(parseTaskId(id));
    link(0).down = true;
    const asked: [string, string, unknown][] = [
      ['POST', '/api/v1/tasks', { ...order, target_mac: nextMac() }],
      ['GET', '/api/v1/tasks', undefined],
      ['GET', `/api/v1/tasks/${id}`, undefined],
      ['GET', `/api/v1/tasks/${id}/explain`, undefined],
      ['PUT', `/api/v1/tasks/${id}/approve`, { approved: true }],
      ['PUT', `/api/v1/tasks/${id}/reject`, { reason: 'x' }],
      ['DELETE', `/api/v1/tasks/${id}`, undefined],
      ['GET', '/api/v1/regions', undefined],
      ['POST', '/api/v1/regions', { region_id: 'dc3' }],
    ];
    for (const [method, path, body] of asked) {
      const reply = await call(replica(0), method, path, { body });
      expect([method, path, reply.status, reply.body.code]).toEqual([method, path, 503, 'unavailable']);
      expect(reply.headers.get('retry-after')).toBe('2');
    }
    expect((await call(replica(0), 'GET', '/healthz')).status).toBe(200);
    expect(await region.tasks.read(parseTaskId(id))).toEqual(before);
  });
});

it('takes a token of either role on either replica', async () => {
  const token = tokenFor({ roles: ['viewer'] });
  for (const each of replicas) expect((await call(each, 'GET', '/api/v1/tasks', { token })).status).toBe(200);
});
