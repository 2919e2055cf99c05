/**
 * A hall gets its power back: 50, 500 and 5000 machines at the same moment against one daemon, each until its kernel and ramdisk are
 * loaded. Counts failures and wrong answers (an address given twice, a script of another machine, bytes that differ) beside the times.
 */
import { fleetMac, powerCutAt, runFleet } from '@lpmos/simulator';
import type { FleetResult, MachineEvent } from '@lpmos/simulator';
import { rounded } from './harness/benchmark';
import type { Benchmark, BenchmarkContext, Target } from './harness/benchmark';
import { cpuSeconds, residentMegabytes } from './harness/processes';
import { simulatedSite } from '../../scripts/stack/simulated-site';
import type { SimulatedSite } from '../../scripts/stack/simulated-site';
import { orderTask, until, withSite } from './harness/site';
import type { BenchSite } from './harness/site';

const STORMS = { full: [50, 500, 5000], quick: [50, 500] };
const PREPARED_WITHIN_MS = 600_000;
const ORDERS_AT_ONCE = 50;
/** A machine that waits for its turn asks again after some ten seconds, several times in the largest storm. */
const LIFE_MS = 600_000;
const SEED = 300;
/** Room for the largest storm; the machines play the relay on loopback. */
const POOL = { first: '127.20.0.1', last: '127.20.39.250' };
const STAGES = ['offer', 'script', 'kernel'] as const;

interface Storm {
  readonly machines: number;
  readonly result: FleetResult;
  readonly failures: number;
  /** Last words of the machines that failed, with how many said so, most first. */
  readonly reasons: readonly string[];
  readonly wrong: readonly string[];
  readonly waited: number;
  readonly daemonCpuSeconds: number;
  readonly daemonMegabytes: number;
}

/** A site whose pool has an address for every machine. */
async function withLargeSite<T>(use: (site: BenchSite) => Promise<T>): Promise<T> {
  const machines: SimulatedSite = await simulatedSite();
  const dhcpLink = { ...(machines.dhcpLink as Readonly<Record<string, unknown>>), pool: POOL };
  return withSite((site) => use({ ...site, machines }), { stack: { dhcpLink } });
}

async function storm(site: BenchSite, machines: number, seed: number): Promise<Storm> {
  const { stack } = site;
  const macs = Array.from({ length: machines }, (_, index) => fleetMac(seed, index));
  for (let at = 0; at < machines; at += ORDERS_AT_ONCE) {
    await Promise.all(macs.slice(at, at + ORDERS_AT_ONCE).map((mac) => orderTask(stack, mac)));
  }
  const ready = async (): Promise<boolean> =>
    (await stack.api.listTasks({ statuses: ['ready'], limit: 1 })).total === machines;
  await until('all tasks prepared', ready, PREPARED_WITHIN_MS, 200);
  const events = new Map<string, MachineEvent[]>(macs.map((mac) => [mac, []]));
  const cpuBefore = cpuSeconds(stack.daemon.pid);
  const result = await runFleet({
    machines,
    macs,
    seed,
    network: {
      dhcpServer: { address: '127.0.0.1', port: stack.daemonPorts['dhcp'] ?? 0 },
      clientAddress: site.machines.clientAddress,
      relayPort: site.machines.relayPort,
    },
    staggerMs: 0,
    concurrency: machines,
    machine: () => ({ hooks: powerCutAt({ point: 'kernel-loaded' }, 'off'), lifeMs: LIFE_MS }),
    onEvent: (mac, event) => events.get(mac)?.push(event),
    signal: new AbortController().signal,
  });
  return {
    machines,
    result,
    failures: machines - result.statistics.kernel.count,
    reasons: failureReasons(events),
    wrong: wrongAnswers(events),
    waited: [...events.values()].filter((life) =>
      life.some(({ detail }) => /asks again in \d+ seconds/.test(detail)),
    ).length,
    daemonCpuSeconds: cpuSeconds(stack.daemon.pid) - cpuBefore,
    daemonMegabytes: residentMegabytes(stack.daemon.pid),
  };
}

