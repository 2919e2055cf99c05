/**
 * A real etcd for tests: a child process on free ports with a data folder of its own. `kill9` and `restart` keep port and data,
 * so that a test can pull the plug. fsync is off: the process is killed, never the kernel, so nothing written is lost.
 * A port found free can be taken before etcd has it; then another is tried.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface EtcdOptions {
  /** Kept when given; else a temporary folder that `stop` removes. */
  readonly dataDir?: string;
  readonly args?: readonly string[];
  /** PEM files; clients must then show a certificate of this authority. */
  readonly tls?: { readonly ca: string; readonly cert: string; readonly key: string };
}

export interface EtcdProcess {
  /** http://127.0.0.1:port, or https://localhost:port with TLS. */
  readonly endpoint: string;
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
  /** As a power cut would: no goodbye to anyone. */
  kill9(): Promise<void>;
  /** Stops the process where it stands (SIGSTOP): its kernel still accepts connections and bytes. */
  pause(): Promise<void>;
  /** Lets a paused process go on. */
  resume(): void;
  /** The same port and data again. */
  restart(): Promise<void>;
}

const BINARY = 'etcd';
const HEALTHY_WITHIN_MS = 20_000;
const PORT_ATTEMPTS = 3;
const KEPT_OUTPUT = 4_000;

interface Spot {
  readonly dataDir: string;
  readonly port: number;
  readonly peerPort: number;
  readonly args: readonly string[];
  readonly tls: EtcdOptions['tls'];
}

export async function startEtcd({ dataDir, args = [], tls }: EtcdOptions = {}): Promise<EtcdProcess> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'lpmos-etcd-')));
  for (let attempt = 1; ; attempt++) {
    const spot: Spot = { dataDir: folder, port: await freePort(), peerPort: await freePort(), args, tls };
    try {
      const child = await launch(spot);
      return handle(spot, child, dataDir === undefined);
    } catch (error) {
      if (attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

function handle(spot: Spot, first: ChildProcess, removeData: boolean): EtcdProcess {
  let child = first;
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  return {
    endpoint: spot.tls === undefined ? `http://127.0.0.1:${spot.port}` : `https://localhost:${spot.port}`,
    port: spot.port,
    get pid() {
      return child.pid ?? 0;
    },
    kill9: () => end('SIGKILL'),
    pause: async () => {
      child.kill('SIGSTOP');
      // The signal takes effect when the kernel gets to it; until then the server still answers.
      const deadline = performance.now() + HEALTHY_WITHIN_MS;
      while (!(await isStopped(child.pid ?? 0))) {
        if (performance.now() > deadline) throw new Error('etcd does not stop on SIGSTOP');
        await sleep(5);
      }
    },
    resume: () => void child.kill('SIGCONT'),
    restart: async () => {
      await end('SIGKILL');
      child = await launch(spot);
    },
    stop: async () => {
      // A stopped process (SIGSTOP) takes no SIGTERM, and nothing here is worth a slow goodbye.
      await end('SIGKILL');
      if (removeData) await rm(spot.dataDir, { recursive: true, force: true });
    },
  };
}

async function launch({ dataDir, port, peerPort, args, tls }: Spot): Promise<ChildProcess> {
  const client = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  const health = await healthUrl();
  const peer = `http://127.0.0.1:${peerPort}`;
  const child = spawn(
    BINARY,
    [
      ...['--name', 'test', '--data-dir', dataDir, '--log-level', 'warn', '--logger', 'zap'],
      ...['--listen-client-urls', client, '--advertise-client-urls', client],
      ...[
        '--listen-peer-urls',
        peer,
        '--initial-advertise-peer-urls',
        peer,
        '--initial-cluster',
        `test=${peer}`,
      ],
      ...['--unsafe-no-fsync', '--listen-metrics-urls', health],
      ...tlsArgs(tls),
      ...args,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-KEPT_OUTPUT);
  });
  let failure: string | undefined;
  child.once(
    'error',
    (error) => (failure = `cannot run "${BINARY}" (${error.message}); install the package etcd-server`),
  );
  child.once('exit', (code, signal) => (failure ??= `etcd ended (${signal ?? code}): ${output}`));
  // Tests that are interrupted must not leave servers behind.
  const killWithUs = (): boolean => child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.off('exit', killWithUs));
  const deadline = performance.now() + HEALTHY_WITHIN_MS;
  while (!(await isHealthy(health))) {
    if (failure !== undefined) throw new Error(failure);
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`etcd is not healthy after ${HEALTHY_WITHIN_MS} ms: ${output}`);
    }
    await sleep(20);
  }
  return child;
}

/** Health without TLS on a port of its own: asking must not need a certificate. */
async function healthUrl(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}

function tlsArgs(tls: EtcdOptions['tls']): string[] {
  if (tls === undefined) return [];
  const { ca, cert, key } = tls;
  return ['--cert-file', cert, '--key-file', key, '--trusted-ca-file', ca, '--client-cert-auth'];
}

async function isStopped(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
}

async function isHealthy(endpoint: string): Promise<boolean> {
  try {
    const answer = await fetch(`${endpoint}/health`, { signal: AbortSignal.timeout(1_000) });
    return ((await answer.json()) as { readonly health?: string }).health === 'true';
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
