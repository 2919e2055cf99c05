/**
 * One page of 50 out of 10 000 tasks through the API, beside a raw page of 50 keys from the same etcd by etcd3, in alternating batches:
 * first on a quiet store, then while another process writes as fast as it can. One client, one request at a time, connections kept open.
 * A page of the API is 50 whole tasks (several keys each), decoded, sorted newest first, checked for who asks, printed as JSON.
 */
import { Agent, get } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { systemClock } from '@lpmos/runtime';
import { createEtcdKv, createTaskStore } from '@lpmos/store';
import { startChild } from '../../scripts/stack/process';
import { signToken } from '../../scripts/stack/token';
import { rounded } from './harness/benchmark';
import type { Benchmark, BenchmarkContext } from './harness/benchmark';
import { ROOT } from './harness/provenance';
import { seedTasks, SHELF_REGION } from './harness/seed-tasks';
import { until, withSite } from './harness/site';
import type { BenchSite } from './harness/site';
import { percentile } from './harness/statistics';

const TASKS = { full: 10_000, quick: 2_000 };
const ROUNDS = { full: 10, quick: 5 };
const BATCH = 100;
const PAGE = 50;

type Reading = () => Promise<unknown>;
type Samples = Record<'api' | 'api, one region and status' | 'etcd', number[]>;

export const taskList: Benchmark = {
  name: 'task-list',
  question: 'How long does a page of 50 out of 10 000 tasks take?',
  async run(context) {
    const count = context.quick ? TASKS.quick : TASKS.full;
    return withSite(async (site) => {
      const seconds = await seed(site, count);
      context.note(`${count} tasks written in ${rounded(seconds)} s`);
      const readers = createReaders(site);
      try {
        await until(
          'the control plane to see all tasks',
          async () => (await readers.total()) === count,
          60_000,
        );
        const quiet = await readInTurns(readers, context);
        const writer = await startWriter(site);
        const busy = await readInTurns(readers, context);
        const written = await writer.stop();
        return resultOf({ quiet, busy, count, written });
      } finally {
        readers.close();
      }
    });
  },
};

async function seed({ stack }: BenchSite, count: number): Promise<number> {
  await stack.api.registerRegion({ region_id: SHELF_REGION, display_name: 'no daemon here' });
  const kv = createEtcdKv({ endpoints: [stack.etcd.endpoint] });
  const begun = performance.now();
  await seedTasks(createTaskStore({ kv, clock: systemClock }), count);
  kv.close();
  return (performance.now() - begun) / 1000;
}

interface Readers extends Record<keyof Samples, Reading> {
  total(): Promise<number>;
  close(): void;
}

/** As much of etcd3 as a raw page needs; only the store depends on the package, so it is resolved from there. */
interface Etcd3Module {
  readonly Etcd3: new (options: { hosts: string }) => {
    getAll(): {
      prefix(key: string): { limit(count: number): { strings(): Promise<Record<string, string>> } };
    };
    close(): void;
  };
}

function createReaders({ stack }: BenchSite): Readers {
  const fromStore = createRequire(join(ROOT, 'packages', 'store', 'package.json'));
  const client = new (fromStore('etcd3') as Etcd3Module).Etcd3({ hosts: stack.etcd.endpoint });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const token = signToken({ keyFile: stack.keys.tokenKeyFile, subject: 'benchmark', roles: ['viewer'] });
  const list = (query: string): Promise<{ tasks: unknown[]; total: number }> =>
    getJson(`${stack.apiUrl}/api/v1/tasks?limit=${PAGE}${query}`, agent, token);
  const fullPage = async (query: string): Promise<void> => {
    const { tasks } = await list(query);
    if (tasks.length !== PAGE) throw new Error(`a page has ${tasks.length} tasks instead of ${PAGE}`);
  };
  return {
    api: () => fullPage(''),
    'api, one region and status': () => fullPage(`&region_id=${SHELF_REGION}&status=pending_approval`),
    etcd: () => client.getAll().prefix('/lpmos/tasks/').limit(PAGE).strings(),
    total: async () => (await list('')).total,
    close: () => {
      client.close();
      agent.destroy();
    },
  };
}

async function getJson<T>(url: string, agent: Agent, token: string): Promise<T> {
  const text = await new Promise<string>((resolve, reject) => {
    get(url, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (body += chunk));
      response.on('end', () =>
        response.statusCode === 200 ? resolve(body) : reject(new Error(`${response.statusCode}: ${body}`)),
      );
    }).on('error', reject);
  });
  return JSON.parse(text) as T;
}

async function readInTurns(readers: Readers, { quick, note }: BenchmarkContext): Promise<Samples> {
  const samples: Samples = { api: [], 'api, one region and status': [], etcd: [] };
  const names = Object.keys(samples) as (keyof Samples)[];
  for (const name of names) for (let warm = 0; warm < BATCH; warm += 1) await readers[name]();
  for (let round = 0; round < (quick ? ROUNDS.quick : ROUNDS.full); round += 1) {
    for (const name of names) {
      for (let request = 0; request < BATCH; request += 1) {
        const begun = performance.now();
        await readers[name]();
        samples[name].push(performance.now() - begun);
      }
    }
  }
  note(names.map((name) => `${name} p99 ${rounded(percentile(samples[name], 0.99))} ms`).join(', '));
  return samples;
}

async function startWriter({ dir, stack }: BenchSite): Promise<{ stop(): Promise<number> }> {
  const begun = performance.now();
  let last = '';
  const child = await startChild({
    name: 'writer',
    command: process.execPath,
    args: [
      join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs'),
      join(__dirname, 'harness', 'write-tasks.ts'),
      stack.etcd.endpoint,
    ],
    logFile: join(dir, 'writer.log'),
    readyWhen: (line) => line === 'writing',
    readyMs: 30_000,
    onLine: (line) => (last = line),
  });
  return {
    stop: async () => {
      const seconds = (performance.now() - begun) / 1000;
      await child.stop();
      if (!/^\d+$/.test(last)) throw new Error(`the writer did not write: ${last}`);
      return Number(last) / seconds;
    },
  };
}

function resultOf(found: {
  readonly quiet: Samples;
  readonly busy: Samples;
  readonly count: number;
  readonly written: number;
}): Awaited<ReturnType<Benchmark['run']>> {
  const rows = (['quiet', 'busy'] as const).flatMap((load) =>
    (Object.keys(found.quiet) as (keyof Samples)[]).map((name) => {
      const samples = found[load][name];
      const [p50, p99] = [percentile(samples, 0.5), percentile(samples, 0.99)];
      return [
        load,
        name,
        rounded(p50),
        rounded(p99),
        rounded(p50 / percentile(found[load].etcd, 0.5)),
        rounded(p99 / percentile(found[load].etcd, 0.99)),
      ];
    }),
  );
  return {
    targets: [],
    tables: [
      {
        title: `${found.count} tasks, ${found.quiet.api.length} requests each in turns of ${BATCH}`,
        columns: ['store', 'page of 50', 'p50 ms', 'p99 ms', 'p50 ratio to etcd', 'p99 ratio to etcd'],
        rows,
      },
    ],
    remarks: [
      `Busy: a second process made ${rounded(found.written)} guarded transactions a second through the store meanwhile, and the control plane's cache followed them.`,
      '`etcd` is `getAll().prefix().limit(50)` of etcd3: 50 keys, about seven tasks; it can neither sort by age nor filter. The API reads its watch cache, never etcd.',
    ],
  };
}
