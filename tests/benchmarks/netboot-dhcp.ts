/**
 * The regional daemon's DHCP beside kea (leases in its memfile on disk) and dnsmasq: perfdhcp as a relay over a veth pair asks for more
 * and more addresses a second. Every server has the same pool; clients are drawn from 60 000, so lease tables grow during a run.
 */
import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { atLeast, rounded } from './harness/benchmark';
import type { Benchmark, BenchmarkResult } from './harness/benchmark';
import { insideMain, runInside } from './harness/namespace-run';
import type { InsideContext } from './harness/namespace-run';
import { startDnsmasqDhcp, startKea } from './harness/peers';
import { cpuSeconds, LOAD_CORE, pin, residentMegabytes, runOn, SERVER_CORE } from './harness/processes';
import { withSite } from './harness/site';
import { median, spreadPercent } from './harness/statistics';

const ROUNDS = { full: 3, quick: 1 };
const LADDER = {
  full: [50, 100, 250, 500, 1000, 2000, 4000, 6000, 7000, 8000, 14_000],
  quick: [50, 250, 2000, 8000],
};
/** The step whose processor time is compared. */
const COMPARED_RATE = 2000;
const STEP_SECONDS = 3;
const CLIENTS = 60_000;
/** perfdhcp never asks again, so a step with more losses than this is beyond the server. */
const MOST_LOSS = 0.05;
const LINK = {
  interface: 'veth0',
  loadInterface: 'veth1',
  loadNamespace: 'load',
  server: '10.99.0.1',
  relay: '10.99.0.2',
  subnet: '10.99.0.0/16',
  netmask: '255.255.0.0',
  pool: { first: '10.99.1.0', last: '10.99.250.255' },
} as const;

type ServerName = 'LPMOS' | 'kea' | 'dnsmasq';

interface Step {
  readonly achieved: number;
  readonly loss: number;
  readonly cpuMillisecondsPerExchange: number;
  readonly delayMs: number;
}

interface Climb {
  readonly best: number;
  readonly compared: Step | undefined;
  readonly residentMegabytes: number;
}

export const netbootDhcp: Benchmark = {
  name: 'netboot-dhcp',
  question: 'How many addresses a second does DHCP give, beside kea and dnsmasq?',
  needs: [
    { program: 'kea-dhcp4', debianPackage: 'kea-dhcp4-server' },
    { program: 'perfdhcp', debianPackage: 'kea-admin' },
    { program: 'dnsmasq', debianPackage: 'dnsmasq-base' },
  ],
  run: (context) => runInside(__filename, context),
};

async function measureInside(context: InsideContext): Promise<BenchmarkResult> {
  layCable();
  const climbs: Record<ServerName, Climb[]> = { LPMOS: [], kea: [], dnsmasq: [] };
  for (let round = 0; round < (context.quick ? ROUNDS.quick : ROUNDS.full); round += 1) {
    for (const name of ['LPMOS', 'kea', 'dnsmasq'] as const) {
      const dir = join(context.dir, `${name}-${round}`);
      await mkdir(dir);
      const climb = await CLIMBS[name](dir, context);
      climbs[name].push(climb);
      context.note(`round ${round + 1}, ${name}: ${rounded(climb.best)} exchanges/s`);
    }
  }
  return resultOf(climbs);
}

/** One server at a time owns port 67. */
const CLIMBS: Readonly<Record<ServerName, (dir: string, context: InsideContext) => Promise<Climb>>> = {
  LPMOS: (_dir, context) =>
    withSite(
      ({ stack }) => {
        pin(stack.daemon.pid, SERVER_CORE);
        return climb(stack.daemon.pid, context);
      },
      {
        stack: {
          serviceAddress: LINK.server,
          dhcpLink: { name: 'bench', subnet: LINK.subnet, pool: LINK.pool, relays: [LINK.relay] },
        },
      },
    ),
  kea: async (dir, context) => {
    const { interface: link, server: address, subnet, pool } = LINK;
    const kea = await startKea({ dir, address, core: SERVER_CORE, interface: link, subnet, pool });
    try {
      return await climb(kea.pid, context);
    } finally {
      await kea.stop();
    }
  },
  dnsmasq: async (dir, context) => {
    const { interface: link, server: address, netmask, pool } = LINK;
    const dnsmasq = await startDnsmasqDhcp({
      dir,
      address,
      core: SERVER_CORE,
      interface: link,
      netmask,
      pool,
    });
    try {
      return await climb(dnsmasq.pid, context);
    } finally {
      await dnsmasq.stop();
    }
  },
};

