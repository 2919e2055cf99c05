/**
 * HTTP boot under attack: mutated request lines and headers, hostile paths and queries, pipelines, half requests, resets.
 * Each "packet" is one connection. Wrong is: no answer and no close within the deadline, a status outside the published set,
 * a status 500, a byte of a file that is not published, a script that is no script, a good client not served.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bootScript,
  createBootHttpServer,
  createDirectoryAssets,
  renderIpxeScript,
  type BootHttpServer,
} from '@lpmos/netboot';
import type { FuzzTarget } from './harness';
import { mutate } from './mutate';
import type { SeededRandom } from './seeded-random';

const FILE = Buffer.from(Array.from({ length: 100_000 }, (_none, index) => (index ^ (index >> 8)) & 0xff));
const CANARY = 'CANARY-IN-NO-PUBLISHED-FILE';
const STATUSES = new Set([
  '100',
  '200',
  '206',
  '304',
  '400',
  '404',
  '405',
  '408',
  '414',
  '416',
  '417',
  '431',
]);
const END_WITHIN_MS = 10_000;
/** A reset connection leaves no TIME_WAIT, but ports are few for a million of them: the client's address moves on. */
const CLIENT_ADDRESSES = 200;

export async function openHttpFuzz(): Promise<FuzzTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'lpmos-fuzz-http-'));
  const faults: string[] = [];
  const tally: Record<string, number> = {};
  const count = (what: string) => (tally[what] = (tally[what] ?? 0) + 1);
  const server = await openServer(folder, (event) => {
    count(event.outcome);
    if (/internal|TypeError|RangeError/.test(event.reason)) faults.push(`an internal fault: ${event.reason}`);
  });
  const { port } = await server.start();
  return {
    async attack(first, connections, random) {
      const attacks = Array.from({ length: connections }, (_none, index) => ({
        port,
        localAddress: `127.1.0.${1 + ((first + index) % CLIENT_ADDRESSES)}`,
        ...nextRequest(random),
        reset: random.chance(0.1),
      }));
      const answers = await Promise.all(attacks.map(converse));
      for (const [index, answer] of answers.entries()) {
        const wrong = judge(answer, attacks[index]?.reset === true);
        if (wrong !== undefined)
          faults.push(
            `${wrong} for ${JSON.stringify(attacks[index]?.bytes.toString('latin1').slice(0, 300))}`,
          );
        count(answer.slice(9, 12) || 'no answer');
      }
    },
    serveGoodClient: () => download(port),
    faults: () => faults,
    tally: () => tally,
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function openServer(
  folder: string,
  onEvent: (event: { readonly outcome: string; readonly reason: string }) => void,
): Promise<BootHttpServer> {
  const root = join(folder, 'published');
  mkdirSync(join(root, 'sub'), { recursive: true });
  writeFileSync(join(root, 'sub', 'vmlinuz'), FILE);
  writeFileSync(join(root, 'empty'), '');
  writeFileSync(join(folder, 'secret'), CANARY);
  const assets = await createDirectoryAssets({ root });
  return createBootHttpServer({
    address: '127.0.0.1',
    port: 0,
    assets,
    images: assets,
    onEvent,
    clock: { nowMs: () => Date.now(), monotonicMs: () => performance.now() },
    decider: { decide: () => ({ kind: 'wait', retryAfterSeconds: 5, reason: 'the fuzzer says so' }) },
    scripts: {
      bootScript: ({ decision, mac }) =>
        renderIpxeScript(
          bootScript(decision, {
            machine: mac,
            region: 'fuzz',
            retry: { url: 'http://127.0.0.1/boot/menu.ipxe', seconds: 5, attempts: 3, jitter: 0.5 },
            agent: { kernelUrl: 'http://127.0.0.1/k', initrdUrls: [], kernelArguments: [] },
          }),
        ),
    },
    limits: { headersTimeoutMs: 2000, keepAliveMs: 500, stalledMs: 2000 },
  });
}

const PATHS = [
  '/boot/menu.ipxe?mac=52-54-00-12-34-56&uuid=&serial=%24%7Bx%7D%0aboot&platform=efi',
  '/boot/menu.ipxe?mac=${net0/mac}&mac=&=&&%zz=%00',
  '/boot/menu.ipxe',
  '/boot/assets/sub/vmlinuz',
  '/boot/assets/empty',
  '/images/sub//./vmlinuz',
  '/boot/assets/../secret',
  '/boot/assets/%2e%2e%2fsecret',
  '/boot/assets/..%5csecret',
  '/boot/assets/sub/%2e%2e/%2e%2e/secret',
  '/images/%00/..%c0%af../secret',
  'http://127.0.0.1/images/../secret',
  'HTTP://[::1]:99999/boot/assets/empty',
  '*',
  '//secret',
  `/${'../'.repeat(40)}etc/hostname`,
  `/${'a'.repeat(5000)}`,
];
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'OPTIONS', 'CONNECT', 'TRACE', 'PRI', 'get'];
const HEADERS = [
  'Host: x',
  'host:',
  'Range: bytes=0-99',
  'Range: bytes=-1',
  'Range: bytes=99999999999999999999-',
  'Range: bytes=5-1',
  'Range: bytes=0-1,3-4,7-',
  'Range: bytes=0-9\r\nIf-Range: "x"',
  'If-None-Match: *',
  'If-None-Match: "a", W/"b", "',
  'Connection: close',
  'Connection: upgrade\r\nUpgrade: websocket',
  'Transfer-Encoding: chunked',
  'Content-Length: 5',
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length: -1',
  'Expect: 100-continue',
  'Expect: x',
  ' folded: y',
  `X-Long: ${'y'.repeat(9000)}`,
  `User-Agent: UefiHttpBoot/1.0`,
];

