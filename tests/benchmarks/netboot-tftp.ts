/**
 * The regional daemon's TFTP beside dnsmasq and atftpd: a loader of nearly 1 MB, with and without windows, for one machine and for fifty at
 * once. Servers take turns within each round; all run on one core, the load on the other. A fourth server shows what node:dgram costs alone.
 */
import { copyFile, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunningChild } from '../../scripts/stack/process';
import { atLeast, rounded } from './harness/benchmark';
import type { Benchmark, BenchmarkResult, Target } from './harness/benchmark';
import { insideMain, runInside } from './harness/namespace-run';
import type { InsideContext } from './harness/namespace-run';
import { startAtftpd, startDnsmasqTftp, startPlainNodeTftp } from './harness/peers';
import { cpuSeconds, LOAD_CORE, pin, runOn, SERVER_CORE } from './harness/processes';
import { ROOT } from './harness/provenance';
import { withSite } from './harness/site';
import { median, percentile, spreadPercent } from './harness/statistics';
import type { TftpLoad, TftpLoadResult } from './harness/tftp-load';

const ROUNDS = { full: 5, quick: 2 };
/** The largest loader that Debian's ipxe has, as machines really fetch it. */
const LOADERS = '/usr/lib/ipxe';
const FILE = 'ipxe.efi';
const ADDRESS = '127.0.0.1';
const ATFTPD_PORT = 6969;
const PLAIN_PORT = 6970;
const PLAIN = 'node:dgram alone';
const CASES = [
  { windowsize: 1, clients: 1, transfersPerClient: 12 },
  { windowsize: 16, clients: 1, transfersPerClient: 25 },
  { windowsize: 64, clients: 1, transfersPerClient: 25 },
  { windowsize: 1, clients: 50, transfersPerClient: 2 },
  { windowsize: 16, clients: 50, transfersPerClient: 2 },
] as const;
/** dnsmasq does not know windowsize; its figures there are lock-step, which is what machines would get from it. */
const BASELINE = 'dnsmasq';

interface Server {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
}

interface Sample {
  readonly megabytesPerSecond: number;
  readonly cpuPerGigabyte: number;
  readonly p99Ms: number;
  readonly windowsize: number;
  readonly retries: number;
}

export const netbootTftp: Benchmark = {
  name: 'netboot-tftp',
  question: 'How fast is TFTP beside dnsmasq and atftpd?',
  needs: [
    { program: '/usr/lib/ipxe/ipxe.efi', debianPackage: 'ipxe' },
    { program: 'dnsmasq', debianPackage: 'dnsmasq-base' },
    { program: 'atftpd', debianPackage: 'atftpd' },
  ],
  run: (context) => runInside(__filename, context),
};

/** The load asks for no lease; beside another DHCP server every host of the subnet may load. */
const OPEN_LINK = {
  subnet: '127.0.0.0/8',
  mode: 'observe',
  ports: { server: 0, client: 1068, relay: 1067 },
};

async function measureInside(context: InsideContext): Promise<BenchmarkResult> {
  const { dir } = context;
  const root = join(dir, 'loaders');
  await mkdir(root);
  await copyFile(join(LOADERS, FILE), join(root, FILE));
  const { size } = await stat(join(root, FILE));
  const settings = { stack: { dhcpLink: OPEN_LINK } };
  return withSite(async ({ stack }) => {
    pin(stack.daemon.pid, SERVER_CORE);
    const place = { dir, address: ADDRESS, core: SERVER_CORE };
    const peers: RunningChild[] = [];
    const startPeer = async (
      name: string,
      port: number,
      starting: Promise<RunningChild>,
    ): Promise<Server> => {
      const peer = await starting;
      peers.push(peer);
      return { name, pid: peer.pid, port };
    };
    try {
      const servers: Server[] = [
        { name: 'LPMOS', pid: stack.daemon.pid, port: stack.daemonPorts['tftp'] ?? 0 },
        await startPeer(BASELINE, 69, startDnsmasqTftp({ ...place, root })),
        await startPeer('atftpd', ATFTPD_PORT, startAtftpd({ ...place, root, port: ATFTPD_PORT })),
        await startPeer(
          PLAIN,
          PLAIN_PORT,
          startPlainNodeTftp({ ...place, port: PLAIN_PORT, file: join(root, FILE) }),
        ),
      ];
      return resultOf(await measureAll(servers, context), size);
    } finally {
      for (const peer of peers) await peer.stop();
    }
  }, settings);
}

type Samples = ReadonlyMap<(typeof CASES)[number], ReadonlyMap<string, Sample[]>>;