function layCable(): void {
  const ip = (...args: string[]): void => void execFileSync('ip', args);
  const { interface: near, loadInterface: far, loadNamespace } = LINK;
  // The mount namespace is ours alone, so names of namespaces are as well.
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
  ip('netns', 'add', loadNamespace);
  ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', loadNamespace);
  ip('addr', 'add', `${LINK.server}/16`, 'dev', near);
  ip('link', 'set', near, 'up');
  ip('-n', loadNamespace, 'addr', 'add', `${LINK.relay}/16`, 'dev', far);
  ip('-n', loadNamespace, 'link', 'set', far, 'up');
  ip('-n', loadNamespace, 'link', 'set', 'lo', 'up');
}

async function climb(pid: number, { quick }: InsideContext): Promise<Climb> {
  let best = 0;
  let compared: Step | undefined;
  for (const rate of quick ? LADDER.quick : LADDER.full) {
    const step = await takeStep(pid, rate);
    if (rate === COMPARED_RATE) compared = step;
    if (step.loss > MOST_LOSS) break;
    best = Math.max(best, step.achieved);
  }
  return { best, compared, residentMegabytes: residentMegabytes(pid) };
}

async function takeStep(pid: number, rate: number): Promise<Step> {
  const { loadNamespace, loadInterface, server } = LINK;
  const perfdhcp = ['perfdhcp', '-4', '-l', loadInterface, '-r', String(rate), '-p', String(STEP_SECONDS)];
  // -W: wait for what is under way when the time is over, in microseconds.
  const argv = [
    'ip',
    'netns',
    'exec',
    loadNamespace,
    ...perfdhcp,
    '-R',
    String(CLIENTS),
    '-W',
    '500000',
    server,
  ];
  const cpuBefore = cpuSeconds(pid);
  const { output } = await runOn(LOAD_CORE, argv);
  const cpu = cpuSeconds(pid) - cpuBefore;
  // perfdhcp ends with 3 when exchanges are incomplete; its counters say the rest.
  const { discover, request } = readCounters(output);
  const exchanges = request.received;
  return {
    achieved: exchanges / STEP_SECONDS,
    loss: 1 - exchanges / Math.max(1, discover.sent),
    cpuMillisecondsPerExchange: (cpu * 1000) / Math.max(1, exchanges),
    delayMs: discover.delayMs + request.delayMs,
  };
}

interface Counters {
  readonly sent: number;
  readonly received: number;
  readonly delayMs: number;
}

function readCounters(output: string): { readonly discover: Counters; readonly request: Counters } {
  const of = (title: string): Counters => {
    const block = output.slice(Math.max(0, output.indexOf(`***Statistics for: ${title}***`)));
    const number = (pattern: RegExp): number => Number(pattern.exec(block)?.[1] ?? NaN);
    const counters = {
      sent: number(/sent packets: (\d+)/),
      received: number(/received packets: (\d+)/),
      delayMs: number(/avg delay: ([\d.]+) ms/),
    };
    if (Number.isNaN(counters.sent)) throw new Error(`perfdhcp gave no statistics for ${title}:\n${output}`);
    return counters;
  };
  return { discover: of('DISCOVER-OFFER'), request: of('REQUEST-ACK') };
}

function resultOf(climbs: Readonly<Record<ServerName, readonly Climb[]>>): BenchmarkResult {
  const best = (name: ServerName): number[] => climbs[name].map((climb) => climb.best);
  const step = (name: ServerName, pick: (step: Step) => number): string =>
    rounded(median(climbs[name].flatMap(({ compared }) => (compared === undefined ? [] : [pick(compared)]))));
  return {
    targets: [atLeast('exchanges a second', 0.9, median(best('LPMOS')) / median(best('kea')), '× kea')],
    tables: [
      {
        title: `Medians of ${climbs.kea.length} rounds [spread]; steps of ${STEP_SECONDS} s until more than ${MOST_LOSS * 100} % are lost`,
        columns: [
          'server',
          'best exchanges/s',
          'ratio to kea',
          `CPU ms per exchange at ${COMPARED_RATE}/s`,
          `delay at ${COMPARED_RATE}/s, ms`,
          'resident MB at the end',
        ],
        rows: (['LPMOS', 'kea', 'dnsmasq'] as const).map((name) => [
          name,
          `${rounded(median(best(name)))} [${rounded(spreadPercent(best(name)))} %]`,
          rounded(median(best(name)) / median(best('kea'))),
          step(name, ({ cpuMillisecondsPerExchange }) => cpuMillisecondsPerExchange),
          step(name, ({ delayMs }) => delayMs),
          rounded(median(climbs[name].map(({ residentMegabytes: megabytes }) => megabytes))),
        ]),
      },
    ],
    remarks: [
      'An exchange is DISCOVER, OFFER, REQUEST, ACK. perfdhcp never retransmits, so it shows rates and not what a lossy link would do. The ladder ends at its last step: a server that reaches it may not be at its end.',
    ],
  };
}

if (require.main === module) insideMain(measureInside);