function nextRequest(random: SeededRandom): Pick<Attack, 'bytes' | 'patient'> {
  // Only a request that is whole is sure to be answered without the client's end: its body is then read to the end.
  if (random.chance(0.25)) return { bytes: combined(random, 'Connection: close'), patient: true };
  const requests = Array.from({ length: random.chance(0.1) ? 3 : 1 }, () => combined(random));
  const whole = Buffer.concat(requests);
  return { bytes: random.chance(0.5) ? whole : mutate([whole], random), patient: false };
}

function combined(random: SeededRandom, ...more: readonly string[]): Buffer {
  const method = random.chance(0.7) ? 'GET' : random.pick(METHODS);
  const version = random.chance(0.9)
    ? 'HTTP/1.1'
    : random.pick(['HTTP/1.0', 'HTTP/0.9', 'HTTP/2.0', '', 'X']);
  const headers = Array.from({ length: random.below(4) }, () => random.pick(HEADERS));
  const lines = [`${method} ${random.pick(PATHS)} ${version}`, 'Host: x', ...headers, ...more, '', ''];
  return Buffer.from(lines.join(random.chance(0.95) ? '\r\n' : '\n'), 'latin1');
}

interface Attack {
  readonly port: number;
  readonly localAddress: string;
  readonly bytes: Buffer;
  /** Keeps its side open until the server has closed. */
  readonly patient: boolean;
  /** Leaves in the middle, without reading. */
  readonly reset: boolean;
}

/** @returns what came back until the connection closed; `open` at its end when it did not. */
function converse({ port, localAddress, bytes, patient, reset }: Attack): Promise<string> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const end = (mark = '') => {
      clearTimeout(deadline);
      socket.resetAndDestroy();
      resolve(Buffer.concat(parts).toString('latin1') + mark);
    };
    const socket = connect({ port, host: '127.0.0.1', localAddress }, () => {
      if (reset) socket.write(bytes, () => end());
      else if (patient) socket.write(bytes);
      else socket.end(bytes);
    });
    const deadline = setTimeout(() => end('\nstill open'), END_WITHIN_MS);
    socket.on('data', (part) => parts.push(part));
    socket.on('end', () => end());
    // A server that refuses a request may reset the connection while the rest of it is on its way.
    socket.on('error', () => end());
  });
}

function judge(answer: string, reset: boolean): string | undefined {
  if (answer.endsWith('\nstill open')) return `the connection was still open after ${END_WITHIN_MS} ms`;
  if (answer.includes(CANARY)) return 'a file was served that is not published';
  if (reset || answer === '') return undefined;
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1];
  if (status === undefined) return `no status line: ${JSON.stringify(answer.slice(0, 80))}`;
  return STATUSES.has(status) ? undefined : `status ${status}`;
}

function download(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const path = '/boot/assets/sub/vmlinuz';
    const asked = httpRequest({ host: '127.0.0.1', port, path, timeout: END_WITHIN_MS }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        if (response.statusCode === 200 && Buffer.concat(parts).equals(FILE)) resolve();
        else
          reject(new Error(`a good client got status ${response.statusCode} and other bytes than the file`));
      });
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('a good client was not answered in time')));
    asked.on('error', reject);
    asked.end();
  });
}
