/**
 * Power-on to hardware report: one machine and one ramdisk, served by LPMOS and by dnsmasq with nginx, in turns, once for each way that
 * firmware comes to iPXE. What it shows is what the region's servers add to a boot; how the two are made equal is told in
 * harness/boot-round.ts.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MarkName } from '../../scripts/quickstart/phases';
import { rounded } from './harness/benchmark';
import type { Benchmark } from './harness/benchmark';
import type { BootChain, BootRoundResult, BootRoundSettings, BootServer } from './harness/boot-round';
import { prepareLab, RAMDISK, runInNamespace, waitForQuietLab } from './harness/lab-host';
import { builtProgram } from './harness/site';
import { median, spreadPercent } from './harness/statistics';

const ROUNDS = { full: 5, quick: 2 };
const ROUND_DEADLINE_MS = 420_000;
const MEMORY_MIB = 512;
/** The allowance for what LPMOS decides, mints and watches on the way. */
const ALLOWANCE_SECONDS = 1;

const REPORTED: MarkName = 'hardware-reported';

const CHAINS: readonly { readonly chain: BootChain; readonly name: string }[] = [
  { chain: 'bios', name: 'BIOS, iPXE in the card' },
  { chain: 'uefi', name: 'UEFI PXE, loader by TFTP' },
  { chain: 'uefi-http', name: 'UEFI HTTP boot' },
];

interface ChainRounds {
  readonly name: string;
  readonly lpmos: BootRoundResult[];
  readonly peer: BootRoundResult[];
}

const SERVERS: Readonly<Record<BootServer, string>> = { lpmos: 'LPMOS', peer: 'dnsmasq + nginx' };
const MARKS: readonly { readonly mark: MarkName; readonly name: string }[] = [
  { mark: 'dhcp-discover', name: 'first DHCPDISCOVER' },
  { mark: 'script', name: 'boot script asked for' },
  { mark: 'kernel', name: 'kernel asked for' },
  { mark: 'ramdisk-loaded', name: 'last initramfs asked for' },
  { mark: 'agent-connected', name: 'agent connected' },
  { mark: 'hardware-reported', name: '**hardware reported**' },
];

export const bootTime: Benchmark = {
  name: 'boot-time',
  question: 'How long from power-on to the hardware report, beside dnsmasq and static files?',
  needs: [
    { program: 'dnsmasq', debianPackage: 'dnsmasq-base' },
    { program: 'nginx', debianPackage: 'nginx-light' },
    { program: 'qemu-system-x86_64', debianPackage: 'qemu-system-x86' },
  ],
  async run({ quick, note }) {
    await builtProgram('lpmos-regional-daemon');
    const { accelerator } = await prepareLab();
    const all: ChainRounds[] = [];
    for (const { chain, name } of CHAINS) {
      const rounds: ChainRounds = { name, lpmos: [], peer: [] };
      all.push(rounds);
      for (let round = 0; round < (quick ? ROUNDS.quick : ROUNDS.full); round += 1) {
        // Who goes first changes, so that warm caches and falling load favour nobody.
        const order: BootServer[] = round % 2 === 0 ? ['lpmos', 'peer'] : ['peer', 'lpmos'];
        for (const server of order) {
          const result = await bootOnce(server, chain, accelerator.kind);
          rounds[server].push(result);
          note(`${name}, ${SERVERS[server]}: reported after ${rounded((result[REPORTED] ?? NaN) / 1000)} s`);
        }
      }
    }
    return resultOf(all, accelerator);
  },
};

async function bootOnce(
  server: BootServer,
  chain: BootChain,
  accelerator: BootRoundSettings['accelerator'],
): Promise<BootRoundResult> {
  const dir = await mkdtemp(join(tmpdir(), 'lpmos-boot-time-'));
  const settings: BootRoundSettings = {
    server,
    chain,
    dir,
    ramdiskDir: RAMDISK,
    accelerator,
    memoryMiB: MEMORY_MIB,
  };
  await waitForQuietLab();
  // The folder is kept when the round fails: its logs say why.
  await runInNamespace({
    program: join(__dirname, 'harness', 'boot-round.ts'),
    dir,
    settings,
    deadlineMs: ROUND_DEADLINE_MS,
  });
  const result = JSON.parse(await readFile(join(dir, 'result.json'), 'utf8')) as BootRoundResult;
  await rm(dir, { recursive: true, force: true });
  return result;
}

function resultOf(
  chains: readonly ChainRounds[],
  accelerator: { readonly kind: string; readonly reason: string },
): Awaited<ReturnType<Benchmark['run']>> {
  return {
    targets: chains.map((rounds) => {
      const difference = median(differencesOf(rounds));
      return {
        what: `${rounds.name}: power-on to hardware report, LPMOS minus ${SERVERS.peer} of the same round, median`,
        wanted: `at most ${ALLOWANCE_SECONDS} s`,
        measured: `${rounded(difference)} s`,
        met: difference <= ALLOWANCE_SECONDS,
      };
    }),
    tables: chains.map(tableOf),
    remarks: [
      ...chains.map(
        (rounds) =>
          `${rounds.name}, differences of the rounds: ${differencesOf(rounds).map(rounded).join(', ')} s.`,
      ),
      `One QEMU machine (${accelerator.kind}: ${accelerator.reason}), ${MEMORY_MIB} MiB, one processor. iPXE gets an answer about IPv6 from both: from LPMOS that there is no router, beside the peer from one that is there (a second dnsmasq). The UEFI chains load snponly.efi first.`,
      'The peer hears the report through the same daemon, whose other marks it therefore does not show. dnsmasq is told not to ping before an offer and sends option 175.176, as LPMOS does.',
    ],
  };
}

/** Both of a round stand under nearly the same load; the medians of all rounds need not. */
function differencesOf({ lpmos, peer }: ChainRounds): number[] {
  return lpmos.map((result, round) => ((result[REPORTED] ?? NaN) - (peer[round]?.[REPORTED] ?? NaN)) / 1000);
}

function tableOf(rounds: ChainRounds): Awaited<ReturnType<Benchmark['run']>>['tables'][number] {
  const seconds = (server: BootServer, mark: MarkName): number[] =>
    rounds[server].flatMap((result) => (result[mark] === undefined ? [] : [result[mark] / 1000]));
  const cell = (server: BootServer, mark: MarkName): string => {
    const samples = seconds(server, mark);
    return samples.length === 0
      ? 'not seen'
      : `${rounded(median(samples))} [${rounded(spreadPercent(samples))} %]`;
  };
  const fastest = (server: BootServer): string => rounded(Math.min(...seconds(server, REPORTED)));
  return {
    title: `${rounds.name}: seconds since power-on, medians of ${rounds.lpmos.length} alternating rounds [spread]`,
    columns: ['until', SERVERS.lpmos, SERVERS.peer],
    rows: [
      ...MARKS.map(({ mark, name }) => [name, cell('lpmos', mark), cell('peer', mark)]),
      ['fastest report', fastest('lpmos'), fastest('peer')],
    ],
  };
}
