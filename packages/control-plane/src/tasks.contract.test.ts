import { verify } from 'jsonwebtoken';
import { checkGrant, parseTaskId } from '@lpmos/core';
import type { GrantClaims } from '@lpmos/core';
import {
  actRegion,
  actRegionClient,
  call,
  grantPair,
  IMAGE_DIGEST,
  memoryKv,
  nowSeconds,
  startReplica,
  storedHardware,
  tokenFor,
  untilReady,
} from './testing/app-bench';
import type { ActedRegion, Replica } from './testing/app-bench';
import { sampleDisk } from './testing/sample-report';
import type { MemoryKv } from '@lpmos/store';

const order = {
  region_id: 'dc1',
  target_mac: '00:1a:2b:3c:4d:5e',
  os_type: 'ubuntu',
  os_version: '22.04',
  disk_layout: 'auto',
  network_config: 'dhcp',
  tags: { environment: 'production' },
};

let kv: MemoryKv;
let replica: Replica;
let region: ActedRegion;
let lastMac = 0;

function nextMac(): string {
  lastMac += 1;
  return `02:00:00:00:${(lastMac >> 8).toString(16).padStart(2, '0')}:${(lastMac & 255).toString(16).padStart(2, '0')}`;
}

async function newTask(change: Record<string, unknown> = {}): Promise<string> {
  const { status, body } = await call(replica, 'POST', '/api/v1/tasks', {
    body: { ...order, target_mac: nextMac(), ...change },
  });
  expect(status).toBe(201);
  return body.task_id as string;
}

async function reportedTask(
  hardware = storedHardware(),
  change: Record<string, unknown> = {},
): Promise<string> {
  const id = await newTask(change);
  await region.report(id, hardware);
  return id;
}

beforeAll(async () => {
  kv = memoryKv();
  replica = await startReplica(kv);
  await untilReady(replica);
  region = actRegion(kv);
  for (const region_id of ['dc1', 'dc2', 'empty']) {
    const { status } = await call(replica, 'POST', '/api/v1/regions', { body: { region_id } });
    expect(status).toBe(201);
  }
  await actRegionClient(kv);
});

afterAll(async () => {
  await replica.stop();
  kv.close();
});

describe('POST /api/v1/tasks', () => {
  it("answers with exactly the contract's fields", async () => {
    const { status, body, headers } = await call(replica, 'POST', '/api/v1/tasks', { body: order });
    expect(status).toBe(201);
    expect(body).toEqual({
      task_id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      status: 'pending',
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/),
      links: { self: `/api/v1/tasks/${body.task_id}`, approve: `/api/v1/tasks/${body.task_id}/approve` },
    });
    expect(headers.get('location')).toBe(body.links.self);
    expect(headers.get('lpmos-revision')).toMatch(/^\d+$/);
  });

  it('names an unknown region as a field', async () => {
    const { status, body } = await call(replica, 'POST', '/api/v1/tasks', {
      body: { ...order, target_mac: nextMac(), region_id: 'nowhere' },
    });
    expect(status).toBe(400);
    expect(body.errors).toEqual([{ path: 'region_id', problem: expect.stringContaining('not registered') }]);
  });

  it('refuses a second active task for a machine in any notation of its MAC and names the first', async () => {
    const target_mac = nextMac();
    const id = await newTask({ target_mac });
    const { status, body, headers } = await call(replica, 'POST', '/api/v1/tasks', {
      body: { ...order, target_mac: target_mac.toUpperCase().replaceAll(':', '-') },
    });
    expect(status).toBe(409);
    expect(body).toMatchObject({ code: 'already_exists', details: { task_id: id } });
    expect(headers.get('link')).toBe(`</api/v1/tasks/${id}>; rel="related"`);
    await call(replica, 'DELETE', `/api/v1/tasks/${id}`);
    await newTask({ target_mac });
  });

  it('lists every problem in a problem body', async () => {
    const { status, body, headers } = await call(replica, 'POST', '/api/v1/tasks', {
      body: { region_id: 'DC1', target_mac: 'x', status: 'approved' },
      headers: { 'idempotency-key': 'has space' },
    });
    expect(status).toBe(400);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body.errors.map((each: { path: string }) => each.path).sort()).toEqual([
      'idempotency-key',
      'os_type',
      'os_version',
      'region_id',
      'status',
      'target_mac',
    ]);
    expect(body).toMatchObject({
      code: 'invalid_argument',
      status: 400,
      type: 'urn:lpmos:problem:invalid_argument',
    });
    expect(body.request_id).toBe(headers.get('x-request-id'));
  });

  describe('with Idempotency-Key', () => {
    const headers = { 'idempotency-key': 'k-1' };
    const body = { ...order, target_mac: '02:11:11:11:11:11' };

    it('answers repeats with the first answer, whatever became of the task', async () => {
      const first = await call(replica, 'POST', '/api/v1/tasks', { body, headers });
      await region.report(first.body.task_id as string);
      const again = await call(replica, 'POST', '/api/v1/tasks', { body, headers });
      expect(again.status).toBe(201);
      expect(again.text).toBe(first.text);
    });

    it('takes another notation of the same request for the same request', async () => {
      const { status } = await call(replica, 'POST', '/api/v1/tasks', {
        body: { ...body, target_mac: '0211.1111.1111' },
        headers,
      });
      expect(status).toBe(201);
    });

    it('refuses another request under the same key', async () => {
      const reply = await call(replica, 'POST', '/api/v1/tasks', {
        body: { ...body, os_version: '24.04' },
        headers,
      });
      expect(reply.status).toBe(422);
      expect(reply.body.code).toBe('idempotency_mismatch');
    });

    it('keeps the keys of two users apart', async () => {
      const token = tokenFor({ subject: 'other@example.com', roles: ['operator'] });
      const reply = await call(replica, 'POST', '/api/v1/tasks', {
        body: { ...body, target_mac: nextMac() },
        headers,
        token,
      });
      expect(reply.status).toBe(201);
    });
  });
});

