/**
 * `tsx scripts/fuzz/run.ts [TARGET…] [--packets N] [--seed S]`: fuzzes the boot servers at their sockets, one target after the other.
 * Without names all of them, a million packets each. Ends with 1 when a target has a fault; the line says how to repeat it.
 */
import { runFuzz, type FuzzReport, type FuzzTarget } from './harness';
import { openDhcpFuzz } from './dhcp';
import { openHttpFuzz } from './http';
import { openTftpFuzz } from './tftp';

const TARGETS: Readonly<Record<string, () => Promise<FuzzTarget>>> = {
  dhcp: openDhcpFuzz,
  tftp: openTftpFuzz,
  http: openHttpFuzz,
};

const DEFAULT_PACKETS = 1_000_000;

interface Settings {
  readonly names: readonly string[];
  readonly packets: number;
  readonly seed: number;
}

/** @throws Error that says which word is wrong and what would be right. */
function readArguments(words: readonly string[]): Settings {
  const names: string[] = [];
  const numbers: Record<string, number> = { '--packets': DEFAULT_PACKETS, '--seed': Date.now() % 2 ** 32 };
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (word in TARGETS) names.push(word);
    else if (word in numbers && /^\d{1,12}$/.test(words[at + 1] ?? ''))
      numbers[word] = Number(words[(at += 1)]);
    else
      throw new Error(
        `${word} is neither a target (${Object.keys(TARGETS).join(', ')}) nor --packets N or --seed S`,
      );
  }
  return {
    names: names.length > 0 ? names : Object.keys(TARGETS),
    packets: numbers['--packets'] ?? 0,
    seed: numbers['--seed'] ?? 0,
  };
}

function show(name: string, report: FuzzReport): void {
  const { sent, seed, goodClients, longestStallMs, grownBytes, packetsPerSecond, tally, faults } = report;
  console.log(
    `${name}: ${sent} packets (seed ${seed}, ${packetsPerSecond}/s), ${goodClients} good clients served, ` +
      `longest stall ${longestStallMs} ms, memory ${(grownBytes / 1024).toFixed(0)} KiB`,
  );
  console.log(
    `  ${Object.entries(tally)
      .map(([what, count]) => `${what} ${count}`)
      .join(', ')}`,
  );
  for (const fault of faults.slice(0, 10)) console.log(`  FAULT ${fault}`);
}

async function main(words: readonly string[]): Promise<number> {
  const { names, packets, seed } = readArguments(words);
  let faults = 0;
  for (const name of names) {
    const open = TARGETS[name];
    if (open === undefined) continue;
    const report = await runFuzz(open, { packets, seed });
    show(name, report);
    faults += report.faults.length;
  }
  return faults === 0 ? 0 : 1;
}

process.on('uncaughtException', (error) => {
  console.log(`FAULT an exception that nobody caught: ${error.stack ?? error.message}`);
  process.exit(1);
});
void main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (thrown: unknown) => {
    console.error(thrown instanceof Error ? thrown.message : String(thrown));
    process.exit(2);
  },
);
