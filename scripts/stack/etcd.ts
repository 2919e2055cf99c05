/** A real etcd as a child process with its own data folder and free ports: for the quickstart, for tests, for benchmarks. */
import { createServer } from 'node:net';
import { join } from 'node:path';
import { startChild } from './process';
import type { RunningChild } from './process';

export interface EtcdOptions {
  /** Data and log; kept across a restart with the same folder. */
  readonly dir: string;
  readonly clientPort?: number;
  /** Tests that need no durability across power loss spare the disk. */
  readonly withoutFsync?: boolean;
}

export interface RunningEtcd {
  readonly endpoint: string;
  readonly clientPort: number;
  readonly child: RunningChild;
}

const READY_MS = 30_000;

export async function startEtcd(options: EtcdOptions): Promise<RunningEtcd> {
  const clientPort = options.clientPort ?? (await freePort());
  const peerPort = await freePort();
  const endpoint = `http://127.0.0.1:${clientPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const child = await startChild({
    name: 'etcd',
    command: 'etcd',
    args: [
      ...['--name', 'lpmos', '--data-dir', join(options.dir, 'etcd-data')],
      ...['--listen-client-urls', endpoint, '--advertise-client-urls', endpoint],
      ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
      ...['--initial-cluster', `lpmos=${peer}`],
      // Watchers are told that they are current, so that a half-open link is noticed; history is cut hourly.
      ...['--experimental-watch-progress-notify-interval', '10s'],
      ...['--auto-compaction-mode', 'periodic', '--auto-compaction-retention', '1h'],
      ...(options.withoutFsync === true ? ['--unsafe-no-fsync'] : []),
    ],
    logFile: join(options.dir, 'etcd.log'),
    readyWhen: (line) =>
      line.includes('ready to serve client requests') || line.includes('serving insecure client requests'),
    readyMs: READY_MS,
  });
  return { endpoint, clientPort, child };
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