describe('GET /api/v1/tasks/{task_id}', () => {
  it('shows the task with hardware and timeline, and never the grant', async () => {
    const id = await reportedTask(storedHardware(), {
      hostname: 'web-7',
      boot: { exit_method: 'silent', order: 'unchanged' },
    });
    await call(replica, 'PUT', `/api/v1/tasks/${id}/approve`, { body: { approved: true } });
    const { status, body, headers, text } = await call(replica, 'GET', `/api/v1/tasks/${id}`);
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(
      [
        'approval',
        'hardware',
        'hardware_digest',
        'metadata',
        'run',
        'status',
        'task_id',
        'timeline',
        'version',
      ].sort(),
    );
    expect(body).toMatchObject({
      task_id: id,
      status: 'approved',
      metadata: {
        ...{ region_id: 'dc1', os_type: 'ubuntu', os_version: '22.04', hostname: 'web-7' },
        boot: { exit_method: 'silent', order: 'unchanged' },
      },
      hardware: { cpu: { model: 'Intel Xeon E5-2680 v4', cores: 28 }, disks: [{ serial: 'S3Z1NB0K100001' }] },
    });
    expect(body.timeline.map((each: { event: string }) => each.event)).toEqual([
      'task_created',
      'prepared',
      'boot_contacted',
      'hardware_reported',
      'approved',
    ]);
    expect(headers.get('etag')).toBe(`"${body.version}"`);
    expect(text).not.toMatch(/eyJ|schema_version|"grant"|session-1/);
  });

  it('answers 404 for a task that is not there and 400 for an id that is none', async () => {
    const missing = await call(replica, 'GET', '/api/v1/tasks/5891b5b5-22d5-8df0-86d0-ff0b110fbd9d');
    expect([missing.status, missing.body.code]).toEqual([404, 'not_found']);
    const wrong = await call(replica, 'GET', '/api/v1/tasks/17');
    expect([wrong.status, wrong.body.errors[0].path]).toEqual([400, 'task_id']);
  });
});