async function measureAll(servers: readonly Server[], { quick, note }: InsideContext): Promise<Samples> {
  const samples = new Map(
    CASES.map((each) => [each, new Map(servers.map(({ name }) => [name, [] as Sample[]]))] as const),
  );
  for (let round = 0; round < (quick ? ROUNDS.quick : ROUNDS.full); round += 1) {
    for (const [each, ofCase] of samples) {
      for (const server of servers) {
        const sample = await loadOnce(server, {
          ...each,
          host: ADDRESS,
          port: server.port,
          file: FILE,
          blksize: 1468,
        });
        ofCase.get(server.name)?.push(sample);
      }
    }
    note(`round ${round + 1}`);
  }
  return samples;
}

async function loadOnce(server: Server, load: TftpLoad): Promise<Sample> {
  const tsx = join(ROOT, 'node_modules', 'tsx', 'dist', 'cli.mjs');
  const program = [process.execPath, tsx, join(__dirname, 'harness', 'tftp-load.ts'), JSON.stringify(load)];
  const cpuBefore = cpuSeconds(server.pid);
  const { code, output } = await runOn(LOAD_CORE, program);
  const cpu = cpuSeconds(server.pid) - cpuBefore;
  if (code !== 0) throw new Error(`the load on ${server.name} ended with ${code}: ${output}`);
  const result = JSON.parse(output.trim().split('\n').at(-1) ?? '') as TftpLoadResult;
  return {
    megabytesPerSecond: result.bytes / 1e6 / result.seconds,
    cpuPerGigabyte: cpu / ((result.bytes + result.warmBytes) / 1e9),
    p99Ms: percentile(result.transferMs, 0.99),
    windowsize: result.windowsize,
    retries: result.retries,
  };
}

function resultOf(samples: Samples, fileBytes: number): BenchmarkResult {
  const middle = (list: readonly Sample[], pick: (sample: Sample) => number): number =>
    median(list.map(pick));
  const rows = [...samples].flatMap(([each, ofCase]) => {
    const baseline = middle(ofCase.get(BASELINE) ?? [], ({ megabytesPerSecond }) => megabytesPerSecond);
    return [...ofCase].map(([name, list]) => {
      const speeds = list.map(({ megabytesPerSecond }) => megabytesPerSecond);
      const granted = list[0]?.windowsize === each.windowsize ? '' : ' (granted none)';
      return [
        `window ${each.windowsize}, ${each.clients} client${each.clients === 1 ? '' : 's'}`,
        `${name}${granted}`,
        `${rounded(median(speeds))} [${rounded(spreadPercent(speeds))} %]`,
        rounded(median(speeds) / baseline),
        rounded(middle(list, ({ cpuPerGigabyte }) => cpuPerGigabyte)),
        rounded(middle(list, ({ p99Ms }) => p99Ms)),
        String(list.reduce((sum, { retries }) => sum + retries, 0)),
      ];
    });
  });
  return {
    targets: targetsOf(samples),
    tables: [
      {
        title: `iPXE for UEFI, ${rounded(fileBytes / 1e6)} MB, blksize 1468; medians [spread]`,
        columns: [
          'case',
          'server',
          'MB/s',
          `ratio to ${BASELINE}`,
          'server CPU-s/GB',
          'p99 of a transfer, ms',
          'retries',
        ],
        rows,
      },
    ],
    remarks: [
      'LPMOS is the whole regional daemon with its log, not its TFTP alone. The load is a Node program on the other core and often the limit: compare the processor seconds.',
      '`node:dgram alone` answers each ACK with the next packet and does nothing else: no timer, limit, log or check. Below it are only Node and the kernel.',
    ],
  };
}

/** Lock-step is all waiting, so nobody should win; with windows a C server on sendto is ahead of any Node. */
const WANTED = [
  { windowsize: 1, clients: 1, peer: 'dnsmasq', least: 1 },
  { windowsize: 16, clients: 1, peer: 'atftpd', least: 0.5 },
  { windowsize: 64, clients: 1, peer: 'atftpd', least: 0.5 },
  { windowsize: 1, clients: 50, peer: 'dnsmasq', least: 1 },
  { windowsize: 16, clients: 50, peer: 'dnsmasq', least: 1 },
] as const;

function targetsOf(samples: Samples): Target[] {
  return WANTED.map(({ windowsize, clients, peer, least }) => {
    const found = [...samples].find(([each]) => each.windowsize === windowsize && each.clients === clients);
    const speed = (name: string): number =>
      median((found?.[1].get(name) ?? []).map(({ megabytesPerSecond }) => megabytesPerSecond));
    return atLeast(
      `window ${windowsize}, clients ${clients}`,
      least,
      speed('LPMOS') / speed(peer),
      `× ${peer}`,
    );
  });
}

if (require.main === module) insideMain(measureInside);
