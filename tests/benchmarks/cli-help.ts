/** How long a person waits for `lpmos --help`, beside a Node that does nothing at all: the floor that no program on Node gets under. */
import { spawnSync } from 'node:child_process';
import { atMost, rounded } from './harness/benchmark';
import type { Benchmark } from './harness/benchmark';
import { builtProgram } from './harness/site';
import { median, percentile, spreadPercent } from './harness/statistics';

const ROUNDS = { full: 31, quick: 9 };

function secondsOf(args: readonly string[]): number {
  const begun = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ${args.join(' ')} ended with ${String(status)}: ${stderr}`);
  return performance.now() - begun;
}

export const cliHelp: Benchmark = {
  name: 'cli-help',
  question: 'How long does lpmos --help take?',
  async run({ quick }) {
    const cases = {
      'node -e 0': ['-e', '0'],
      'lpmos --help': [await builtProgram('lpmos'), '--help'],
    } as const;
    const samples: Record<keyof typeof cases, number[]> = { 'node -e 0': [], 'lpmos --help': [] };
    for (let round = 0; round < (quick ? ROUNDS.quick : ROUNDS.full); round += 1) {
      for (const name of ['node -e 0', 'lpmos --help'] as const) samples[name].push(secondsOf(cases[name]));
    }
    const floor = median(samples['node -e 0']);
    const row = (name: keyof typeof cases): string[] => [
      `\`${name}\``,
      rounded(median(samples[name])),
      rounded(percentile(samples[name], 0.95)),
      `${rounded(spreadPercent(samples[name]))} %`,
      rounded(median(samples[name]) / floor),
    ];
    return {
      targets: [atMost('`lpmos --help`, median', 150, median(samples['lpmos --help']), 'ms')],
      tables: [
        {
          title: `${samples['node -e 0'].length} alternating rounds`,
          columns: ['program', 'median ms', 'p95 ms', 'spread', 'ratio'],
          rows: [row('node -e 0'), row('lpmos --help')],
        },
      ],
      remarks: [],
    };
  },
};
