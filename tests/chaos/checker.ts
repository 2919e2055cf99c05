/**
 * The judge of a site: reads everything that is in etcd and the disks of the machines, and says what must not be (docs/architecture.md, "What must never happen", rules
 * 1 to 5 and 12). It believes no program: it parses the raw values itself and walks every timeline along core's table.
 * Pure; the tests hand it the entries and the disks, and it has a test of its own with planted violations.
 */
import {
  eventRow,
  INSTALL_SILENCE_SECONDS,
  isTaskStatus,
  statusRow,
  TASK_EVENTS,
  transition,
} from '@lpmos/core';
import type { TaskEventName, TimelineEvent } from '@lpmos/core';
import { parseTaskKey } from '@lpmos/store';
import type { KvEntry } from '@lpmos/store';
import type { VirtualDisk } from '@lpmos/simulator';

export interface Evidence {
  readonly entries: readonly Pick<KvEntry, 'key' | 'value'>[];
  readonly disks: readonly Pick<VirtualDisk, 'identity' | 'violations' | 'history' | 'system'>[];
  /** Ids of tasks that the API acknowledged. */
  readonly acknowledged: readonly string[];
}

export interface SeenTask {
  readonly id: string;
  readonly documents: ReadonlyMap<string, string>;
  readonly timeline: readonly TimelineEvent[];
}

/** @returns every breach in words; empty is innocent */
export function judge(evidence: Evidence): string[] {
  const tasks = tasksOf(evidence.entries);
  return [
    ...evidence.acknowledged
      .filter((id) => !tasks.has(id))
      .map((id) => `rule 3: acknowledged task ${id} is lost`),
    ...[...tasks.values()].flatMap((task) => [
      ...timelineBreaches(task),
      ...ownership(task, evidence.entries),
    ]),
    ...machineBreaches(tasks, evidence.entries),
    ...evidence.disks.flatMap((disk) => diskBreaches(disk, tasks)),
  ];
}

export function tasksOf(entries: Evidence['entries']): Map<string, SeenTask> {
  const tasks = new Map<string, SeenTask>();
  for (const { key, value } of entries) {
    const parsed = parseTaskKey(key);
    if (parsed === undefined) continue;
    const task = tasks.get(parsed.id) ?? { id: parsed.id, documents: new Map(), timeline: [] };
    const next =
      parsed.part === 'timeline'
        ? { ...task, timeline: [...task.timeline, JSON.parse(value) as TimelineEvent] }
        : { ...task, documents: new Map([...task.documents, [parsed.part, value]]) };
    tasks.set(parsed.id, next);
  }
  return tasks;
}

/** Rule 4: one unbroken walk along the table, each step by the one who may take it, ending where the status key stands. */
function timelineBreaches({ id, documents, timeline }: SeenTask): string[] {
  const breaches: string[] = [];
  const breach = (text: string): void => void breaches.push(`rule 4: task ${id}: ${text}`);
  let standing = 'nowhere';
  timeline.forEach((step, index) => {
    if (step.seq !== index) breach(`event ${index} has number ${step.seq}`);
    if (index === 0 || step.event === 'task_created') {
      if (index !== 0 || step.event !== 'task_created') breach(`event ${index} is ${step.event}`);
    } else breaches.push(...stepBreaches(id, step, standing));
    standing = step.to;
  });
  const status = documents.get('status');
  if (status !== standing) breach(`status is ${status}, its timeline ends in ${standing}`);
  const count = (name: string): number => timeline.filter(({ event }) => event === name).length;
  if (count('host_up') > 1) breach(`host_up ${count('host_up')} times`);
  return breaches;
}

function stepBreaches(id: string, step: TimelineEvent, standing: string): string[] {
  const told = `rule 4: task ${id}: ${step.event} from ${step.from} to ${step.to}`;
  if (step.from !== standing) return [`${told}, but it stood at ${standing}`];
  if (!Object.hasOwn(TASK_EVENTS, step.event)) return [`${told} is no event of the table`];
  const name = step.event as TaskEventName;
  const outcome = step.from === undefined ? undefined : transition(step.from, name);
  if (outcome?.kind !== 'move' || outcome.to !== step.to) return [`${told} is no edge of the table`];
  const byRegion = /^(?:region|host):/.test(step.actor);
  return byRegion === (eventRow(name).actor === 'region') ? [] : [`${told} by ${step.actor}`];
}

