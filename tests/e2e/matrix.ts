/**
 * The whole firmware matrix by one command: boots each cell from power-on to the hardware report, then lives whole UEFI lives with ten
 * power-ons after the installation, and prints tables of seconds.
 * Usage: pnpm run matrix [--list] [--cell NAME]... [--boots 10] (a part of a name is enough; lives are named life/NAME)
 *        pnpm run matrix --loss 5: on a wire that loses 5 % of all frames, each way
 *        pnpm run matrix --foreign kea: with Kea instead of dnsmasq as the other server of mode proxy
 *        pnpm run matrix --arm64-loader /path/to/ipxe-arm64.efi: a 64-bit ARM machine up to its script, instead
 * Ends with 1 when a cell failed; the logs, consoles and disks of its lab are then kept and named.
 */
import { parseArgs } from 'node:util';
import { FOREIGN_SERVERS } from '../../scripts/lab/foreign-dhcp';
import type { ForeignServer } from '../../scripts/lab/foreign-dhcp';
import { bootArm64 } from './harness/arm64-boot';
import { bootCell } from './harness/boot-cell';
import type { CellResult } from './harness/boot-cell';
import { FIRMWARE_CELLS } from './harness/firmware-cells';
import type { FirmwareCell } from './harness/firmware-cells';
import { lifeOf, LIVES } from './harness/firmware-lives';
import type { Life, LifeResult } from './harness/firmware-lives';
import { startLab } from './harness/lab';
import type { Lab } from './harness/lab';
import type { LinkOfLab } from './harness/lab-protocol';
import { missingForLab } from './harness/prerequisites';

const LINKS: readonly LinkOfLab[] = ['server', 'proxy'];
const DISK_BOOTS = '10';
const COLUMNS = [
  ['dhcp', 'dhcp-discover'],
  ['script', 'script'],
  ['kernel', 'kernel'],
  ['ramdisk', 'ramdisk-loaded'],
  ['agent', 'agent-connected'],
  ['report', 'hardware-reported'],
] as const;

interface Wire {
  readonly link: LinkOfLab;
  readonly foreign: ForeignServer;
  readonly lossPercent?: number;
}

