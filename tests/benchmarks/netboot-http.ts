/**
 * The regional daemon's HTTP beside nginx: an image of 512 MiB for one and for four machines at once, and boot scripts. A script of LPMOS
 * is decided and written anew for each request, with a fresh ticket; nginx sends the same bytes from a file.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fleetMac } from '@lpmos/simulator';
import { atLeast, atMost, rounded } from './harness/benchmark';
import type { Benchmark, BenchmarkResult, Table } from './harness/benchmark';
import { insideMain, runInside } from './harness/namespace-run';
import type { InsideContext } from './harness/namespace-run';
import { startNginx } from './harness/peers';
import { cpuSeconds, LOAD_CORE, pin, residentMegabytes, runOn, SERVER_CORE } from './harness/processes';
import { orderTask, until, withSite } from './harness/site';
import { median, spreadPercent } from './harness/statistics';

const ROUNDS = { full: 5, quick: 2 };
const IMAGE_BYTES = { full: 512 * 1024 * 1024, quick: 128 * 1024 * 1024 };
const IMAGE = 'large.img';
const ADDRESS = '127.0.0.1';
const NGINX_PORT = 8099;
const SCRIPT_SECONDS = 3;
const SCRIPT_CONNECTIONS = 32;
const CLIENTS = [1, 4] as const;

interface Server {
  readonly name: 'LPMOS' | 'nginx';
  readonly pid: number;
  readonly imageUrl: string;
  readonly scriptUrl: string;
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
    const mac = fleetMac(21, 0);
    const id = await orderTask(stack, mac);
    await until('the task to be ready', async () => (await stack.api.getTask(id)).status === 'ready', 30_000);
    const daemon = `http://${ADDRESS}:${stack.daemonPorts['http'] ?? 0}`;
    const scriptUrl = `${daemon}/boot/menu.ipxe?mac=${mac.replaceAll(':', '-')}`;
    const script = await (await fetch(scriptUrl)).text();
    await mkdir(join(images, 'scripts'));
    await writeFile(join(images, 'scripts', 'boot.ipxe'), script);
    const nginx = await startNginx({
      dir,
      address: ADDRESS,
      core: SERVER_CORE,
      port: NGINX_PORT,
      root: images,
    });
    const peer = `http://${ADDRESS}:${NGINX_PORT}`;
    const servers: Server[] = [
      { name: 'LPMOS', pid: stack.daemon.pid, imageUrl: `${daemon}/images/${IMAGE}`, scriptUrl },
      { name: 'nginx', pid: nginx.pid, imageUrl: `${peer}/${IMAGE}`, scriptUrl: `${peer}/scripts/boot.ipxe` },
    ];
    try {
      const samples = await measureAll(servers, imageBytes, context);
      return resultOf(samples, imageBytes, script.length);
    } finally {
      await nginx.stop();
    }
  });
}

async function measureAll(
  servers: readonly Server[],
  imageBytes: number,
  { quick, note }: InsideContext,
): Promise<Map<Server['name'], Samples>> {
  const samples = new Map(servers.map(({ name }) => [name, emptySamples()] as const));
  for (let round = 0; round < (quick ? ROUNDS.quick : ROUNDS.full); round += 1) {
    for (const server of servers) {
      const own = samples.get(server.name) ?? emptySamples();
      for (const clients of CLIENTS) await downloadImage(server, clients, imageBytes, own);
      own.residentMegabytes = residentMegabytes(server.pid);
      await askForScripts(server, own);
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
  const targets = Array.from({ length: clients }, () => ['-o', '/dev/null', server.imageUrl]).flat();
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

async function askForScripts(server: Server, samples: Samples): Promise<void> {
  const wrk = [
    'wrk',
    '-t',
    '1',
    '-c',
    String(SCRIPT_CONNECTIONS),
    '-d',
    `${SCRIPT_SECONDS}s`,
    server.scriptUrl,
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
    title: `Boot scripts of ${scriptBytes} bytes by wrk, ${SCRIPT_CONNECTIONS} connections`,
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
        0.9,
        times(lpmos.megabytesPerSecond[4], nginx.megabytesPerSecond[4]),
        '× nginx',
      ),
      atMost(
        'image, 4 clients, processor time',
        1.3,
        times(lpmos.cpuPerGigabyte[4], nginx.cpuPerGigabyte[4]),
        '× nginx',
      ),
      atLeast('boot scripts a second', 0.9, times(lpmos.scriptsPerSecond, nginx.scriptsPerSecond), '× nginx'),
    ],
    tables: [imageTable, scriptTable],
    remarks: [
      'LPMOS is the whole regional daemon with its log, which has a line for each script. nginx: one worker, sendfile, no access log; its resident size is that of its master.',
    ],
  };
}

if (require.main === module) insideMain(measureInside);
