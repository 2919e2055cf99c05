/**
 * How soon the services serve and what they hold when idle. Ready is the line in which a program says that it serves: every socket is
 * bound, and the daemon has listed its region, leads it and answers DHCP. The same state is found at each start, as after an upgrade.
 */
import { atMost, rounded } from './harness/benchmark';
import type { Benchmark } from './harness/benchmark';
import { residentMegabytes } from './harness/processes';
import { withSite } from './harness/site';
import { median, spreadPercent } from './harness/statistics';

const ROUNDS = { full: 9, quick: 3 };
/** Node gives memory of the start back within seconds; what is left is what the service holds all day. */
const SETTLE_MS = 5_000;

interface Samples {
  readonly readyMs: number[];
  readonly idleMegabytes: number[];
}

export const serviceStart: Benchmark = {
  name: 'service-start',
  question: 'How soon does a service serve, and what does it hold when idle?',
  async run({ quick, note }) {
    const daemon: Samples = { readyMs: [], idleMegabytes: [] };
    const controlPlane: Samples = { readyMs: [], idleMegabytes: [] };
    await withSite(async ({ stack }) => {
      const look = (): void => {
        daemon.readyMs.push(stack.daemon.readyAfterMs);
        controlPlane.readyMs.push(stack.controlPlane.readyAfterMs);
      };
      look();
      for (let round = 1; round < (quick ? ROUNDS.quick : ROUNDS.full); round += 1) {
        await stack.daemon.stop();
        await stack.controlPlane.stop();
        await stack.startControlPlane();
        await stack.startDaemon();
        look();
        await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
        daemon.idleMegabytes.push(residentMegabytes(stack.daemon.pid));
        controlPlane.idleMegabytes.push(residentMegabytes(stack.controlPlane.pid));
        note(`round ${round}: daemon ready after ${rounded(daemon.readyMs.at(-1) ?? NaN)} ms`);
      }
    });
    const row = (name: string, { readyMs, idleMegabytes }: Samples): string[] => [
      name,
      `${rounded(median(readyMs))} [${rounded(spreadPercent(readyMs))} %]`,
      rounded(Math.max(...readyMs)),
      `${rounded(median(idleMegabytes))} [${rounded(spreadPercent(idleMegabytes))} %]`,
    ];
    return {
      targets: [
        atMost('regional daemon ready, median', 1000, median(daemon.readyMs), 'ms'),
        atMost('regional daemon idle, resident', 120, median(daemon.idleMegabytes), 'MB'),
      ],
      tables: [
        {
          title: `${daemon.readyMs.length} starts on the same etcd`,
          columns: [
            'service',
            'process start to serving, median ms [spread]',
            'slowest ms',
            'idle MB [spread]',
          ],
          rows: [row('regional daemon', daemon), row('control plane', controlPlane)],
        },
      ],
      remarks: [
        `Idle is the resident set ${SETTLE_MS / 1000} s after the service said that it serves.`,
        'Services are stopped in order before each start; after a power cut a daemon takes over from its own dead predecessor without waiting.',
      ],
    };
  },
};
