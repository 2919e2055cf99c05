import { connect } from 'node:net';
import { OPERATION_IDS, ROLES, routeSpec } from '@lpmos/api';
import type { OperationId } from '@lpmos/api';
import { createMetrics, silentLogger } from '@lpmos/runtime';
import type { MemoryKv } from '@lpmos/store';
import { createApp, expressPath } from './app';
import type { Handlers } from './http/context';
import {
  actRegion,
  actRegionClient,
  call,
  keysOf,
  memoryKv,
  startReplica,
  tokenFor,
  tokenPair,
  until,
  untilReady,
} from './testing/app-bench';
import type { Replica, Reply } from './testing/app-bench';

let kv: MemoryKv;
let replica: Replica;
let taskId: string;
let foreignTaskId: string;

const order = { region_id: 'dc1', target_mac: '00:1a:2b:3c:4d:5e', os_type: 'ubuntu', os_version: '22.04' };

beforeAll(async () => {
  kv = memoryKv();
  replica = await startReplica(kv);
  await untilReady(replica);
  for (const region_id of ['dc1', 'dc2'])
    await call(replica, 'POST', '/api/v1/regions', { body: { region_id } });
  await actRegionClient(kv);
  taskId = (await call(replica, 'POST', '/api/v1/tasks', { body: order })).body.task_id;
  const foreign = { ...order, region_id: 'dc2', target_mac: '00:1a:2b:3c:4d:5f' };
  foreignTaskId = (await call(replica, 'POST', '/api/v1/tasks', { body: foreign })).body.task_id;
  await actRegion(kv).report(taskId);
});

afterAll(async () => {
  await replica.stop();
  kv.close();
});

function pathOf(operationId: OperationId, id = taskId): string {
  return routeSpec(operationId).path.replace('{task_id}', id).replace('{region_id}', 'dc1');
}

/** Asks without changing anything: a body that is wrong, so that whoever gets past authorisation meets a 400. */
async function knock(operationId: OperationId, token: string | null): Promise<number> {
  const route = routeSpec(operationId);
  const options = route.body === undefined ? {} : { body: {} };
  if (operationId === 'streamEvents') return knockStream(token);
  const headers = route.method === 'DELETE' ? { 'if-match': 'never' } : {};
  return (await call(replica, route.method, pathOf(operationId), { ...options, headers, token })).status;
}

async function knockStream(token: string | null): Promise<number> {
  const stop = new AbortController();
  const headers: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
  const { status } = await fetch(`${replica.url}/api/v1/events`, { headers, signal: stop.signal });
  stop.abort();
  return status;
}

const protectedRoutes = OPERATION_IDS.filter((operationId) => routeSpec(operationId).access !== 'public');

