/**
 * What the tests of this package stand on: real HTTP on a free port over a memory store, any number of replicas over one store,
 * tokens, and a region's daemon acted by hand through the same store API that the daemon uses. No test of its own.
 */
import { createHash, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { applyEvent, hardwareDigest, parseRegionId, parseTaskId } from '@lpmos/core';
import type { HardwareReport, RegionId, StoredHardware, TaskEvent, TaskRecord, TaskStore } from '@lpmos/core';
import { runGroup, silentLogger, systemClock } from '@lpmos/runtime';
import type { Logger } from '@lpmos/runtime';
import { createMemoryKv, createTaskStore } from '@lpmos/store';
import type { Kv, MemoryKv } from '@lpmos/store';
import { sign } from 'jsonwebtoken';
import { readPublicKeys, thumbprint } from '../auth/public-keys';
import type { PublicKeys } from '../auth/public-keys';
import { createControlPlane } from '../control-plane';
import { createGrantSigner } from '../grants/sign-grant';
import { sampleReport } from './sample-report';

export const tokenPair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const grantPair = generateKeyPairSync('ec', { namedCurve: 'P-256' });

export function pemOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString();
}

export function keysOf(...keys: KeyObject[]): PublicKeys {
  const read = readPublicKeys(keys.map(pemOf).join('\n'));
  if ('problem' in read) throw new Error(read.problem);
  return read;
}

export const nowSeconds = (): number => Math.floor(Date.now() / 1000);

export interface TokenOptions {
  readonly subject?: string;
  readonly roles?: readonly string[];
  readonly regions?: readonly string[];
  readonly expiresIn?: number;
}

export function tokenFor({
  subject = 'admin@example.com',
  roles = ['admin'],
  regions,
  expiresIn = 3600,
}: TokenOptions = {}): string {
  const iat = nowSeconds();
  const claims = { iss: 'lpmos', aud: 'lpmos-api', sub: subject, iat, exp: iat + expiresIn, roles };
  return sign(regions === undefined ? claims : { ...claims, regions }, tokenPair.privateKey, {
    algorithm: 'ES256',
    keyid: thumbprint(tokenPair.publicKey),
  });
}

export interface Replica {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startReplica(kv: Kv, options: { readonly logger?: Logger } = {}): Promise<Replica> {
  const stopping = new AbortController();
  const logger = options.logger ?? silentLogger;
  let listening: (address: AddressInfo) => void = () => undefined;
  const address = new Promise<AddressInfo>((resolve) => (listening = resolve));
  const components = createControlPlane({
    kv: { ...kv, close: () => undefined },
    logger,
    version: '0.0.0-test',
    listen: { host: '127.0.0.1', port: 0 },
    tokens: { keys: keysOf(tokenPair.publicKey), issuer: 'lpmos', audience: 'lpmos-api' },
    signGrant: createGrantSigner({ privateKey: grantPair.privateKey }),
    grantSeconds: 3600,
    processMetrics: false,
    onListening: (found) => listening(found),
  });
  const done = runGroup({ components, logger, signal: stopping.signal, stopTimeoutMs: 5_000 });
  const { port } = await Promise.race([address, done.then(() => Promise.reject(new Error('ended')))]);
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    async stop() {
      stopping.abort();
      await done;
    },
  };
}

export async function untilReady({ url }: Replica): Promise<void> {
  await until(async () => (await fetch(`${url}/readyz`)).status === 200);
}

/** Waits for a condition, never for a time. */
export async function until(condition: () => Promise<boolean> | boolean, deadlineMs = 10_000): Promise<void> {
  const giveUpAt = Date.now() + deadlineMs;
  while (!(await condition())) {
    if (Date.now() > giveUpAt) throw new Error('the condition did not come true in time');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- tests look into bodies of any shape
  readonly body: any;
  readonly text: string;
}

export interface Call {
  readonly token?: string | null;
  readonly body?: unknown;
  /** Sent as it is, in place of `body`. */
  readonly raw?: string | Uint8Array;
  readonly headers?: Record<string, string>;
}

export async function call(
  replica: Replica,
  method: string,
  path: string,
  options: Call = {},
): Promise<Reply> {
  const { token = tokenFor(), body, raw } = options;
  const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const response = await fetch(replica.url + path, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(payload === undefined ? {} : { body: payload as string }),
  });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') ?? false;
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson && text !== '' ? JSON.parse(text) : undefined,
  };
}

const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

/** The region's side of a task's life, through the store. */
export interface ActedRegion {
  readonly tasks: TaskStore;
  apply(taskId: string, ...events: TaskEvent[]): Promise<TaskRecord>;
  /** From pending to pending_approval. */
  report(taskId: string, hardware?: StoredHardware): Promise<TaskRecord>;
}

export function actRegion(kv: Kv): ActedRegion {
  const tasks = createTaskStore({ kv, clock: systemClock });
  const apply = async (taskId: string, ...events: TaskEvent[]): Promise<TaskRecord> => {
    let task = await tasks.read(parseTaskId(taskId));
    for (const event of events) {
      if (task === undefined) throw new Error(`there is no task ${taskId}`);
      const applied = applyEvent(task, event, { nowMs: Date.now(), actor: 'region:dc1' });
      if (applied.kind === 'refused') throw applied.error;
      if (applied.kind === 'noop') continue;
      const outcome = await tasks.commit(task, applied.change);
      if (outcome.kind !== 'done') throw new Error(`not done: ${outcome.kind}`);
      task = outcome.value;
    }
    if (task === undefined) throw new Error(`there is no task ${taskId}`);
    return task;
  };
  return {
    tasks,
    apply,
    report: (taskId, hardware = storedHardware()) =>
      apply(
        taskId,
        { name: 'prepared' },
        { name: 'boot_contacted', via: 'dhcp' },
        { name: 'hardware_reported', hardware, sessionId: 'session-1' },
      ),
  };
}

/** Keys of a region that only its daemon writes, so that approvals find an image. */
export async function actRegionClient(kv: Kv, regionId: RegionId = parseRegionId('dc1')): Promise<void> {
  const prefix = `/lpmos/regions/${regionId}/client`;
  const capabilities = {
    schema_version: 1,
    images: [{ os_type: 'ubuntu', os_version: '22.04', digest: IMAGE_DIGEST, raw_size_bytes: 2_000_000_000 }],
    services: ['dhcp', 'tftp', 'http', 'agent'],
    daemon_version: '0.1.0',
  };
  const outcome = await kv.txn({
    compares: [],
    then: [
      { op: 'put', key: `${prefix}/capabilities`, value: JSON.stringify(capabilities) },
      { op: 'put', key: `${prefix}/heartbeat`, value: new Date().toISOString() },
    ],
    otherwise: [],
  });
  if (outcome.kind !== 'done') throw new Error('the region could not be set up');
}

export const IMAGE_DIGEST = `sha256:${'ab'.repeat(32)}`;

export function memoryKv(): MemoryKv {
  return createMemoryKv({ clock: systemClock });
}

export function storedHardware(change: Partial<HardwareReport> = {}): StoredHardware {
  const report = { ...sampleReport(), ...change };
  return { schema_version: 1, report, digest: hardwareDigest(report, sha256) };
}
