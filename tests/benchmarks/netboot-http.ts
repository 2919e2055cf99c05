/**
 * The regional daemon's HTTP beside nginx: an image of 512 MiB for one and for four machines at once, and boot scripts. A script of LPMOS
 * is decided and written anew for each request, with a fresh ticket, for many machines in turn; nginx sends the same bytes from a file.
 * A third server shows what node:http and the kernel cost alone.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fleetMac } from '@lpmos/simulator';
import type { RunningChild } from '../../scripts/stack/process';
import type { Stack } from '../../scripts/stack/stack';
import { atLeast, atMost, rounded } from './harness/benchmark';
import type { Benchmark, BenchmarkResult, Table } from './harness/benchmark';
import { insideMain, runInside } from './harness/namespace-run';
import type { InsideContext } from './harness/namespace-run';
import { startNginx, startPlainNode } from './harness/peers';
import { cpuSeconds, LOAD_CORE, pin, residentMegabytes, runOn, SERVER_CORE } from './harness/processes';
import { orderTask, until, withSite } from './harness/site';
import { median, spreadPercent } from './harness/statistics';

const ROUNDS = { full: 5, quick: 2 };
const IMAGE_BYTES = { full: 512 * 1024 * 1024, quick: 128 * 1024 * 1024 };
const IMAGE = 'large.img';
const ADDRESS = '127.0.0.1';
const NGINX_PORT = 8099;
const PLAIN_PORT = 8098;
/** Machines that ask in turn, each with a task of its own. */
const MACHINES = 64;
const QUERIES = 'machines.lua';
const SCRIPT_SECONDS = 3;
const SCRIPT_CONNECTIONS = 32;
const CLIENTS = [1, 4] as const;

interface Server {
  readonly name: 'LPMOS' | 'nginx' | 'node:http alone';
  readonly pid: number;
  readonly origin: string;
  readonly imagePath: string;
  readonly scriptPath: string;
}

interface Samples {
  /** By number of clients. */
  readonly megabytesPerSecond: Record<1 | 4, number[]>;
  readonly cpuPerGigabyte: Record<1 | 4, number[]>;
  readonly scriptsPerSecond: number[];
  readonly cpuMicrosecondsPerScript: number[];
  residentMegabytes: number;
}

export const netbootHttp: Benchmark = {
  name: 'netboot-http',
  question: 'How fast are images and boot scripts beside nginx?',
  needs: [
    { program: 'nginx', debianPackage: 'nginx-light' },
    { program: 'wrk', debianPackage: 'wrk' },
    { program: 'curl', debianPackage: 'curl' },
  ],
  run: (context) => runInside(__filename, context),
};

async function measureInside(context: InsideContext): Promise<BenchmarkResult> {
  const { dir, quick } = context;
  return withSite(async ({ stack, dir: siteDir }) => {
    pin(stack.daemon.pid, SERVER_CORE);
    const imageBytes = quick ? IMAGE_BYTES.quick : IMAGE_BYTES.full;
    const images = join(siteDir, 'images');
    await writeFile(join(images, IMAGE), Buffer.alloc(imageBytes, 'lpmos'));
    const queries = await orderMachines(stack);
    const lpmos: Server = {
      name: 'LPMOS',
      pid: stack.daemon.pid,
      origin: `http://${ADDRESS}:${stack.daemonPorts['http'] ?? 0}`,
      imagePath: `/images/${IMAGE}`,
      scriptPath: '/boot/menu.ipxe',
    };
    const script = await (await fetch(`${lpmos.origin}${lpmos.scriptPath}?${queries[0] ?? ''}`)).text();
    await mkdir(join(images, 'scripts'));
    await writeFile(join(images, 'scripts', 'boot.ipxe'), script);
    const place = { dir, address: ADDRESS, core: SERVER_CORE };
    const peers: RunningChild[] = [];
    try {
      const nginx = await startNginx({ ...place, port: NGINX_PORT, root: images });
      peers.push(nginx);
      const plain = await startPlainNode({ ...place, port: PLAIN_PORT, imageBytes, script });
      peers.push(plain);
      const servers: Server[] = [
        lpmos,
        {
          name: 'nginx',
          pid: nginx.pid,
          origin: `http://${ADDRESS}:${NGINX_PORT}`,
          imagePath: `/${IMAGE}`,
          scriptPath: '/scripts/boot.ipxe',
        },
        {
          name: 'node:http alone',
          pid: plain.pid,
          origin: `http://${ADDRESS}:${PLAIN_PORT}`,
          imagePath: '/image',
          scriptPath: '/script',
        },
      ];
      await writeQueries(dir, queries);
      const samples = await measureAll(servers, imageBytes, context);
      return resultOf(samples, imageBytes, script.length);
    } finally {
      for (const peer of peers) await peer.stop();
    }
  });
}