describe('GET /api/v1/tasks', () => {
  it("answers with exactly the contract's fields", async () => {
    const target_mac = nextMac();
    const id = await newTask({ target_mac });
    const { body } = await call(replica, 'GET', `/api/v1/tasks?target_mac=${target_mac}&limit=50&offset=0`);
    expect(body).toEqual({
      tasks: [{ task_id: id, status: 'pending', region_id: 'dc1', created_at: expect.any(String) }],
      total: 1,
      limit: 50,
      offset: 0,
    });
  });

  it('filters by region, status and tags and shows more when asked', async () => {
    const id = await newTask({ region_id: 'dc2', tags: { team: 'a', stage: 'x' } });
    await newTask({ region_id: 'dc2', tags: { team: 'a' } });
    const path =
      '/api/v1/tasks?region_id=dc2&status=pending&status=ready,booting&tag=team:a&tag=stage:x&view=full';
    const { body } = await call(replica, 'GET', path);
    expect(body.total).toBe(1);
    expect(body.tasks[0]).toMatchObject({ task_id: id, os_type: 'ubuntu', tags: { team: 'a', stage: 'x' } });
  });

  it('pages by cursor and by offset over the same order', async () => {
    for (let i = 0; i < 5; i += 1) await newTask({ tags: { page: 'p' } });
    const ids = async (query: string): Promise<string[]> =>
      (await call(replica, 'GET', `/api/v1/tasks?tag=page:p&${query}`)).body.tasks.map(
        (task: { task_id: string }) => task.task_id,
      );
    const all = await ids('limit=200');
    expect(all).toHaveLength(5);
    expect([
      ...(await ids('limit=2')),
      ...(await ids('limit=2&offset=2')),
      ...(await ids('limit=2&offset=4')),
    ]).toEqual(all);
    const paged: string[] = [];
    let cursor = '';
    for (;;) {
      const { body } = await call(replica, 'GET', `/api/v1/tasks?tag=page:p&limit=2${cursor}`);
      paged.push(...body.tasks.map((task: { task_id: string }) => task.task_id));
      if (body.next_cursor === undefined) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    expect(paged).toEqual(all);
  });

  it('shows only the regions of the token', async () => {
    const token = tokenFor({ roles: ['viewer'], regions: ['dc2'] });
    const { body } = await call(replica, 'GET', '/api/v1/tasks?limit=200', { token });
    expect(new Set(body.tasks.map((task: { region_id: string }) => task.region_id))).toEqual(
      new Set(['dc2']),
    );
    expect((await call(replica, 'GET', '/api/v1/tasks?region_id=dc1', { token })).status).toBe(403);
  });
});

describe('PUT /api/v1/tasks/{task_id}/approve', () => {
  it("answers with the contract's fields and yields a grant that the agent's check accepts", async () => {
    const id = await reportedTask();
    const { status, body } = await call(replica, 'PUT', `/api/v1/tasks/${id}/approve`, {
      body: { approved: true, notes: 'Hardware verified, proceed with installation' },
    });
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual(['approval', 'details', 'next_status', 'task_id']);
    expect(body).toMatchObject({
      task_id: id,
      approval: { status: 'approved', approved_by: 'admin@example.com', approved_at: expect.any(String) },
      next_status: 'installing',
      details: { disk: { serial: 'S3Z1NB0K100001' }, image_digest: IMAGE_DIGEST },
    });
    expect(Object.keys(body.approval)).toHaveLength(3);
    const grant = (await region.tasks.read(parseTaskId(id)))?.grant ?? '';
    const claims = verify(grant, grantPair.publicKey, { algorithms: ['ES256'] }) as unknown as GrantClaims;
    const situation = {
      taskId: parseTaskId(id),
      hardwareDigest: storedHardware().digest,
      imageDigest: IMAGE_DIGEST,
      attempt: 1,
      disks: [sampleDisk({ device: '/dev/sdq' })],
      nowSeconds: nowSeconds(),
    };
    expect(checkGrant(claims, situation)).toHaveProperty('disk');
  });

  it('gives the first answer to the same approval again and refuses another', async () => {
    const id = await reportedTask();
    const body = { approved: true, notes: 'n' };
    const { body: task } = await call(replica, 'GET', `/api/v1/tasks/${id}`);
    const headers = { 'if-match': `"${task.version}"` };
    const first = await call(replica, 'PUT', `/api/v1/tasks/${id}/approve`, { body, headers });
    const again = await call(replica, 'PUT', `/api/v1/tasks/${id}/approve`, { body, headers });
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body).toEqual(first.body);
    const token = tokenFor({ subject: 'other', roles: ['approver'] });
    const other = await call(replica, 'PUT', `/api/v1/tasks/${id}/approve`, { body, token });
    expect([other.status, other.body.code]).toEqual([409, 'not_allowed_in_state']);
  });

  it('refuses a version that is no longer, before anything is written', async () => {
    const id = await reportedTask();
    const { body: seen } = await call(replica, 'GET', `/api/v1/tasks/${id}`);
    const changed = storedHardware({ bios: { vendor: 'Dell Inc.', version: '2.11.0', serial: 'SN123456' } });
    await region.apply(id, { name: 'hardware_reported', hardware: changed, sessionId: 'session-1' });
    const path = `/api/v1/tasks/${id}/approve`;
    const reply = await call(replica, 'PUT', path, {
      body: { approved: true },
      headers: { 'if-match': `"${seen.version}"` },
    });
    expect([reply.status, reply.body.code]).toEqual([412, 'stale']);
    expect((await region.tasks.read(parseTaskId(id)))?.status).toBe('pending_approval');
    const weak = await call(replica, 'PUT', path, {
      body: { approved: true },
      headers: { 'if-match': `W/"${reply.body.details.version}"` },
    });
    expect(weak.status).toBe(412);
    const right = await call(replica, 'PUT', path, {
      body: { approved: true },
      headers: { 'if-match': `"1", "${reply.body.details.version}"` },
    });
    expect(right.status).toBe(200);
  });

  it('rejects with approved: false', async () => {
    const id = await reportedTask();
    const { status, body } = await call(replica, 'PUT', `/api/v1/tasks/${id}/approve`, {
      body: { approved: false, notes: 'too small' },
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      task_id: id,
      approval: {
        status: 'rejected',
        rejected_by: 'admin@example.com',
        rejected_at: expect.any(String),
        reason: 'too small',
      },
    });
  });

  it('needs exactly one disk, and takes a selector that names it', async () => {
    const disks = [sampleDisk(), sampleDisk({ device: '/dev/sdb', serial: 'B', wwn: '0xb', type: 'HDD' })];
    const id = await reportedTask(storedHardware({ disks }));
    const path = `/api/v1/tasks/${id}/approve`;
    const vague = await call(replica, 'PUT', path, { body: { approved: true } });
    expect([vague.status, vague.body.code]).toEqual([409, 'not_allowed_in_state']);
    expect(vague.body.detail).toContain('2 disks match');
    const wrong = await call(replica, 'PUT', path, { body: { approved: true, target_disk: '/dev/sda' } });
    expect([wrong.status, wrong.body.errors[0].path]).toEqual([400, 'target_disk']);
    const right = await call(replica, 'PUT', path, { body: { approved: true, target_disk: 'serial=B' } });
    expect(right.body.details.disk.serial).toBe('B');
  });

  it.each([
    ['a disk that is too small', [sampleDisk({ size_bytes: 1_000_000_000 })], 'smaller than the image'],
    [
      'two disks of one serial',
      [sampleDisk(), sampleDisk({ device: '/dev/sdb', type: 'HDD' })],
      'could not tell them apart',
    ],
  ])('refuses %s', async (_name, disks, words) => {
    const id = await reportedTask(storedHardware({ disks }), { disk_layout: 'type=ssd' });
    const reply = await call(replica, 'PUT', `/api/v1/tasks/${id}/approve`, { body: { approved: true } });
    expect(reply.status).toBe(409);
    expect(reply.body.detail).toContain(words);
  });

  it('refuses when the region has no such image and says which it has', async () => {
    const id = await reportedTask(storedHardware(), { os_version: '99.04' });
    const reply = await call(replica, 'PUT', `/api/v1/tasks/${id}/approve`, { body: { approved: true } });
    expect([reply.status, reply.body.code]).toEqual([409, 'not_allowed_in_state']);
    expect(reply.body.detail).toContain('it offers ubuntu 22.04');
  });

  it('refuses before the hardware is known', async () => {
    const id = await newTask();
    const reply = await call(replica, 'PUT', `/api/v1/tasks/${id}/approve`, { body: { approved: true } });
    expect([reply.status, reply.body.details.status]).toEqual([409, 'pending']);
  });
});