describe('authorisation', () => {
  const matrix = protectedRoutes.flatMap((operationId) => ROLES.map((role) => [operationId, role] as const));

  it.each(matrix)('%s by %s is as the route table says', async (operationId, role) => {
    const status = await knock(operationId, tokenFor({ roles: [role] }));
    const { access } = routeSpec(operationId);
    if (access.includes(role)) expect([200, 400]).toContain(status);
    else expect(status).toBe(403);
  });

  /** Checked in, so that a change of the route table is seen. */
  it('is this table', () => {
    const table = Object.fromEntries(
      OPERATION_IDS.map((operationId) => {
        const { access } = routeSpec(operationId);
        return [operationId, access === 'public' ? 'public' : access.join(' ')];
      }),
    );
    const read = 'viewer operator approver admin';
    expect(table).toEqual({
      createTask: 'operator admin',
      listTasks: read,
      getTask: read,
      getMachineBoots: read,
      cancelTask: 'operator admin',
      approveTask: 'approver admin',
      rejectTask: 'approver admin',
      getTaskTimeline: read,
      explainTask: read,
      listRegions: read,
      registerRegion: 'admin',
      getRegion: read,
      streamEvents: read,
      getHealthz: 'public',
      getReadyz: 'public',
      getMetrics: 'public',
      getOpenapi: 'public',
    });
  });

  it.each(protectedRoutes)('%s refuses who has no token or no role', async (operationId) => {
    expect(await knock(operationId, null)).toBe(401);
    expect(await knock(operationId, 'abc')).toBe(401);
    expect(await knock(operationId, tokenFor({ roles: [] }))).toBe(403);
  });

  it('gives the same answer for a task of another region and for one that is not there', async () => {
    const token = tokenFor({ roles: ['admin'], regions: ['dc1'] });
    const nowhere = foreignTaskId.replace(/.{12}$/, '000000000000');
    const asked: [string, string, unknown][] = [
      ['GET', '', undefined],
      ['GET', '/timeline', undefined],
      ['GET', '/explain', undefined],
      ['DELETE', '', undefined],
      ['PUT', '/approve', { approved: true }],
      ['PUT', '/reject', { reason: 'x' }],
    ];
    for (const [method, suffix, body] of asked) {
      const replies: Reply[] = [];
      for (const id of [foreignTaskId, nowhere]) {
        replies.push(await call(replica, method, `/api/v1/tasks/${id}${suffix}`, { token, body }));
      }
      const shown = replies.map(({ status, body: problem }) => [
        status,
        problem.code,
        problem.detail.replace(/[0-9a-f-]{36}/, 'ID'),
      ]);
      expect(shown[0]).toEqual([404, 'not_found', 'There is no task ID']);
      expect(shown[1]).toEqual(shown[0]);
    }
    expect(
      (await call(replica, 'POST', '/api/v1/tasks', { token, body: { ...order, region_id: 'dc2' } })).status,
    ).toBe(403);
    const regions = await call(replica, 'GET', '/api/v1/regions', { token });
    expect(regions.body.regions).toHaveLength(1);
  });

  it('tells how to authenticate', async () => {
    const { headers, body } = await call(replica, 'GET', '/api/v1/tasks', { token: null });
    expect(headers.get('www-authenticate')).toBe('Bearer realm="lpmos"');
    expect(body.code).toBe('unauthenticated');
  });
});

describe('routes', () => {
  it('registers exactly the paths of the route table', () => {
    const app = createApp({
      handlers: {} as Handlers,
      tokenRules: {
        keys: keysOf(tokenPair.publicKey),
        issuer: 'i',
        audience: 'a',
        clock: { nowMs: () => 0 },
      },
      logger: silentLogger,
      metrics: createMetrics(),
      tls: false,
    });
    const stack = app.router.stack as { readonly route?: { readonly path: string } }[];
    const registered = stack.flatMap(({ route }) => (route === undefined ? [] : [route.path]));
    const table = new Set(OPERATION_IDS.map((operationId) => expressPath(routeSpec(operationId).path)));
    expect(new Set(registered)).toEqual(table);
    expect(registered).toHaveLength(table.size);
  });

  it('lists every operation in /openapi.json', async () => {
    const { body } = await call(replica, 'GET', '/openapi.json', { token: null });
    const listed = Object.values(body.paths as Record<string, Record<string, { operationId: string }>>)
      .flatMap((operations) => Object.values(operations))
      .map(({ operationId }) => operationId);
    expect(listed.sort()).toEqual([...OPERATION_IDS].sort());
  });

  it.each([
    ['HEAD', '/api/v1/tasks', 'POST, GET'],
    ['OPTIONS', '/api/v1/tasks', 'POST, GET'],
    ['PATCH', '/api/v1/tasks', 'POST, GET'],
    ['POST', '/healthz', 'GET'],
    ['GET', '/api/v1/tasks/x/approve', 'PUT'],
  ])('answers %s %s with 405 and Allow', async (method, path, allow) => {
    const { status, headers } = await call(replica, method, path);
    expect([status, headers.get('allow')]).toEqual([405, allow]);
  });

  it.each([
    '/',
    '/api/v1',
    '/api/v1/tasks/',
    '/API/v1/tasks',
    '/api/v1/tasks/a/b/c',
    '/..%2f..%2fetc/passwd',
  ])('answers 404 to %s', async (path) => {
    const { status, body } = await call(replica, 'GET', path);
    expect([status, body.code]).toEqual([404, 'not_found']);
  });

  it('answers 400 to a path that does not decode', async () => {
    const { status, body } = await call(replica, 'GET', '/api/v1/tasks/%ff');
    expect([status, body.code]).toEqual([400, 'invalid_argument']);
  });
});