/** @returns what each machine says of itself when it asks for its script */
async function orderMachines(stack: Stack): Promise<string[]> {
  const macs = Array.from({ length: MACHINES }, (_none, index) => fleetMac(21, index));
  const ids: string[] = [];
  for (const mac of macs) ids.push(await orderTask(stack, mac));
  for (const id of ids) {
    await until('the task to be ready', async () => (await stack.api.getTask(id)).status === 'ready', 30_000);
  }
  return macs.map((mac) => `mac=${mac.replaceAll(':', '-')}&platform=efi`);
}

/** wrk asks for the machines' scripts in turn. */
async function writeQueries(dir: string, queries: readonly string[]): Promise<void> {
  const list = queries.map((query) => JSON.stringify(query)).join(', ');
  await writeFile(
    join(dir, QUERIES),
    `local queries, requests, at = { ${list} }, {}, 0
function init()
  for index, query in ipairs(queries) do requests[index] = wrk.format("GET", wrk.path .. "?" .. query) end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
`,
  );
}

async function measureAll(
  servers: readonly Server[],
  imageBytes: number,
  { dir, quick, note }: InsideContext,
): Promise<Map<Server['name'], Samples>> {
  const samples = new Map(servers.map(({ name }) => [name, emptySamples()] as const));
  // A program for machines that stay up for months is measured when its code is compiled.
  for (const server of servers) await askForScripts(server, emptySamples(), join(dir, QUERIES));
  for (let round = 0; round < (quick ? ROUNDS.quick : ROUNDS.full); round += 1) {
    for (const server of servers) {
      const own = samples.get(server.name) ?? emptySamples();
      for (const clients of CLIENTS) await downloadImage(server, clients, imageBytes, own);
      own.residentMegabytes = residentMegabytes(server.pid);
      await askForScripts(server, own, join(dir, QUERIES));
    }
    note(`round ${round + 1}`);
  }
  return samples;
}

function emptySamples(): Samples {
  return {
    megabytesPerSecond: { 1: [], 4: [] },
    cpuPerGigabyte: { 1: [], 4: [] },
    scriptsPerSecond: [],
    cpuMicrosecondsPerScript: [],
    residentMegabytes: NaN,
  };
}

async function downloadImage(
  server: Server,
  clients: 1 | 4,
  imageBytes: number,
  samples: Samples,
): Promise<void> {
  const targets = Array.from({ length: clients }, () => [
    '-o',
    '/dev/null',
    `${server.origin}${server.imagePath}`,
  ]).flat();
  const curl = [
    'curl',
    '--silent',
    '--show-error',
    '--fail',
    '--parallel',
    '--parallel-immediate',
    ...targets,
  ];
  const cpuBefore = cpuSeconds(server.pid);
  const { code, output, seconds } = await runOn(LOAD_CORE, curl);
  if (code !== 0) throw new Error(`curl on ${server.name} ended with ${code}: ${output}`);
  const bytes = imageBytes * clients;
  samples.megabytesPerSecond[clients].push(bytes / 1e6 / seconds);
  samples.cpuPerGigabyte[clients].push((cpuSeconds(server.pid) - cpuBefore) / (bytes / 1e9));
}

