/** Fifty machines that get power at the same moment, all served by one daemon: how long each waits for its offer, its script, its report. */
import { fleetMac, MILESTONES, runFleet } from '@lpmos/simulator';
import type { FleetStatistics } from '@lpmos/simulator';
import { rounded } from './harness/benchmark';
import type { Benchmark, BenchmarkContext } from './harness/benchmark';
import { cpuSeconds } from './harness/processes';
import { orderTask, until, withSite } from './harness/site';
import { median, spreadPercent } from './harness/statistics';

const MACHINES = 50;
const ROUNDS = { full: 3, quick: 1 };
const DEADLINE_MS = 180_000;
const STAGES = ['offer', 'script', 'kernel', 'report'] as const;

interface Round {
  readonly statistics: FleetStatistics;
  readonly daemonCpuSeconds: number;
}

/** One storm on a fresh site. Machines are switched off once all have reported: the rest of their life is another question. */
async function storm(seed: number): Promise<Round> {
  return withSite(async ({ stack, machines }) => {
    const macs = Array.from({ length: MACHINES }, (_, index) => fleetMac(seed, index));
    const ids = await Promise.all(macs.map((mac) => orderTask(stack, mac)));
    const ready = async (status: string): Promise<boolean> =>
      (await stack.api.listTasks({ statuses: [status], limit: MACHINES })).tasks.length === ids.length;
    await until('all tasks prepared', () => ready('ready'), DEADLINE_MS);
    const stop = new AbortController();
    const reported = new Set<string>();
    const cpuBefore = cpuSeconds(stack.daemon.pid);
    const fleet = runFleet({
      machines: MACHINES,
      macs,
      seed,
      network: {
        dhcpServer: { address: '127.0.0.1', port: stack.daemonPorts['dhcp'] ?? 0 },
        clientAddress: machines.clientAddress,
        relayPort: machines.relayPort,
      },
      staggerMs: 0,
      concurrency: MACHINES,
      signal: stop.signal,
      onEvent: (mac, event) => {
        if (MILESTONES.report(event)) reported.add(mac);
      },
    });
    fleet.catch(() => undefined);
    // The region has stored a report some time before its machine has read that it has: both must be so, or the machine is missing in the figures.
    const all = async (): Promise<boolean> => reported.size === MACHINES && (await ready('pending_approval'));
    await until('all reports', all, DEADLINE_MS, 200);
    const daemonCpuSeconds = cpuSeconds(stack.daemon.pid) - cpuBefore;
    stop.abort();
    return { statistics: (await fleet).statistics, daemonCpuSeconds };
  });
}

export const fleet: Benchmark = {
  name: 'fleet',
  question: `How long do ${MACHINES} machines wait that get power at the same moment?`,
  async run({ quick, note }: BenchmarkContext) {
    const rounds: Round[] = [];
    for (let round = 0; round < (quick ? ROUNDS.quick : ROUNDS.full); round += 1) {
      rounds.push(await storm(100 + round));
      note(`round ${round + 1}: ${rounds.at(-1)?.statistics.report.count ?? 0} of ${MACHINES} reported`);
    }
    const figure = (stage: (typeof STAGES)[number], which: 'p50' | 'p99' | 'max'): string => {
      const samples = rounds.map(({ statistics }) => statistics[stage][which]);
      return `${rounded(median(samples))} [${rounded(spreadPercent(samples))} %]`;
    };
    const reported = rounds.map(({ statistics }) => statistics.report.count);
    return {
      targets: [
        {
          what: 'machines that reported',
          wanted: `${MACHINES} of ${MACHINES} in each round`,
          measured: reported.join(', '),
          met: reported.every((count) => count === MACHINES),
        },
      ],
      tables: [
        {
          title: `Milliseconds from power-on, medians over ${rounds.length} rounds [spread]`,
          columns: ['until', 'p50', 'p99', 'slowest'],
          rows: STAGES.map((stage) => [
            stage,
            figure(stage, 'p50'),
            figure(stage, 'p99'),
            figure(stage, 'max'),
          ]),
        },
      ],
      remarks: [
        `Processor time of the daemon for the whole storm: ${rounded(median(rounds.map(({ daemonCpuSeconds }) => daemonCpuSeconds)))} s (DHCP, scripts, kernel and ramdisk, ${MACHINES} TLS sessions and reports).`,
        'Simulated machines have no firmware and no kernel to wait for: what is left is the daemon, the simulator itself and etcd, all on the same cores.',
      ],
    };
  },
};
