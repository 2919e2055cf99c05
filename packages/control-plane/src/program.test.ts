import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as requestTls } from 'node:https';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { createMemoryKv } from '@lpmos/store';
import { createLogger, runGroup, runProgram, silentLogger, systemClock } from '@lpmos/runtime';
import { createControlPlane } from './control-plane';
import { createHttpServer } from './http-server';
import { createGrantSigner } from './grants/sign-grant';
import { controlPlaneProgram } from './program';
import {
  call,
  grantPair,
  keysOf,
  memoryKv,
  pemOf,
  startReplica,
  tokenFor,
  tokenPair,
} from './testing/app-bench';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lpmos-cp-'));
  writeFileSync(join(folder, 'jwt.pub'), pemOf(tokenPair.publicKey));
  writeFileSync(join(folder, 'grant.key'), grantPair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
});

afterAll(() => rmSync(folder, { recursive: true }));

async function run(env: Record<string, string>, ...args: string[]) {
  const printed: string[] = [];
  const code = await runProgram(controlPlaneProgram, {
    args,
    env,
    print: (text) => printed.push(text),
    printError: (text) => printed.push(text),
    signal: AbortSignal.abort(),
  });
  return { code, text: printed.join('\n') };
}

const good = () => ({
  LPMOS_JWT_PUBLIC_KEY_FILE: join(folder, 'jwt.pub'),
  LPMOS_GRANT_KEY_FILE: join(folder, 'grant.key'),
});

describe('lpmos-control-plane', () => {
  it('lists every wrong setting at once and does not start', async () => {
    const { code, text } = await run({
      LPMOS_JWT_PUBLIC_KEY_FILE: join(folder, 'grant.key'),
      LPMOS_GRANT_KEY_FILE: join(folder, 'jwt.pub'),
      LPMOS_API_PORT: '70000',
      LPMOS_ETCD_ENDPOINTS: '127.0.0.1:2379',
      LPMOS_JWT_SECRET: 'x',
    });
    expect(code).toBe(78);
    expect(text).toContain('5 problem(s)');
    expect(text).toContain('holds a private key; the control plane must have public keys only');
    expect(text).toContain('holds no PEM private key');
    expect(text).toContain('LPMOS_JWT_SECRET is not a setting');
  });

  it('refuses a certificate without its key', async () => {
    const { code, text } = await run({ ...good(), LPMOS_TLS_CERT_FILE: join(folder, 'jwt.pub') });
    expect([code, text]).toEqual([
      78,
      expect.stringContaining('LPMOS_TLS_CERT_FILE needs LPMOS_TLS_KEY_FILE'),
    ]);
  });

  it('refuses files of TLS that hold something else, by setting and path', async () => {
    const certificate = join(folder, 'jwt.pub');
    const { code, text } = await run({
      ...good(),
      ...{ LPMOS_TLS_CERT_FILE: certificate, LPMOS_TLS_KEY_FILE: certificate },
      LPMOS_ETCD_CA_FILE: join(folder, 'grant.key'),
    });
    expect(code).toBe(78);
    expect(text).toContain(`LPMOS_TLS_CERT_FILE=${certificate}: holds no PEM certificate`);
    expect(text).toContain(`LPMOS_TLS_KEY_FILE=${certificate}: holds no PEM private key`);
    expect(text).toContain('LPMOS_ETCD_CA_FILE=');
  });

  it.each(['abc', '999.1.1.1', ''])('does not look up a name to listen on: "%s"', async (address) => {
    const { code, text } = await run({ ...good(), LPMOS_LISTEN_ADDRESS: address });
    expect([code, text]).toEqual([78, expect.stringContaining('must be an IP address such as 0.0.0.0')]);
  });

  it('says by setting that its port is taken, or that its address is not here', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    const { port } = taken.address() as AddressInfo;
    const start = (host: string) =>
      createHttpServer({
        ...{ listener: () => undefined, host, port, onStopping: () => undefined },
        logger: silentLogger,
      }).start(AbortSignal.abort());
    try {
      await expect(start('127.0.0.1')).rejects.toThrow(`LPMOS_API_PORT=${port}: another program has TCP`);
      await expect(start('192.0.2.77')).rejects.toThrow('LPMOS_LISTEN_ADDRESS=192.0.2.77: is no address');
    } finally {
      taken.close();
    }
  });

  it('prints its settings without reading a key into the output', async () => {
    const { code, text } = await run(good(), '--print-config');
    expect(code).toBe(0);
    expect(text).toContain('LPMOS_GRANT_KEY_FILE=');
    expect(text).not.toContain('PRIVATE KEY');
  });

  it('needs both keys', async () => {
    const { text } = await run({});
    expect(text).toContain('LPMOS_JWT_PUBLIC_KEY_FILE is required');
    expect(text).toContain('LPMOS_GRANT_KEY_FILE is required');
  });
});

it('writes no token and no grant into its log', async () => {
  const lines: string[] = [];
  const kv = memoryKv();
  const logger = createLogger({ name: 'test', level: 'debug', write: (line) => lines.push(line) });
  const replica = await startReplica(kv, { logger });
  const token = tokenFor();
  const forged = `${token.slice(0, -8)}AAAAAAAA`;
  await call(replica, 'GET', '/api/v1/tasks', { token, headers: { 'x-request-id': 'find-me' } });
  expect((await call(replica, 'GET', '/api/v1/tasks', { token: forged })).status).toBe(401);
  await call(replica, 'POST', '/api/v1/tasks', { token, raw: `{"token":"${token}"` });
  await replica.stop();
  kv.close();
  const log = lines.join('\n');
  expect(log).toContain('find-me');
  expect(log).not.toContain(token.slice(0, 40));
  expect(log).not.toContain(token.slice(-20));
});

it('serves TLS when it has a certificate, and says so for the next two years', async () => {
  const [keyFile, certFile] = [join(folder, 'tls.key'), join(folder, 'tls.crt')];
  const subject = ['-subj', '/CN=localhost', '-days', '2', '-nodes'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const made = ['req', '-x509', ...curve, '-keyout', keyFile, '-out', certFile, ...subject];
  execFileSync('openssl', made, { stdio: 'ignore' });
  const stopping = new AbortController();
  const kv = createMemoryKv({ clock: systemClock });
  let ended: Promise<void> | undefined;
  const { port } = await new Promise<AddressInfo>((resolve) => {
    const components = createControlPlane({
      kv,
      logger: silentLogger,
      version: '0',
      listen: { host: '127.0.0.1', port: 0 },
      tls: { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') },
      tokens: { keys: keysOf(tokenPair.publicKey), issuer: 'lpmos', audience: 'lpmos-api' },
      signGrant: createGrantSigner({ privateKey: grantPair.privateKey }),
      grantSeconds: 60,
      processMetrics: false,
      onListening: resolve,
    });
    ended = runGroup({ components, logger: silentLogger, signal: stopping.signal, stopTimeoutMs: 5_000 });
  });
  const answer = await new Promise<{ status: number | undefined; hsts: unknown }>((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      path: '/healthz',
      ca: readFileSync(certFile, 'utf8'),
      servername: 'localhost',
      agent: false,
    } as const;
    requestTls(options, (response) => {
      response.resume();
      resolve({ status: response.statusCode, hsts: response.headers['strict-transport-security'] });
    })
      .on('error', reject)
      .end();
  });
  stopping.abort();
  await ended;
  expect(answer).toEqual({ status: 200, hsts: 'max-age=63072000' });
});
