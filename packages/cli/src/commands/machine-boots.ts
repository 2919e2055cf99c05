/** `lpmos machine boots`: what a machine asked when it booted, what it was answered and why, boot by boot, and what to look at. */
import { isPassing } from '@lpmos/api';
import { LpmosError, parseMacAddress } from '@lpmos/core';
import { groupBoots } from '../boot/boot-groups';
import type { BootGroup } from '../boot/boot-groups';
import { hintsFor } from '../boot/hints';
import { optionText } from '../command';
import type { CommandContext, CommandRun } from '../command';
import type { BootEntry, ControlPlane, MachineBootsDocument } from '../control-plane';
import { EXIT_DONE } from '../exit-codes';
import { table } from '../output/table';
import { pause } from '../pause';
import { note, printable, say, sayJson } from '../terminal';
import { invalidOption } from '../usage-error';

type RegionBoots = MachineBootsDocument['regions'][number];

/** The region writes its history every five seconds. */
const FOLLOW_MS = 3_000;

export const run: CommandRun = async ({ context, args, options }) => {
  const mac = parseMacAddress(args[0] ?? '', 'MAC');
  const region = optionText(options, 'region');
  const follows = options['follow'] === true;
  if (follows && context.format === 'json') {
    throw invalidOption(
      '--follow',
      'shows lines for people; leave out -o json, or ask again for the document',
    );
  }
  const api = await context.connect();
  const read = (): ReturnType<ControlPlane['getMachineBoots']> =>
    api.getMachineBoots(mac, region === undefined ? {} : { regionId: region });
  const boots = await read();
  if (context.format === 'json') {
    sayJson(context.terminal, boots);
    return EXIT_DONE;
  }
  for (const each of boots.regions)
    for (const line of regionLines(each, context.nowMs())) say(context.terminal, line);
  if (follows) await follow(context, boots, read);
  return EXIT_DONE;
};

/** Until Ctrl-C: each entry that is new or was repeated, as a line. A control plane that is away for a moment is no end. */
async function follow(
  context: CommandContext,
  first: MachineBootsDocument,
  read: () => Promise<MachineBootsDocument>,
): Promise<void> {
  let told = new Set(entriesOf(first).map(({ key }) => key));
  for (;;) {
    await pause(FOLLOW_MS, context.signal);
    context.signal.throwIfAborted();
    const document = await unlessAway(context, read);
    if (document === undefined) continue;
    const entries = entriesOf(document);
    for (const { key, line } of entries) if (!told.has(key)) say(context.terminal, line);
    // What the region has dropped by now need not be remembered either.
    told = new Set(entries.map(({ key }) => key));
  }
}

async function unlessAway(
  context: CommandContext,
  read: () => Promise<MachineBootsDocument>,
): Promise<MachineBootsDocument | undefined> {
  try {
    return await read();
  } catch (thrown) {
    const error = LpmosError.from(thrown);
    if (!isPassing(error)) throw thrown;
    note(context.terminal, `lpmos: ${printable(error.message)}; trying again`);
    return undefined;
  }
}

function entriesOf({ regions }: MachineBootsDocument): { readonly key: string; readonly line: string }[] {
  return regions.flatMap((region) =>
    region.boots.map((record) => ({
      key: JSON.stringify([region.region_id, record]),
      line: printable([region.region_id, ...row(record)].join('  ')),
    })),
  );
}

function regionLines(region: RegionBoots, nowMs: number): string[] {
  const groups = groupBoots(region.boots);
  const { next_boot: next, task } = region;
  const last = groups.findLast(({ kind }) => kind === 'boot');
  const hints =
    last === undefined
      ? []
      : hintsFor({
          records: last.records,
          silentMs: nowMs - Math.max(...last.records.map((record) => Date.parse(record.last_at))),
          ...(task === undefined ? {} : { taskStatus: task.status }),
        });
  const what = next.purpose === undefined ? next.decision : `${next.decision} (${next.purpose})`;
  return [
    `region ${region.region_id}${region.online ? '' : ' (no live daemon: what it saw since is missing here)'}`,
    ...(region.boots.length === 0 ? ['  no boot request of this machine was seen here'] : []),
    ...(region.dropped === 0 ? [] : [`  ${region.dropped} older entries had to make room`]),
    ...groups.flatMap(groupLines),
    printable(`would boot now: ${what}, because ${next.reason}`),
    ...hints.map(({ says }) => `look at: ${says}`),
    '',
  ];
}

function groupLines(group: BootGroup): string[] {
  const [first] = group.records;
  if (first === undefined) return [];
  const title = group.kind === 'os' ? 'an operating system asked' : 'boot';
  const rows = table(['TIME', 'STAGE', 'REQUEST', 'ANSWER', 'WHY'], group.records.map(row));
  return [`${title}, ${localDate(first.first_at)}`, ...rows.map((line) => `  ${line}`)];
}

function row(record: BootEntry): string[] {
  const until = record.count === 1 ? '' : `-${localTime(record.last_at)}`;
  const times = record.count === 1 ? '' : ` x${record.count}`;
  const bytes = record.bytes === undefined ? '' : `, ${record.bytes} bytes`;
  return [
    localTime(record.first_at) + until,
    record.stage ?? (record.protocol === 'tftp' ? 'firmware' : '-'),
    record.request + times,
    answerOf(record),
    record.reason + bytes,
  ];
}

function answerOf({ outcome, decision }: BootEntry): string {
  return decision === undefined ? outcome : `${outcome}: ${decision}`;
}

/** In the time of the person who reads; `-o json` has UTC. */
function localTime(iso: string): string {
  const at = new Date(iso);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
}

function localDate(iso: string): string {
  const at = new Date(iso);
  return [at.getFullYear(), at.getMonth() + 1, at.getDate()].map(two).join('-');
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
