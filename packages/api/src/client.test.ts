import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { LpmosError } from '@lpmos/core';
import { createApiClient } from './client';
import type { ServerEvent } from './event-client';
import { createEventParser, writeEvent, writeHeartbeat } from './event-stream';

type Script = (request: IncomingMessage, response: ServerResponse, count: number) => void;

const servers: Server[] = [];

async function serve(script: Script): Promise<string> {
  let count = 0;
  const server = createServer((request, response) => script(request, response, (count += 1)));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

async function failureOf(promise: Promise<unknown>): Promise<LpmosError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (thrown instanceof LpmosError) return thrown;
  throw new Error(`expected an LpmosError, got ${String(thrown)}`);
}

const list = { tasks: [], total: 0, limit: 50, offset: 0 };

describe('createApiClient', () => {
  it('turns a problem body into an LpmosError with everything in it', async () => {
    const url = await serve((_request, response) =>
      answer(response, 409, {
        type: 'urn:lpmos:problem:already_exists',
        title: 't',
        status: 409,
        detail: 'There is one',
        code: 'already_exists',
        errors: [],
        request_id: 'r1',
        details: { task_id: 'x' },
      }),
    );
    const error = await failureOf(createApiClient({ baseUrl: url }).listTasks());
    expect(error).toMatchObject({ code: 'already_exists', message: 'There is one' });
    expect(error.details).toEqual({ task_id: 'x', request_id: 'r1' });
  });

  it.each([
    [502, 'unavailable'],
    [404, 'not_found'],
    [418, 'internal'],
  ])('makes an error of a proxy page with status %d', async (status, code) => {
    const url = await serve((_request, response) => response.writeHead(status).end('<html>'));
    expect(await failureOf(createApiClient({ baseUrl: url }).listTasks())).toMatchObject({ code });
  });

  it('refuses an answer that is not what the contract says', async () => {
    const url = await serve((_request, response) => answer(response, 200, { hello: 'world' }));
    expect(await failureOf(createApiClient({ baseUrl: url }).listTasks())).toMatchObject({
      code: 'internal',
    });
  });

  it('says which address refused the connection', async () => {
    const error = await failureOf(createApiClient({ baseUrl: 'http://127.0.0.1:9' }).listTasks());
    expect(error.code).toBe('unavailable');
    expect(error.message).toMatch(/http:\/\/127\.0\.0\.1:9 \(.+\)/);
  });

  it('ends a silent request at its deadline', async () => {
    const url = await serve(() => undefined);
    const error = await failureOf(createApiClient({ baseUrl: url, timeoutMs: 50 }).listTasks());
    expect(error.code).toBe('deadline_exceeded');
  });

  it('asks for what it has seen: the newest revision goes with every later read', async () => {
    const asked: (string | string[] | undefined)[] = [];
    const url = await serve((request, response, count) => {
      asked.push(request.headers['lpmos-min-revision']);
      answer(response, 200, list, { 'Lpmos-Revision': count === 1 ? '41' : '7' });
    });
    const client = createApiClient({ baseUrl: url });
    for (let i = 0; i < 3; i += 1) await client.listTasks();
    expect(asked).toEqual([undefined, '41', '41']);
  });

  it('writes filters, token and If-Match as the server reads them', async () => {
    const seen: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      seen.push(request.url, request.headers.authorization, request.headers['if-match']);
      if (request.method === 'DELETE') response.writeHead(204).end();
      else answer(response, 200, list);
    });
    const client = createApiClient({ baseUrl: `${url}/`, token: 'abc' });
    await client.listTasks({ statuses: ['ready', 'booting'], tags: { env: 'x' }, limit: 5 });
    await client.cancelTask('t/1', { ifVersion: '9' });
    expect(seen).toEqual([
      '/api/v1/tasks?status=ready%2Cbooting&tag=env%3Ax&limit=5',
      'Bearer abc',
      undefined,
      '/api/v1/tasks/t%2F1',
      'Bearer abc',
      '"9"',
    ]);
  });

  it('refuses a URL that is none', () => {
    expect(() => createApiClient({ baseUrl: 'localhost:8080' })).toThrow('must be an http or https URL');
  });
});

const task = (version: string) => ({
  task_id: 't',
  region_id: 'dc1',
  status: 'ready',
  version,
  revision: version,
  attempt: 0,
});

describe('events', () => {
  it('resumes after a broken link from the last id it saw', async () => {
    const resumed: (string | string[] | undefined)[] = [];
    const url = await serve((request, response, count) => {
      resumed.push(request.headers['last-event-id']);
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write(writeEvent({ event: 'sync', data: '{}', id: String(count * 10) }));
      const data = JSON.stringify(task(String(count * 10 + 1)));
      response.write(
        writeHeartbeat() + writeEvent({ event: 'task', data, id: String(count * 10 + 1) }),
        () => {
          if (count < 3) response.destroy();
        },
      );
    });
    const stop = new AbortController();
    const seen: ServerEvent[] = [];
    for await (const event of createApiClient({ baseUrl: url }).events({ signal: stop.signal })) {
      seen.push(event);
      if (event.id === '31') stop.abort();
    }
    expect(seen.map(({ id }) => id)).toEqual(['10', '11', '20', '21', '30', '31']);
    expect(resumed).toEqual([undefined, '11', '21']);
  });

  it('does not try again what is refused', async () => {
    const url = await serve((_request, response) => response.writeHead(401).end());
    const events = createApiClient({ baseUrl: url }).events();
    expect(await failureOf(events.next())).toMatchObject({ code: 'unauthenticated' });
  });
});

describe('createEventParser', () => {
  it('puts frames together from any chunks', () => {
    const text = writeEvent({ event: 'task', data: 'a\nb', id: '7' }) + writeHeartbeat() + 'data: x\r\n\r\n';
    for (const size of [1, 2, 7, 1000]) {
      const parser = createEventParser();
      const frames = [];
      for (let at = 0; at < text.length; at += size) frames.push(...parser.push(text.slice(at, at + size)));
      expect(frames).toEqual([
        { event: 'task', data: 'a\nb', id: '7' },
        { event: 'message', data: 'x' },
      ]);
    }
  });

  it('does not hold an endless event', () => {
    const parser = createEventParser();
    expect(() => {
      for (let i = 0; i < 1000; i += 1) parser.push('x'.repeat(1000));
    }).toThrow('without end');
  });
});

it.each([
  ['ECONNREFUSED', 'does it run there?'],
  ['ENOTFOUND', 'no address is known by that name'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'try http:'],
  ['UND_ERR_SOCKET', 'try https:'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'NODE_EXTRA_CA_CERTS'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'another name'],
  ['CERT_HAS_EXPIRED', 'renew'],
])('says what to do about %s', async (code, advice) => {
  const client = createApiClient({
    baseUrl: 'https://lpmos.example.com',
    fetch: () => Promise.reject(new TypeError('fetch failed', { cause: { code } })),
  });
  await expect(client.listRegions()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringMatching(new RegExp(`\\(${code}\\); .*${advice.replace('?', '\\?')}`)) as string,
  });
});