interface Row {
  readonly cell: FirmwareCell;
  readonly result: CellResult;
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const lifeName = ({ name }: Life): string => `life/${name}`;

/** Whether a name was asked for. @throws Error for a wish that no name fulfils */
function chooser(wanted: readonly string[]): (name: string) => boolean {
  const names = [...FIRMWARE_CELLS.map(({ name }) => name), ...LIVES.map(lifeName)];
  const unknown = wanted.filter((part) => !names.some((name) => name.includes(part)));
  if (unknown.length > 0) throw new Error(`nothing has ${unknown.join(' or ')} in its name; see --list`);
  // A whole name means that row alone, although other names may begin with it.
  const matches = (name: string, part: string): boolean =>
    names.includes(part) ? name === part : name.includes(part);
  return (name) => wanted.length === 0 || wanted.some((part) => matches(name, part));
}

async function liveAll(lab: Lab, lives: readonly Life[], boots: number): Promise<boolean> {
  let well = true;
  for (const life of lives) {
    const failure = (thrown: unknown): LifeResult => ({ problems: failed(thrown).problems, seconds: [] });
    const { problems, seconds } = await lifeOf(lab, life, boots).catch(failure);
    well &&= problems.length === 0;
    const each = seconds.map((value) => value.toFixed(1)).join(', ');
    print(
      `${lifeName(life)}: ${problems.length === 0 ? 'ok' : problems.join('\n  ')}; to the disk's loader: ${each} s`,
    );
  }
  return well;
}

async function bootAll(
  wire: Wire,
  cells: readonly FirmwareCell[],
  lives: readonly Life[],
  boots: number,
): Promise<{ readonly rows: Row[]; readonly well: boolean }> {
  if (cells.length === 0 && lives.length === 0) return { rows: [], well: true };
  const lab = await startLab(wire);
  const lossy = wire.lossPercent === undefined ? '' : `, ${wire.lossPercent} % of all frames are lost`;
  const beside = wire.link === 'proxy' ? ` beside ${wire.foreign}` : '';
  print(`lab with the region as ${wire.link}${beside}${lossy}, machines run with ${lab.accelerator}`);
  const rows: Row[] = [];
  let well = false;
  try {
    for (const cell of cells) {
      const result = await bootCell(lab, cell).catch(failed);
      rows.push({ cell, result });
      print(`${cell.name}: ${result.problems.length === 0 ? 'ok' : result.problems.join('\n  ')}`);
    }
    const booted = rows.every(({ result }) => result.problems.length === 0);
    well = (await liveAll(lab, lives, boots)) && booted;
  } finally {
    await lab.stop({ keep: !well });
    if (!well) print(`logs, consoles and disks are kept in ${lab.dir}`);
  }
  return { rows, well };
}

function failed(thrown: unknown): CellResult {
  return { marks: {}, problems: [thrown instanceof Error ? thrown.message : String(thrown)] };
}

function table(rows: readonly Row[]): string {
  const seconds = (ms: number | undefined): string => (ms === undefined ? '-' : (ms / 1000).toFixed(1));
  const head = `| cell | ${COLUMNS.map(([name]) => name).join(' | ')} | |`;
  const lines = rows.map(({ cell, result }) => {
    const cells = COLUMNS.map(([, mark]) => seconds(result.marks[mark]));
    return `| ${cell.name} | ${cells.join(' | ')} | ${result.problems.length === 0 ? 'ok' : 'FAILED'} |`;
  });
  return [head, `| --- |${' ---: |'.repeat(COLUMNS.length)} --- |`, ...lines].join('\n');
}

async function bootArm(loader: string): Promise<number> {
  const lab = await startLab({
    link: 'server',
    daemonSettings: { LPMOS_LOADERS: JSON.stringify({ arm64: loader }) },
  });
  let problems: readonly string[] = ['did not end'];
  try {
    problems = await bootArm64(lab).catch((thrown: unknown) => failed(thrown).problems);
  } finally {
    await lab.stop({ keep: problems.length > 0 });
  }
  print(`arm64: ${problems.length === 0 ? 'ok' : `${problems.join('\n  ')}\nlogs are kept in ${lab.dir}`}`);
  return problems.length === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const options = {
    list: { type: 'boolean' },
    cell: { type: 'string', multiple: true },
    'arm64-loader': { type: 'string' },
    boots: { type: 'string', default: DISK_BOOTS },
    loss: { type: 'string' },
    foreign: { type: 'string', default: 'dnsmasq' },
  } as const;
  const { values } = parseArgs({ options });
  const boots = Number(values.boots);
  if (!Number.isInteger(boots) || boots < 1) throw new Error('--boots must be a whole number from 1 on');
  const foreign = FOREIGN_SERVERS.find((name) => name === values.foreign);
  if (foreign === undefined) throw new Error(`--foreign must be one of ${FOREIGN_SERVERS.join(', ')}`);
  const lossPercent = values.loss === undefined ? {} : { lossPercent: Number(values.loss) };
  const isChosen = chooser(values.cell ?? []);
  const cells = FIRMWARE_CELLS.filter(({ name }) => isChosen(name));
  const lives = LIVES.filter((life) => isChosen(lifeName(life)));
  if (values.list === true) {
    for (const { name, always } of cells) print(`${name}${always ? '  (in every test run)' : ''}`);
    for (const life of lives) print(`${lifeName(life)}  (in every test run, with fewer power-ons)`);
    return 0;
  }
  const missing = missingForLab();
  if (missing !== undefined) throw new Error(missing);
  const armLoader = values['arm64-loader'];
  if (armLoader !== undefined) return bootArm(armLoader);
  const rows: Row[] = [];
  let well = true;
  for (const link of LINKS) {
    const ofLink = cells.filter((cell) => cell.link === link);
    const result = await bootAll(
      { link, foreign, ...lossPercent },
      ofLink,
      link === 'server' ? lives : [],
      boots,
    );
    rows.push(...result.rows);
    well &&= result.well;
  }
  if (rows.length > 0) print(`\nSeconds from power-on to:\n\n${table(rows)}`);
  return well ? 0 : 1;
}

void main().then(
  (code) => process.exit(code),
  (thrown: unknown) => {
    process.stderr.write(`matrix: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    process.exit(1);
  },
);