describe('PUT /api/v1/tasks/{task_id}/reject', () => {
  it("answers with exactly the contract's fields, again when repeated", async () => {
    const id = await reportedTask();
    const path = `/api/v1/tasks/${id}/reject`;
    const first = await call(replica, 'PUT', path, { body: { reason: 'Insufficient disk space' } });
    expect(first.status).toBe(200);
    expect(first.body).toEqual({
      task_id: id,
      approval: {
        status: 'rejected',
        rejected_by: 'admin@example.com',
        rejected_at: expect.any(String),
        reason: 'Insufficient disk space',
      },
    });
    const again = await call(replica, 'PUT', path, { body: { reason: 'Insufficient disk space' } });
    expect(again.body).toEqual(first.body);
  });

  it('needs a reason and a task that waits for one', async () => {
    const id = await newTask();
    const empty = await call(replica, 'PUT', `/api/v1/tasks/${id}/reject`, { body: { reason: '' } });
    expect([empty.status, empty.body.errors[0].path]).toEqual([400, 'reason']);
    const early = await call(replica, 'PUT', `/api/v1/tasks/${id}/reject`, { body: { reason: 'x' } });
    expect(early.status).toBe(409);
  });
});

describe('DELETE /api/v1/tasks/{task_id}', () => {
  const statusOf = async (id: string): Promise<unknown> => (await region.tasks.read(parseTaskId(id)))?.status;

  it('cancels with 204 and an empty body, and again', async () => {
    const id = await newTask();
    for (let i = 0; i < 2; i += 1) {
      const { status, text } = await call(replica, 'DELETE', `/api/v1/tasks/${id}`);
      expect([status, text]).toEqual([204, '']);
    }
    expect(await statusOf(id)).toBe('cancelled');
  });

  it('asks the region while the agent writes', async () => {
    const id = await reportedTask();
    await call(replica, 'PUT', `/api/v1/tasks/${id}/approve`, { body: { approved: true } });
    await region.apply(id, { name: 'install_started', sessionId: 'session-1' });
    for (let i = 0; i < 2; i += 1)
      expect((await call(replica, 'DELETE', `/api/v1/tasks/${id}`)).status).toBe(204);
    const { body } = await call(replica, 'GET', `/api/v1/tasks/${id}`);
    expect(body.status).toBe('installing');
    expect(body.run.cancellation.by).toBe('admin@example.com');
    expect(body.timeline.filter((each: { event: string }) => each.event === 'cancel_requested')).toHaveLength(
      1,
    );
  });

  it('refuses what has ended otherwise', async () => {
    const id = await reportedTask();
    await call(replica, 'PUT', `/api/v1/tasks/${id}/reject`, { body: { reason: 'no' } });
    const { status, body } = await call(replica, 'DELETE', `/api/v1/tasks/${id}`);
    expect([status, body.code, body.details.status]).toEqual([409, 'not_allowed_in_state', 'rejected']);
  });

  it('refuses a stale If-Match', async () => {
    const id = await newTask();
    expect(
      (await call(replica, 'DELETE', `/api/v1/tasks/${id}`, { headers: { 'if-match': '"1"' } })).status,
    ).toBe(412);
  });
});