/** What no machine may see, whatever the load. */
function wrongAnswers(events: ReadonlyMap<string, readonly MachineEvent[]>): string[] {
  const holders = new Map<string, string>();
  const digests = new Map<string, string>();
  const wrong: string[] = [];
  let named = 0;
  for (const [mac, life] of events) {
    for (const { detail, data } of life) {
      const address = /^bound (\S+),/.exec(detail)?.[1];
      const owner = /^console: LPMOS region \S+ machine (\S+)$/.exec(detail)?.[1];
      const file = /^fetched (\S+\/boot\/assets\/\S+)$/.exec(detail)?.[1];
      if (address !== undefined && (holders.get(address) ?? mac) !== mac) {
        wrong.push(`${address} was given to ${holders.get(address)} and to ${mac}`);
      }
      if (address !== undefined) holders.set(address, mac);
      if (owner !== undefined) named += 1;
      if (owner !== undefined && owner !== mac) wrong.push(`${mac} got the script of ${owner}`);
      const digest = String(data?.['sha256'] ?? '');
      if (file !== undefined && (digests.get(file) ?? digest) !== digest)
        wrong.push(`${mac} got other bytes of ${file}`);
      if (file !== undefined) digests.set(file, digest);
    }
  }
  // A simulator that says it in other words must not make this check blind.
  if (holders.size === 0 || digests.size === 0 || named === 0)
    wrong.push('the events name no address, script or file');
  return wrong;
}

function failureReasons(events: ReadonlyMap<string, readonly MachineEvent[]>): string[] {
  const counts = new Map<string, number>();
  for (const life of events.values()) {
    if (life.some(({ stage, detail }) => stage === 'kernel' && detail === 'starts')) continue;
    const words = (life.findLast(({ stage }) => stage === 'script') ?? life.at(-2))?.detail ?? 'nothing';
    const reason = words
      .replace(/([0-9a-f]{2}[:-]){5}[0-9a-f]{2}|127(\.\d+){3}/g, '…')
      .replace(/\?\S*/g, '')
      .slice(0, 160);
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${count} machines: ${reason}`);
}

function target(what: string, storms: readonly Storm[], count: (storm: Storm) => number): Target {
  return {
    what,
    wanted: '0 in each storm',
    measured: storms.map((each) => `${count(each)} of ${each.machines}`).join(', '),
    met: storms.every((each) => count(each) === 0),
  };
}

export const bootStorm: Benchmark = {
  name: 'boot-storm',
  question:
    'Does every machine of a hall get the right answers when all get power at the same moment, and how soon?',
  async run({ quick, note }: BenchmarkContext) {
    const storms: Storm[] = [];
    for (const machines of quick ? STORMS.quick : STORMS.full) {
      storms.push(await withLargeSite((site) => storm(site, machines, SEED + machines)));
      const last = storms.at(-1);
      note(`${machines} machines: ${last?.failures} failures, ${last?.wrong.length} wrong answers`);
      [...(last?.reasons ?? []), ...(last?.wrong ?? [])].slice(0, 5).forEach(note);
    }
    const seconds = (ms: number): string => rounded(ms / 1000);
    return {
      targets: [
        target('machines that did not load their kernel', storms, ({ failures }) => failures),
        target('wrong answers', storms, ({ wrong }) => wrong.length),
      ],
      tables: [
        {
          title: 'Seconds from power-on (p50 / p99 / slowest)',
          columns: [
            'machines',
            ...STAGES.map((stage) => `until ${stage}`),
            'told to wait',
            'daemon CPU s',
            'daemon MB',
          ],
          rows: storms.map(({ machines, result, waited, daemonCpuSeconds, daemonMegabytes }) => [
            String(machines),
            ...STAGES.map((stage) => {
              const { p50, p99, max } = result.statistics[stage];
              return [p50, p99, max].map(seconds).join(' / ');
            }),
            String(waited),
            rounded(daemonCpuSeconds),
            rounded(daemonMegabytes),
          ]),
        },
      ],
      remarks: [
        'All machines live in one simulator process on the same cores as the daemon; its own load is in every figure.',
        'A machine that is told to wait (admission control) asks again after ten seconds, spread by jitter.',
      ],
    };
  },
};