async function askForScripts(server: Server, samples: Samples, queries: string): Promise<void> {
  const wrk = [
    'wrk',
    '-t',
    '1',
    '-c',
    String(SCRIPT_CONNECTIONS),
    '-d',
    `${SCRIPT_SECONDS}s`,
    '--timeout',
    '20s',
    '-s',
    queries,
    `${server.origin}${server.scriptPath}`,
  ];
  const cpuBefore = cpuSeconds(server.pid);
  const { output } = await runOn(LOAD_CORE, wrk);
  const cpu = cpuSeconds(server.pid) - cpuBefore;
  const requests = Number(/(\d+) requests in /.exec(output)?.[1] ?? NaN);
  const bad = /Non-2xx[^\n]*|Socket errors[^\n]*/.exec(output);
  if (Number.isNaN(requests) || bad !== null) throw new Error(`wrk on ${server.name}: ${output}`);
  samples.scriptsPerSecond.push(requests / SCRIPT_SECONDS);
  samples.cpuMicrosecondsPerScript.push((cpu / requests) * 1e6);
}

function resultOf(
  samples: ReadonlyMap<Server['name'], Samples>,
  imageBytes: number,
  scriptBytes: number,
): BenchmarkResult {
  const nginx = samples.get('nginx') ?? emptySamples();
  const withSpread = (list: readonly number[]): string =>
    `${rounded(median(list))} [${rounded(spreadPercent(list))} %]`;
  const ratio = (list: readonly number[], toList: readonly number[]): string =>
    rounded(median(list) / median(toList));
  const imageTable: Table = {
    title: `An image of ${imageBytes / 1024 / 1024} MiB from the page cache by curl; medians [spread], ratio to nginx`,
    columns: ['server', 'clients', 'MB/s', 'ratio', 'server CPU-s/GB', 'ratio', 'resident MB'],
    rows: CLIENTS.flatMap((clients) =>
      [...samples].map(([name, own]) => [
        name,
        String(clients),
        withSpread(own.megabytesPerSecond[clients]),
        ratio(own.megabytesPerSecond[clients], nginx.megabytesPerSecond[clients]),
        rounded(median(own.cpuPerGigabyte[clients])),
        ratio(own.cpuPerGigabyte[clients], nginx.cpuPerGigabyte[clients]),
        rounded(own.residentMegabytes),
      ]),
    ),
  };
  const scriptTable: Table = {
    title: `Boot scripts of ${scriptBytes} bytes by wrk, ${SCRIPT_CONNECTIONS} connections, ratio to nginx`,
    columns: ['server', 'scripts/s', 'ratio', 'server CPU µs per script', 'ratio'],
    rows: [...samples].map(([name, own]) => [
      name,
      withSpread(own.scriptsPerSecond),
      ratio(own.scriptsPerSecond, nginx.scriptsPerSecond),
      rounded(median(own.cpuMicrosecondsPerScript)),
      ratio(own.cpuMicrosecondsPerScript, nginx.cpuMicrosecondsPerScript),
    ]),
  };
  const lpmos = samples.get('LPMOS') ?? emptySamples();
  const times = (list: readonly number[], toList: readonly number[]): number => median(list) / median(toList);
  return {
    targets: [
      atLeast(
        'image, 4 clients, speed',
        1,
        times(lpmos.megabytesPerSecond[4], nginx.megabytesPerSecond[4]),
        '× nginx',
      ),
      atMost(
        'image, 4 clients, processor time',
        1.2,
        times(lpmos.cpuPerGigabyte[4], nginx.cpuPerGigabyte[4]),
        '× nginx',
      ),
      atLeast('boot scripts a second', 0.9, times(lpmos.scriptsPerSecond, nginx.scriptsPerSecond), '× nginx'),
    ],
    tables: [imageTable, scriptTable],
    remarks: [
      `LPMOS is the whole regional daemon with its log, which has a line for each script, for ${MACHINES} machines in turn. nginx: one worker, sendfile, no access log; its resident size is that of its master.`,
      '`node:http alone` answers each request with the same bytes from memory and does nothing else: below it is only the kernel. It reads no file and writes one buffer again and again.',
    ],
  };
}

if (require.main === module) insideMain(measureInside);