/** Rule 12: who does not rest has an owner, a deadline and an exit. */
function ownership({ id, documents }: SeenTask, entries: Evidence['entries']): string[] {
  const status = documents.get('status') ?? '';
  if (!isTaskStatus(status)) return [`rule 12: task ${id} has status "${status}"`];
  const row = statusRow(status);
  const run = JSON.parse(documents.get('run') ?? '{}') as { deadline?: string; state_since?: string };
  const assigned = entries.some(({ key }) => key.endsWith(`/tasks/${id}`));
  if (row.kind === 'terminal') return assigned ? [`rule 12: task ${id} is ${status} and still assigned`] : [];
  const breaches: string[] = [];
  if (!assigned) breaches.push(`rule 12: task ${id} is ${status} and no region is told`);
  const span = Date.parse(run.deadline ?? '') - Date.parse(run.state_since ?? '');
  if (
    row.deadline === undefined ||
    !(span > 0 && span <= row.deadline.seconds * 1000 + INSTALL_SILENCE_SECONDS)
  ) {
    breaches.push(`rule 12: task ${id} is ${status} without its deadline (${run.deadline ?? 'none'})`);
  }
  return breaches;
}

/** Rule 5: the guard of a machine names its only active task. */
function machineBreaches(tasks: ReadonlyMap<string, SeenTask>, entries: Evidence['entries']): string[] {
  const activeOf = new Map<string, string[]>();
  for (const { id, documents } of tasks.values()) {
    const status = documents.get('status') ?? '';
    if (!isTaskStatus(status) || statusRow(status).kind === 'terminal') continue;
    const mac = macOf(documents);
    activeOf.set(mac, [...(activeOf.get(mac) ?? []), id]);
  }
  return [...activeOf].flatMap(([mac, ids]) => {
    if (ids.length > 1) return [`rule 5: ${mac} has active tasks ${ids.join(', ')}`];
    const guard = entries.find(({ key }) => key.endsWith(`/guards/machines/${mac}`));
    const guarded =
      guard === undefined ? undefined : (JSON.parse(guard.value) as { task_id?: string }).task_id;
    return guarded === ids[0] ? [] : [`rule 5: the guard of ${mac} names ${guarded}, active is ${ids[0]}`];
  });
}

function macOf(documents: SeenTask['documents']): string {
  return (JSON.parse(documents.get('metadata') ?? '{}') as { target_mac?: string }).target_mac ?? 'unknown';
}

/** Rules 1 and 2: every destructive start was approved and claimed for this disk, and nothing follows a success. */
function diskBreaches(disk: Evidence['disks'][number], tasks: ReadonlyMap<string, SeenTask>): string[] {
  const serial = disk.identity.serial;
  const breaches = disk.violations.map((text) => `rule 1: ${text}`);
  const history = disk.history();
  for (const [index, { taskId, attempt, ended }] of history.entries()) {
    const task = tasks.get(taskId);
    const told = `disk ${serial}: write of task ${taskId}, attempt ${attempt}`;
    if (task === undefined) {
      breaches.push(`rule 1: ${told}: there is no such task`);
      continue;
    }
    const starts = task.timeline.filter(({ event }) => event === 'install_started').length;
    const approval = JSON.parse(task.documents.get('approval') ?? '{}') as ApprovalDocument;
    if (attempt > starts) breaches.push(`rule 1: ${told}: only ${starts} attempts were claimed`);
    if (approval.status !== 'approved') breaches.push(`rule 1: ${told}: it is ${approval.status}`);
    if (approval.disk?.serial !== serial)
      breaches.push(`rule 1: ${told}: approved is ${approval.disk?.serial}`);
    const before = history.slice(0, index);
    if (
      before.some((past) => past.taskId === taskId && (past.ended === 'finished' || past.attempt === attempt))
    ) {
      breaches.push(`rule 2: ${told} (${ended}) follows one that needed no repetition`);
    }
  }
  return breaches;
}

interface ApprovalDocument {
  readonly status?: string;
  readonly disk?: { readonly serial?: string };
}