describe('timeline and explain', () => {
  it('tells the request id and the actor of each step', async () => {
    const { body: created } = await call(replica, 'POST', '/api/v1/tasks', {
      body: { ...order, target_mac: nextMac() },
      headers: { 'x-request-id': 'trace-1' },
    });
    const { body } = await call(replica, 'GET', `/api/v1/tasks/${created.task_id}/timeline`);
    expect(body.timeline).toEqual([
      {
        timestamp: created.created_at,
        event: 'task_created',
        seq: 0,
        to: 'pending',
        actor: 'admin@example.com',
        request_id: 'trace-1',
      },
    ]);
  });

  it('says whose move it is, what would boot and what is allowed', async () => {
    const id = await reportedTask();
    const { body } = await call(replica, 'GET', `/api/v1/tasks/${id}/explain`);
    expect(body).toMatchObject({
      task_id: id,
      status: 'pending_approval',
      whose_move: 'operator',
      on_deadline: 'failed',
      stalled: false,
      region: { region_id: 'dc1', online: true },
      next_boot: { decision: 'agent', purpose: 'report' },
    });
    expect(body.allowed_now.map((each: { event: string }) => each.event).sort()).toEqual([
      'approved',
      'cancelled',
      'rejected',
    ]);
  });

  it('shows a task of a region without a live daemon as stalled', async () => {
    const id = await newTask({ region_id: 'empty' });
    const { body } = await call(replica, 'GET', `/api/v1/tasks/${id}/explain`);
    expect(body).toMatchObject({ stalled: true, region: { online: false }, next_boot: { decision: 'wait' } });
  });

  it('says that an approved machine would install', async () => {
    const id = await reportedTask();
    await call(replica, 'PUT', `/api/v1/tasks/${id}/approve`, { body: { approved: true } });
    const { body } = await call(replica, 'GET', `/api/v1/tasks/${id}/explain`);
    expect(body.next_boot).toMatchObject({ decision: 'agent', purpose: 'install' });
  });
});

describe('regions', () => {
  it('registers once, lists and shows', async () => {
    const body = { region_id: 'dc9', display_name: 'Ninth' };
    const first = await call(replica, 'POST', '/api/v1/regions', { body });
    expect([first.status, first.headers.get('location')]).toEqual([201, '/api/v1/regions/dc9']);
    expect(first.body).toMatchObject({ region_id: 'dc9', display_name: 'Ninth', online: false, images: [] });
    const again = await call(replica, 'POST', '/api/v1/regions', { body });
    expect([again.status, again.body.code]).toEqual([409, 'already_exists']);
    const list = await call(replica, 'GET', '/api/v1/regions');
    expect(list.body.regions.map((each: { region_id: string }) => each.region_id)).toContain('dc9');
    const dc1 = await call(replica, 'GET', '/api/v1/regions/dc1');
    expect(dc1.body).toMatchObject({ online: true, images: [{ os_type: 'ubuntu', os_version: '22.04' }] });
    expect((await call(replica, 'GET', '/api/v1/regions/none')).status).toBe(404);
  });
});
