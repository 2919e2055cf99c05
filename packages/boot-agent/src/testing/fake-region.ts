/**
 * A region for tests of the agent: a real gRPC server over TLS that records what comes up and sends down what a test says.
 * It acknowledges reports and outcomes unless told otherwise.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { AgentServiceService } from '@lpmos/proto';
import type { AgentServiceServer, Hello, SessionRequest, SessionResponse } from '@lpmos/proto';

export const SERVER_NAME = 'region.lab.lpmos.internal';

export interface SiteCertificates {
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
}

/** A fresh CA and a certificate of it for SERVER_NAME. */
export function makeCertificates(): SiteCertificates {
  const dir = mkdtempSync(join(tmpdir(), 'lpmos-ca-'));
  const openssl = (...args: string[]): void =>
    void execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' });
  try {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
      '-days',
      '2',
      '-subj',
      '/CN=lab CA',
    );
    openssl('req', ...key, '-keyout', 'region.key', '-out', 'region.csr', '-subj', '/CN=region');
    writeFileSync(join(dir, 'ext'), `subjectAltName=DNS:${SERVER_NAME}\n`);
    const sign = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', 'ext', '-days', '2'];
    openssl('x509', '-req', '-in', 'region.csr', ...sign, '-out', 'region.pem');
    const text = (name: string): string => readFileSync(join(dir, name), 'utf8');
    return { caPem: text('ca.pem'), certPem: text('region.pem'), keyPem: text('region.key') };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

type Stream = ServerDuplexStream<SessionRequest, SessionResponse>;
export type Message = NonNullable<SessionRequest['message']>;

export interface FakeRegion {
  readonly port: number;
  readonly hellos: Hello[];
  readonly received: SessionRequest[];
  /** Changes what hellos are answered with. */
  policy: { refuse: boolean; standsBy: boolean; acknowledge: boolean; offsetMs: number; regionId: string };
  send(message: NonNullable<SessionResponse['message']>): void;
  dropLink(): void;
  /** The first thing that `find` makes of a message, past ones included; rejects after the deadline. */
  next<T>(what: string, find: (message: Message) => T | undefined): Promise<T>;
  stop(): void;
}

const DEADLINE_MS = 20_000;

export async function startFakeRegion(certificates: SiteCertificates, port = 0): Promise<FakeRegion> {
  const server = new Server();
  const received: SessionRequest[] = [];
  const hellos: Hello[] = [];
  const policy: FakeRegion['policy'] = {
    ...{ refuse: false, standsBy: false, acknowledge: true },
    ...{ offsetMs: 0, regionId: 'lab' },
  };
  let stream: Stream | undefined;
  let acknowledged = 0;
  const watchers = new Set<() => void>();
  const greet = (call: Stream, hello: Hello): void => {
    hellos.push(hello);
    if (policy.standsBy) {
      call.emit('error', { code: status.UNAVAILABLE, details: 'this daemon stands by' });
      return;
    }
    if (policy.refuse) {
      call.emit('error', { code: status.UNAUTHENTICATED, details: 'ticket used' });
      return;
    }
    stream = call;
    const value = {
      sessionId: 's1',
      sessionToken: 'token-1',
      regionId: policy.regionId,
      serverTimeMs: String(Date.now() + policy.offsetMs),
      acknowledgedSeq: String(acknowledged),
    };
    call.write({ message: { $case: 'welcome', value } });
  };
  const take = (call: Stream, request: SessionRequest): void => {
    const { message } = request;
    if (message?.$case === 'hello') greet(call, message.value);
    else if (message !== undefined) {
      received.push(request);
      const durable =
        message.$case === 'hardware' || message.$case === 'result' || message.$case === 'cancelObeyed';
      if (durable && policy.acknowledge) {
        acknowledged = Math.max(acknowledged, Number(request.seq));
        call.write({ message: { $case: 'ack', value: { seq: request.seq } } });
      }
    }
    watchers.forEach((look) => look());
  };
  const service: AgentServiceServer = {
    session(call) {
      call.on('data', (request: SessionRequest) => take(call, request));
      call.on('error', () => undefined);
      call.on('end', () => call.end());
    },
    report: (_call, callback) => callback({ code: status.UNIMPLEMENTED }),
  };
  server.addService(AgentServiceService, service);
  const pair = {
    private_key: Buffer.from(certificates.keyPem),
    cert_chain: Buffer.from(certificates.certPem),
  };
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createSsl(null, [pair]), (error, at) =>
      error === null ? resolve(at) : reject(error),
    );
  });
  const next: FakeRegion['next'] = async (what, find) =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = received.map(({ message }) => (message === undefined ? undefined : find(message)));
        const value = found.find((each) => each !== undefined);
        if (value === undefined) return;
        clearTimeout(timer);
        watchers.delete(look);
        resolve(value);
      };
      const timer = setTimeout(() => {
        watchers.delete(look);
        reject(new Error(`no ${what} came; seen: ${received.map((each) => each.message?.$case).join(' ')}`));
      }, DEADLINE_MS);
      watchers.add(look);
      look();
    });
  return {
    port: bound,
    hellos,
    received,
    policy,
    send: (message) => void stream?.write({ message }),
    dropLink: () => void stream?.emit('error', { code: status.UNAVAILABLE, details: 'link cut' }),
    next,
    stop: () => server.forceShutdown(),
  };
}
