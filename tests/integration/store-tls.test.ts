/** Mutual TLS to etcd: our certificate opens it, watches and sessions included; without one or with a foreign authority nothing does. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEtcdKv, createRegionStore, createSession, createTaskStore, watchTasks } from '@lpmos/store';
import type { EtcdConfig } from '@lpmos/store';
import { done, newTask, realClock, refusal, regionMetadata } from '@lpmos/store/contract';
import { startEtcd } from './harness/etcd';
import type { EtcdProcess } from './harness/etcd';

jest.setTimeout(60_000);

let folder: string;
let etcd: EtcdProcess;
const pem = (name: string): Buffer => readFileSync(join(folder, name));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lpmos-tls-'));
  for (const authority of ['ca', 'foreign']) makeAuthority(authority);
  makeCertificate('server', 'subjectAltName=DNS:localhost,IP:127.0.0.1');
  makeCertificate('client', 'extendedKeyUsage=clientAuth');
  etcd = await startEtcd({
    tls: { ca: join(folder, 'ca.crt'), cert: join(folder, 'server.crt'), key: join(folder, 'server.key') },
  });
});
afterAll(async () => {
  await etcd.stop();
  rmSync(folder, { recursive: true });
});

it('does everything with a certificate', async () => {
  const kv = createEtcdKv(config({ ca: pem('ca.crt'), cert: pem('client.crt'), key: pem('client.key') }));
  const stop = new AbortController();
  done(await createRegionStore({ kv }).registerRegion(regionMetadata()));
  const cache = watchTasks({ kv, clock: realClock });
  await cache.start(stop.signal);
  const outcome = await createTaskStore({ kv, clock: realClock }).create(newTask());
  if (outcome.kind !== 'done') throw new Error('not created');
  await cache.waitFor(outcome.revision, AbortSignal.timeout(10_000));
  expect(cache.get(outcome.value.metadata.id)).toEqual(outcome.value);
  const session = await createSession({ kv, clock: realClock, ttlSeconds: 30, signal: stop.signal });
  expect(session.alive()).toBe(true);
  await session.close();
  stop.abort();
  await cache.done;
  kv.close();
});

it.each<[string, () => NonNullable<EtcdConfig['tls']>]>([
  ['no certificate of its own', () => ({ ca: pem('ca.crt') })],
  ['another authority', () => ({ ca: pem('foreign.crt'), cert: pem('client.crt'), key: pem('client.key') })],
])('opens nothing with %s', async (_, tls) => {
  const kv = createEtcdKv(config(tls()));
  const store = createTaskStore({ kv, clock: realClock });
  expect(['unavailable', 'unknown']).toContain(refusal(await store.create(newTask())));
  await expect(store.read(newTask().metadata.id)).rejects.toMatchObject({
    code: expect.stringMatching(/unavailable|deadline_exceeded/),
  });
  kv.close();
});

function config(tls: NonNullable<EtcdConfig['tls']>): EtcdConfig {
  return { endpoints: [etcd.endpoint], tls, callTimeoutMs: 2_000 };
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
}

function makeAuthority(name: string): void {
  openssl(
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
    ...['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.crt`],
  );
}

function makeCertificate(name: string, extension: string): void {
  openssl(
    ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
    ...['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`],
  );
  writeFileSync(join(folder, `${name}.ext`), extension);
  openssl(
    ...['x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'],
    ...['-days', '2', '-extfile', `${name}.ext`, '-out', `${name}.crt`],
  );
}
