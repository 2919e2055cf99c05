/**
 * The control plane as programs over a real etcd: two replicas, one of them killed between any two steps of a request, etcd
 * itself killed and back, and lists while other keys than tasks are written. Who is told "created" finds exactly one task.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createApiClient } from '@lpmos/api';
import type { ApiClient } from '@lpmos/api';
import { LpmosError } from '@lpmos/core';
import { createEtcdKv } from '@lpmos/store';
import type { Kv } from '@lpmos/store';
import { runLpmos } from './harness/cli-run';
import { startEtcd } from './harness/etcd';
import type { EtcdProcess } from './harness/etcd';

jest.setTimeout(90_000);

interface ReplicaProcess {
  readonly child: ChildProcess;
  readonly url: string;
}

const order = { region_id: 'dc1', os_type: 'debian', os_version: '12' };
const mac = (n: number): string =>
  `02:00:00:03:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`;

let folder: string;
let etcd: EtcdProcess;
let kv: Kv;
let token: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lpmos-control-plane-'));
  for (const name of ['jwt', 'grant']) {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    writeFileSync(join(folder, `${name}.pub`), publicKey.export({ type: 'spki', format: 'pem' }));
    writeFileSync(join(folder, `${name}.key`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  }
  const args = [
    'token',
    'create',
    '--subject',
    'it@example.com',
    '--role',
    'admin',
    '--key',
    join(folder, 'jwt.key'),
  ];
  token = (await runLpmos({ args })).stdout.trim();
  etcd = await startEtcd();
  kv = createEtcdKv({ endpoints: [etcd.endpoint] });
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  kv.close();
  await etcd.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Resolves once it listens and is ready. */
async function startProgram(): Promise<ReplicaProcess> {
  const main = join(__dirname, '../../packages/control-plane/src/main.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', main], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      LPMOS_API_PORT: '0',
      LPMOS_ETCD_ENDPOINTS: etcd.endpoint,
      LPMOS_JWT_PUBLIC_KEY_FILE: join(folder, 'jwt.pub'),
      LPMOS_GRANT_KEY_FILE: join(folder, 'grant.key'),
    },
  });
  children.push(child);
  const port = await portFromLog(child);
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${url}/readyz`)).status === 200);
  return { child, url };
}

async function portFromLog(child: ChildProcess): Promise<number> {
  if (child.stderr === null) throw new Error('no log');
  const lines: string[] = [];
  for await (const line of createInterface(child.stderr)) {
    lines.push(line);
    const entry = line.startsWith('{') ? (JSON.parse(line) as { msg?: string; port?: number }) : {};
    if (entry.msg === 'listening' && entry.port !== undefined) {
      child.stderr.resume();
      return entry.port;
    }
  }
  throw new Error(`the control plane ended: ${lines.join('\n')}`);
}

async function until(condition: () => Promise<boolean> | boolean, deadlineMs = 30_000): Promise<void> {
  const giveUpAt = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const clientOf = ({ url }: ReplicaProcess): ApiClient => createApiClient({ baseUrl: url, token });

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const thrown: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  return thrown instanceof LpmosError ? thrown.code : 'none';
}

it('creates exactly one task per order while a replica is killed at any moment', async () => {
  const [first, second] = await Promise.all([startProgram(), startProgram()]);
  await clientOf(first).registerRegion({ region_id: 'dc1' });
  const createdBy: string[] = [];
  const place = async (n: number): Promise<void> => {
    const options = { idempotencyKey: `order-${n}` };
    const body = { ...order, target_mac: mac(n) };
    const created = await clientOf(first)
      .createTask(body, options)
      .catch(() => clientOf(second).createTask(body, options));
    createdBy.push(created.task_id);
  };
  const orders = Array.from({ length: 120 }, (_, n) => n);
  const lanes = [0, 1, 2, 3].map(async (lane) => {
    for (const n of orders.filter((each) => each % 4 === lane)) {
      if (n === 60) first.child.kill('SIGKILL');
      await place(n);
    }
  });
  await Promise.all(lanes);
  const { total } = await clientOf(second).listTasks({ limit: 1 });
  expect([total, new Set(createdBy).size]).toEqual([120, 120]);
  second.child.kill('SIGTERM');
  const [code] = (await once(second.child, 'exit')) as [number | null];
  expect(code).toBe(0);
});

it('lists without delay or staleness while keys are written that are no tasks', async () => {
  const [first, second] = await Promise.all([startProgram(), startProgram()]);
  const noise = new AbortController();
  const writing = (async () => {
    while (!noise.signal.aborted) {
      const then = [{ op: 'put', key: '/lpmos/agents/02:00:00:00:00:01/last_seen', value: 'x' }] as const;
      await kv.txn({ compares: [], then, otherwise: [] });
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  })();
  try {
    for (let n = 1000; n < 1040; n += 1) {
      const writer = n % 2 === 0 ? first : second;
      const reader = n % 2 === 0 ? second : first;
      await clientOf(writer).createTask({ ...order, target_mac: mac(n) });
      const { total } = await clientOf(reader).listTasks({ targetMac: mac(n) });
      expect(total).toBe(1);
    }
  } finally {
    noise.abort();
    await writing;
  }
});

it('says 503 while etcd is away, does nothing by halves, and recovers by itself', async () => {
  const replica = await startProgram();
  const client = clientOf(replica);
  const { task_id } = await client.createTask({ ...order, target_mac: mac(2000) });
  const before = await client.getTask(task_id);
  await etcd.kill9();
  const codes = await Promise.all([
    codeOf(client.createTask({ ...order, target_mac: mac(2001) }, { idempotencyKey: 'while-away' })),
    codeOf(client.cancelTask(task_id)),
    codeOf(client.getTask(task_id)),
    codeOf(client.listTasks()),
  ]);
  for (const code of codes) expect(['unavailable', 'outcome_unknown', 'deadline_exceeded']).toContain(code);
  expect((await fetch(`${replica.url}/healthz`)).status).toBe(200);
  await until(async () => (await fetch(`${replica.url}/readyz`)).status === 503);
  await etcd.restart();
  await until(async () => (await codeOf(client.listTasks())) === 'none');
  expect(await client.getTask(task_id)).toEqual(before);
  const { task_id: late } = await client.createTask(
    { ...order, target_mac: mac(2001) },
    { idempotencyKey: 'while-away' },
  );
  expect((await client.listTasks({ targetMac: mac(2001) })).tasks.map((task) => task.task_id)).toEqual([
    late,
  ]);
  await until(async () => (await fetch(`${replica.url}/readyz`)).status === 200);
});

it('can be stopped while it waits for an etcd that is not there', async () => {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', join(__dirname, '../../packages/control-plane/src/main.ts')],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        LPMOS_API_PORT: '0',
        LPMOS_ETCD_ENDPOINTS: 'http://127.0.0.1:9',
        LPMOS_JWT_PUBLIC_KEY_FILE: join(folder, 'jwt.pub'),
        LPMOS_GRANT_KEY_FILE: join(folder, 'grant.key'),
      },
    },
  );
  children.push(child);
  const port = await portFromLog(child);
  const ready = await fetch(`http://127.0.0.1:${port}/readyz`);
  const body = (await ready.json()) as { checks: Record<string, { ok: boolean; detail: string }> };
  expect([ready.status, body.checks['store']?.ok, body.checks['task_cache']?.ok]).toEqual([
    503,
    false,
    false,
  ]);
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number | null];
  expect(code).toBe(0);
});
