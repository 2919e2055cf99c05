/**
 * The page that an approver reads: machine, every disk and what is on it, what was decided, what happened when. Pure: document in, lines out.
 * Everything that came from the machine goes through `printable`.
 */
import { TASK_STATUSES } from '@lpmos/core';
import type { Hardware, TaskDocument } from '../control-plane';
import { describeDuration } from '../duration';
import type { TargetDisk } from '../target-disk';
import { printable } from '../terminal';
import type { Paint } from '../terminal';
import { diskLines } from './disks';
import type { DiskMark } from './disks';
import { alignColumns } from './table';

export interface TaskPageInput {
  readonly task: TaskDocument;
  readonly target: TargetDisk | undefined;
  readonly nowMs: number;
  readonly paint: Paint;
}

export function taskPage({ task, target, nowMs, paint }: TaskPageInput): string[] {
  return [
    ...headLines(task, nowMs, paint),
    ...(task.hardware !== undefined ? hardwareLines(task.hardware, paint) : ['', 'No hardware report yet.']),
    ...(task.hardware ? disksLines(task.hardware, target, paint) : []),
    ...approvalLines(task, paint),
    ...timelineLines(task, paint),
  ];
}

function headLines(task: TaskDocument, nowMs: number, paint: Paint): string[] {
  const { metadata, run } = task;
  const since = `, for ${describeDuration(nowMs - Date.parse(run.state_since))}`;
  const rows: (readonly [string, string | undefined])[] = [
    ['status', `${task.status}${since} — ${TASK_STATUSES[task.status].sentence}`],
    ['waits for', run.waiting_for],
    ['cancellation', run.cancellation && `asked for by ${run.cancellation.by} at ${run.cancellation.at}`],
    [
      'progress',
      task.progress
        ? `${task.progress.percent} % ${task.progress.phase}: ${task.progress.message}`
        : undefined,
    ],
    [
      'error',
      task.error ? `${task.error.class}: ${task.error.message} (attempt ${task.error.attempt})` : undefined,
    ],
    ['deadline', run.deadline],
    ['region', metadata.region_id],
    ['machine', metadata.target_mac],
    ['installs', `${metadata.os_type} ${metadata.os_version}`],
    ['disk', metadata.disk_layout],
    ['hostname', metadata.hostname],
    ['tags', tagsText(metadata.tags)],
    ['created', createdText(metadata)],
  ];
  const shown = rows.flatMap(([name, value]) => (value ? [[name, value]] : []));
  return [paint('bold', `Task ${task.task_id}`), ...alignColumns(shown).map((line) => `  ${line}`)];
}

function tagsText(tags: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(tags ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(' ');
}

function createdText({ created_at, created_by }: TaskDocument['metadata']): string | undefined {
  if (created_at === undefined) return undefined;
  return created_by === undefined ? created_at : `${created_at} by ${created_by}`;
}

function hardwareLines(hardware: Hardware, paint: Paint): string[] {
  const { system, cpu, memory, bios, network } = hardware;
  const rows = [
    ['system', `${system.manufacturer} ${system.product}`.trim() || '(unnamed)'],
    ['service tag', system.service_tag || '(none)'],
    ['uuid', system.uuid || '(none)'],
    [
      'firmware',
      `${system.firmware}${system.secure_boot ? ', secure boot on' : ''}; ${bios.vendor} ${bios.version}`,
    ],
    ['cpu', `${cpu.model}, ${cpu.cores} cores, ${cpu.threads} threads`],
    ['memory', `${memory.total_gb} GB${dimmsText(memory.dimms)}`],
    ...network.map((nic, index) => [
      index === 0 ? 'network' : '',
      `${nic.interface}  ${nic.mac}  ${nic.link ? `link, ${nic.speed}` : 'no link'}  ${nic.driver}`,
    ]),
    ['reported', hardware.collected_at],
  ];
  return ['', paint('bold', 'Hardware'), ...alignColumns(rows).map((line) => `  ${line}`)];
}

function dimmsText(dimms: Hardware['memory']['dimms']): string {
  if (dimms.length === 0) return '';
  return ` (${dimms.map((dimm) => `${dimm.slot}: ${dimm.size_gb} GB ${dimm.type}`).join(', ')})`;
}

function disksLines(hardware: Hardware, target: TargetDisk | undefined, paint: Paint): string[] {
  const chosen = target !== undefined && 'disk' in target ? target : undefined;
  const markOf = (disk: Hardware['disks'][number]): DiskMark => {
    if (chosen?.disk !== disk) return 'untouched';
    return chosen.approved ? 'approved' : 'will-be-destroyed';
  };
  const problem =
    target !== undefined && 'problem' in target
      ? [paint('yellow', `  No disk is chosen: ${printable(target.problem)}`)]
      : [];
  const remark = chosen?.note === undefined ? [] : [paint('yellow', `  Note: ${chosen.note}`)];
  const disks = hardware.disks.flatMap((disk) => diskLines(disk, markOf(disk), paint));
  return ['', paint('bold', 'Disks'), ...(disks.length === 0 ? ['  none'] : disks), ...problem, ...remark];
}

function approvalLines({ approval }: TaskDocument, paint: Paint): string[] {
  if (!approval || approval.status === 'pending') return [];
  const rows: (readonly [string, string | undefined])[] = [
    [
      approval.status,
      `${approval.approved_at ?? approval.rejected_at ?? ''} by ${approval.approved_by ?? approval.rejected_by ?? '?'}`,
    ],
    ['notes', approval.notes],
    ['reason', approval.reason],
    [
      'disk',
      approval.disk && `serial ${approval.disk.serial || '(none)'}, wwn ${approval.disk.wwn || '(none)'}`,
    ],
    ['image', approval.image_digest],
    ['hardware', approval.hardware_digest],
    ['good until', approval.grant_expires_at],
  ];
  const shown = rows.flatMap(([name, value]) => (value ? [[name, value]] : []));
  return ['', paint('bold', 'Approval'), ...alignColumns(shown).map((line) => `  ${line}`)];
}

/** Each event with the seconds since the one before: where the time went. */
function timelineLines({ timeline }: TaskDocument, paint: Paint): string[] {
  if (timeline.length === 0) return [];
  const rows = timeline.map((event, index) => {
    const before = timeline[index - 1];
    const after = before === undefined ? 0 : Date.parse(event.timestamp) - Date.parse(before.timestamp);
    return [event.timestamp, `+${(after / 1000).toFixed(1)} s`, event.event, event.actor, event.detail ?? ''];
  });
  return ['', paint('bold', 'Timeline'), ...alignColumns(rows).map((line) => `  ${line}`)];
}
