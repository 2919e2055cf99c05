/** The command line against the real control plane over a memory store; the region's side of each task is acted by hand. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EXAMPLE_IMAGE, EXAMPLE_TASK } from '@lpmos/cli';
import { createControlPlane, createGrantSigner, readPublicKeys } from '@lpmos/control-plane';
import { applyEvent, hardwareDigest, parseMacAddress, parseTaskId } from '@lpmos/core';
import type { HardwareReport, StoredHardware, TaskEvent } from '@lpmos/core';
import { runGroup, silentLogger, systemClock } from '@lpmos/runtime';
import { createMemoryKv, createTaskStore } from '@lpmos/store';
import { runLpmos } from './harness/cli-run';
import type { CliRunResult } from './harness/cli-run';

const tokenPair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const grantPair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const kv = createMemoryKv({ clock: systemClock });
const tasks = createTaskStore({ kv, clock: systemClock });
const stopping = new AbortController();
let folder: string;
let url: string;
let stopped: Promise<void>;
let admin: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lpmos-cli-'));
  writeFileSync(join(folder, 'jwt.pem'), tokenPair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  const keys = readPublicKeys(tokenPair.publicKey.export({ type: 'spki', format: 'pem' }).toString());
  if ('problem' in keys) throw new Error(keys.problem);
  const address = await new Promise<AddressInfo>((resolve, reject) => {
    const components = createControlPlane({
      kv,
      logger: silentLogger,
      version: '0.0.0-test',
      listen: { host: '127.0.0.1', port: 0 },
      tokens: { keys, issuer: 'lpmos', audience: 'lpmos-api' },
      signGrant: createGrantSigner({ privateKey: grantPair.privateKey }),
      grantSeconds: 3600,
      processMetrics: false,
      onListening: resolve,
    });
    stopped = runGroup({ components, logger: silentLogger, signal: stopping.signal, stopTimeoutMs: 5_000 });
    stopped.catch(reject);
  });
  url = `http://127.0.0.1:${address.port}`;
  admin = await tokenFor('admin');
  expect(await lpmos(['region', 'create', 'dc1', '--name', 'Frankfurt 1'])).toMatchObject({ exitCode: 0 });
  await offerImage();
});
afterAll(async () => {
  stopping.abort();
  await stopped;
  rmSync(folder, { recursive: true });
});

async function tokenFor(...roles: string[]): Promise<string> {
  const key = join(folder, 'jwt.pem');
  const args = ['token', 'create', '--subject', 'alice@example.com', '--key', key];
  const { stdout } = await runLpmos({ args: [...args, ...roles.flatMap((role) => ['--role', role])] });
  return stdout.trim();
}

function lpmos(args: readonly string[], token: string = admin): Promise<CliRunResult> {
  return runLpmos({ args, url, token });
}

async function offerImage(): Promise<void> {
  const capabilities = {
    schema_version: 1,
    images: [EXAMPLE_IMAGE],
    services: ['dhcp', 'tftp', 'http', 'agent'],
    daemon_version: '0.1.0',
  };
  const client = '/lpmos/regions/dc1/client';
  await kv.txn({
    compares: [],
    then: [
      { op: 'put', key: `${client}/capabilities`, value: JSON.stringify(capabilities) },
      { op: 'put', key: `${client}/heartbeat`, value: new Date().toISOString() },
    ],
    otherwise: [],
  });
}

let machines = 0;
async function createTask(): Promise<{ readonly id: string; readonly mac: string }> {
  machines += 1;
  const mac = `00:1a:2b:3c:4d:${machines.toString(16).padStart(2, '0')}`;
  const words = `task create --region dc1 --mac ${mac} --os debian --os-version 12 --disk type=SSD`;
  const { exitCode, stdout, stderr } = await lpmos(words.split(' '));
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  return { id: stdout.trim(), mac };
}

async function act(id: string, ...events: TaskEvent[]): Promise<void> {
  for (const event of events) {
    const task = await tasks.read(parseTaskId(id));
    if (task === undefined) throw new Error(`there is no task ${id}`);
    const applied = applyEvent(task, event, { nowMs: Date.now(), actor: 'region:dc1' });
    if (applied.kind !== 'change') throw new Error(`${event.name}: ${applied.kind}`);
    const outcome = await tasks.commit(task, applied.change);
    if (outcome.kind !== 'done') throw new Error(`${event.name}: ${outcome.kind}`);
  }
}

function hardwareOf(mac: string): StoredHardware {
  const { hardware } = EXAMPLE_TASK;
  if (hardware === undefined) throw new Error('the example has hardware');
  const network = hardware.network.map((nic) => ({ ...nic, mac: parseMacAddress(nic.mac) }));
  const report: HardwareReport = { ...hardware, network, mac_address: parseMacAddress(mac) };
  const digest = hardwareDigest(report, (bytes) => createHash('sha256').update(bytes).digest());
  return { schema_version: 1, report, digest };
}

async function reported(): Promise<string> {
  const { id, mac } = await createTask();
  await act(
    id,
    { name: 'prepared' },
    { name: 'boot_contacted', via: 'DHCP' },
    { name: 'hardware_reported', hardware: hardwareOf(mac), sessionId: 's1' },
  );
  return id;
}

it('creates, shows, approves and watches a task to its end', async () => {
  const id = await reported();
  const watching = lpmos(['task', 'watch', id]);
  expect((await lpmos(['task', 'show', '@latest'])).stdout).toMatch(/\/dev\/sda.*WILL BE DESTROYED/);
  expect((await lpmos(['task', 'explain', id])).stdout).toContain('operator');
  expect((await lpmos(['task', 'list', '--status', 'pending_approval'])).stdout).toContain(id);
  const approval = await lpmos([
    'task',
    'approve',
    id.slice(0, 20),
    '--yes',
    '--notes',
    'seen',
    '-o',
    'json',
  ]);
  expect(approval.exitCode).toBe(0);
  expect(JSON.parse(approval.stdout)).toMatchObject({ task_id: id, next_status: 'installing' });
  expect((await lpmos(['task', 'show', id])).stdout).toMatch(/\/dev\/sda.*APPROVED FOR OVERWRITING/);
  await act(
    id,
    { name: 'install_started', sessionId: 's1' },
    { name: 'install_succeeded', detail: 'verified' },
  );
  const watched = await watching;
  expect(watched.exitCode).toBe(0);
  expect(watched.stdout).toContain('install succeeded -> completed  (verified)');
});

it('rejects, and the watch ends with its code', async () => {
  const id = await reported();
  const watching = lpmos(['task', 'watch', id]);
  expect((await lpmos(['task', 'reject', id, '--reason', 'wrong machine'])).exitCode).toBe(0);
  expect((await watching).exitCode).toBe(21);
  expect((await lpmos(['task', 'show', id])).stdout).toContain('wrong machine');
});

it('cancels', async () => {
  const { id } = await createTask();
  expect((await lpmos(['task', 'cancel', id])).stderr).toContain('Cancelled task');
  expect((await lpmos(['task', 'watch', id])).exitCode).toBe(22);
});

it('names the task in the way when the machine has one', async () => {
  const { id, mac } = await createTask();
  const words = `task create --region dc1 --mac ${mac} --os debian --os-version 12`;
  const result = await lpmos(words.split(' '));
  expect(result.exitCode).toBe(6);
  expect(result.stderr).toContain(id);
});

it('makes one task of two requests with one idempotency key', async () => {
  const words =
    'task create --region dc1 --mac 02:00:00:00:00:77 --os debian --os-version 12 --idempotency-key once';
  const first = await lpmos(words.split(' '));
  expect(first.exitCode).toBe(0);
  expect((await lpmos(words.split(' '))).stdout).toBe(first.stdout);
});

it('tells how the machine leaves for its disk and what becomes of its boot order, in known words only', async () => {
  const words = 'task create --region dc1 --mac 02:00:00:00:00:79 --os debian --os-version 12';
  const wrong = await lpmos([...words.split(' '), '--exit-method', 'grub']);
  expect([wrong.exitCode, wrong.stderr]).toEqual([2, expect.stringContaining('must be one of sanboot')]);
  const good = await lpmos([...words.split(' '), '--exit-method', 'exit-0', '--boot-order', 'unchanged']);
  const shown = await lpmos(['task', 'show', good.stdout.trim(), '-o', 'json']);
  expect(JSON.parse(shown.stdout)).toMatchObject({
    metadata: { boot: { exit_method: 'exit-0', order: 'unchanged' } },
  });
});

it('says what is wrong with every field', async () => {
  const words =
    'task create --region nowhere --mac 02:00:00:00:00:78 --os De/bian --os-version 12 --hostname -x-';
  const result = await lpmos(words.split(' '));
  expect(result.exitCode).toBe(2);
  expect(result.stderr).toContain('os_type');
  expect(result.stderr).toContain('hostname');
});

it('lets a viewer look and not approve', async () => {
  const id = await reported();
  const viewer = await tokenFor('viewer');
  expect((await lpmos(['task', 'show', id], viewer)).exitCode).toBe(0);
  expect((await lpmos(['task', 'approve', id, '--yes'], viewer)).exitCode).toBe(4);
});

it('asks for a token when there is none or a wrong one', async () => {
  for (const token of ['', 'a.b.c']) {
    const result = await runLpmos({ args: ['region', 'list'], url, ...(token === '' ? {} : { token }) });
    expect(result.exitCode).toBe(3);
  }
});

it('shows a region with its images', async () => {
  expect((await lpmos(['region', 'list'])).stdout).toMatch(/dc1\s+Frankfurt 1\s+online\s.*debian 12/);
  expect((await lpmos(['region', 'show', 'dc1', '-o', 'json'])).stdout).toContain(EXAMPLE_IMAGE.digest);
  expect((await lpmos(['region', 'show', 'dc9'])).exitCode).toBe(5);
});