describe('headers', () => {
  it('carries the security headers and forbids caching, also on refusals', async () => {
    for (const path of ['/api/v1/tasks', '/nowhere', '/healthz']) {
      const { headers } = await call(replica, 'GET', path);
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
      expect(headers.get('x-powered-by')).toBeNull();
    }
  });

  it('echoes a harmless request id and replaces any other', async () => {
    const echo = async (given: string): Promise<string | null> =>
      (await call(replica, 'GET', '/healthz', { headers: { 'x-request-id': given } })).headers.get(
        'x-request-id',
      );
    expect(await echo('abc-1:2.3_4')).toBe('abc-1:2.3_4');
    for (const bad of ['x'.repeat(65), 'a b', '<script>', 'a"b'])
      expect(await echo(bad)).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('hostile bodies', () => {
  const post = (raw: string | Uint8Array, headers: Record<string, string> = {}): Promise<Reply> =>
    call(replica, 'POST', '/api/v1/tasks', { raw, headers });
  const base = { ...order, target_mac: '02:00:00:00:99:99' };
  const text = JSON.stringify(base);

  afterEach(() => {
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it.each<[string, string]>([
    ['__proto__', text.replace('{', '{"__proto__":{"polluted":1},')],
    ['__proto__ by escape', text.replace('{', '{"\\u005f_proto__":{"polluted":1},')],
    ['constructor.prototype', text.replace('{', '{"constructor":{"prototype":{"polluted":1}},')],
    ['__proto__ among the tags', text.replace('{', '{"tags":{"__proto__":"x"},')],
    [
      'constructor.prototype among the tags',
      text.replace('{', '{"tags":{"constructor":{"prototype":{"polluted":1}}},'),
    ],
    ['a duplicate key', text.replace('{', '{"region_id":"dc2",')],
    ['tags as a list', text.replace('{', '{"tags":["a"],')],
    ['tags null', text.replace('{', '{"tags":null,')],
    ['depth', text.replace('{', `{"tags":${'['.repeat(500)}${']'.repeat(500)},`)],
    ['no JSON', '{'],
    ['nothing', ''],
    ['a list', '[]'],
    ['null', 'null'],
    ['text after the end', `${text}{}`],
    ['a BOM inside', `{"\ufeff":1}`],
  ])('refuses %s with 400', async (_name, raw) => {
    const { status, body } = await post(raw, { 'content-type': 'application/json' });
    expect([status, body.code]).toEqual([400, 'invalid_argument']);
    expect(body.errors.length).toBeGreaterThan(0);
  });

  it.each([
    'task_id',
    'id',
    'status',
    'approval',
    'created_by',
    'created_at',
    'project',
    'schema_version',
    'grant',
    'run',
  ])('refuses the server-owned field %s everywhere and changes nothing', async (field) => {
    const before = await call(replica, 'GET', `/api/v1/tasks/${taskId}`);
    const asked: [string, string, object][] = [
      ['POST', '/api/v1/tasks', base],
      ['PUT', `/api/v1/tasks/${taskId}/approve`, { approved: true }],
      ['PUT', `/api/v1/tasks/${taskId}/reject`, { reason: 'x' }],
      ['POST', '/api/v1/regions', { region_id: 'dc7' }],
    ];
    for (const [method, path, body] of asked) {
      const reply = await call(replica, method, path, { body: { ...body, [field]: 'x' } });
      expect([reply.status, reply.body.errors[0].path]).toEqual([400, field]);
    }
    expect((await call(replica, 'GET', `/api/v1/tasks/${taskId}`)).body).toEqual(before.body);
  });

  it.each(['"false"', '"true"', '1', '0', 'null', '[]', '{}'])('refuses approved: %s', async (value) => {
    const reply = await call(replica, 'PUT', `/api/v1/tasks/${taskId}/approve`, {
      raw: `{"approved":${value}}`,
    });
    expect([reply.status, reply.body.errors[0].path]).toEqual([400, 'approved']);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/json; charset=utf-16',
    'application/jsonp',
    '',
  ])('refuses the media type "%s" with 415', async (type) => {
    const { status, body } = await post(text, { 'content-type': type });
    expect([status, body.code]).toEqual([415, 'unsupported_media_type']);
  });

  it('refuses compressed bodies, too large ones and broken UTF-8', async () => {
    expect((await post(text, { 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await post(`"${'x'.repeat(70_000)}"`)).status).toBe(413);
    expect((await post(Uint8Array.of(0x22, 0xff, 0x22))).status).toBe(400);
  });

  it('stops reading a chunked body at the limit', async () => {
    const { port } = new URL(replica.url);
    const socket = connect(Number(port), '127.0.0.1');
    let answer = '';
    let closed = false;
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('close', () => (closed = true)).on('error', () => undefined);
    socket.write(
      `POST /api/v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${tokenFor()}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    // One byte more than the limit would do; what comes after it is never asked for.
    for (let i = 0; i < 5; i += 1) socket.write(`4000\r\n${'x'.repeat(0x4000)}\r\n`);
    await until(() => answer.includes(' 413 '), 4_000);
    await until(() => closed);
  });

  it.each(['os_type', 'os_version', 'hostname', 'disk_layout', 'target_mac', 'region_id'])(
    'answers a long %s with its rule and not with its value',
    async (field) => {
      const {
        status,
        body,
        text: answer,
      } = await call(replica, 'POST', '/api/v1/tasks', {
        body: { ...base, [field]: `${'a'.repeat(50_000)}!` },
      });
      expect([status, body.errors[0].path]).toEqual([400, field]);
      expect(answer.length).toBeLessThan(2_000);
    },
  );
});

describe('queries and headers', () => {
  it.each([
    'limit=0',
    'limit=201',
    'limit=1&limit=2',
    'limit[]=1',
    'region_id[x]=dc1',
    '__proto__=x',
    'status=done',
    'tag=a',
    'cursor=1',
    'unknown=1',
    'offset=-1',
    'view=all',
  ])('refuses ?%s', async (query) => {
    const { status, body } = await call(replica, 'GET', `/api/v1/tasks?${query}`);
    expect([status, body.code]).toEqual([400, 'invalid_argument']);
  });

  it('refuses parameters where none are taken and headers that are malformed', async () => {
    expect((await call(replica, 'GET', `/api/v1/tasks/${taskId}?x=1`)).status).toBe(400);
    const headers = { 'lpmos-min-revision': '-1' };
    expect((await call(replica, 'GET', '/api/v1/tasks', { headers })).status).toBe(400);
    const ifMatch = { 'if-match': '12' };
    expect((await call(replica, 'DELETE', `/api/v1/tasks/${taskId}`, { headers: ifMatch })).status).toBe(400);
  });
});

describe('service', () => {
  it('tells health, readiness and metrics to everybody', async () => {
    expect((await call(replica, 'GET', '/healthz', { token: null })).body).toEqual({
      status: 'ok',
      version: '0.0.0-test',
    });
    const ready = await call(replica, 'GET', '/readyz', { token: null });
    expect(ready.body).toMatchObject({
      status: 'ready',
      checks: { task_cache: { ok: true }, store: { ok: true } },
    });
    const metrics = await call(replica, 'GET', '/metrics', { token: null });
    expect(metrics.text).toMatch(
      /lpmos_control_plane_requests_total\{operation="createTask",status="201"\} 2/,
    );
    expect(metrics.text).toMatch(/lpmos_control_plane_cached_tasks 2/);
  });
});
