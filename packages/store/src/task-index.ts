/**
 * Tasks in memory, newest first, found by id, machine, status, region and tag without sorting at query time.
 * Rows are kept in sorted arrays; a query walks the narrowest array that answers it. With 10 000 tasks a page with one filter
 * is a slice and a page with several is one walk. Invariant: created_at, region, machine and tags of a task never change.
 */
import { invalidField, isTerminal } from '@lpmos/core';
import type { MacAddress, RegionId, TaskId, TaskPage, TaskQuery, TaskRecord, TaskStatus } from '@lpmos/core';

export interface TaskIndex {
  put(task: TaskRecord): void;
  remove(id: TaskId): void;
  get(id: TaskId): TaskRecord | undefined;
  ofMachine(mac: MacAddress): TaskRecord | undefined;
  /** @throws LpmosError `invalid_argument` when `after` names no task. */
  query(query: TaskQuery): TaskPage;
  ids(): TaskId[];
}

interface Row {
  readonly id: TaskId;
  readonly createdAt: string;
  task: TaskRecord;
}

interface Rows {
  readonly byId: Map<TaskId, Row>;
  readonly all: Row[];
  readonly byStatus: Map<TaskStatus, Row[]>;
  readonly byRegion: Map<RegionId, Row[]>;
  readonly byMac: Map<MacAddress, Row[]>;
  readonly byTag: Map<string, Row[]>;
}

const NONE: readonly Row[] = [];

export function createTaskIndex(): TaskIndex {
  const rows: Rows = {
    byId: new Map(),
    all: [],
    byStatus: new Map(),
    byRegion: new Map(),
    byMac: new Map(),
    byTag: new Map(),
  };
  return {
    put: (task) => putRow(rows, task),
    remove: (id) => removeRow(rows, id),
    get: (id) => rows.byId.get(id)?.task,
    ofMachine: (mac) => {
      const own = rows.byMac.get(mac) ?? NONE;
      return (own.find((row) => !isTerminal(row.task.status)) ?? own[0])?.task;
    },
    query: (query) => runQuery(rows, query),
    ids: () => rows.all.map((row) => row.id),
  };
}

function putRow(rows: Rows, task: TaskRecord): void {
  const { id, created_at: createdAt } = task.metadata;
  const known = rows.byId.get(id);
  if (known !== undefined) {
    const before = known.task.status;
    if (before !== task.status) takeOut(rows.byStatus.get(before), known);
    known.task = task;
    if (before !== task.status) putIn(listFor(rows.byStatus, task.status), known);
    return;
  }
  const row: Row = { id, createdAt, task };
  rows.byId.set(id, row);
  putIn(rows.all, row);
  putIn(listFor(rows.byStatus, task.status), row);
  const { region_id, target_mac, tags } = task.metadata;
  putIn(listFor(rows.byRegion, region_id), row);
  putIn(listFor(rows.byMac, target_mac), row);
  for (const tag of Object.entries(tags)) putIn(listFor(rows.byTag, tagKey(tag)), row);
}

function tagKey([name, value]: readonly [string, string]): string {
  return `${name}\0${value}`;
}

function removeRow(rows: Rows, id: TaskId): void {
  const row = rows.byId.get(id);
  if (row === undefined) return;
  const { region_id, target_mac, tags } = row.task.metadata;
  rows.byId.delete(id);
  takeOut(rows.all, row);
  takeOut(rows.byStatus.get(row.task.status), row);
  takeOut(rows.byRegion.get(region_id), row);
  takeOutOf(rows.byMac, target_mac, row);
  for (const tag of Object.entries(tags)) takeOutOf(rows.byTag, tagKey(tag), row);
}

function runQuery(rows: Rows, query: TaskQuery): TaskPage {
  const { list, answered } = narrowest(rows, query);
  const wanted = remainingFilter(query, answered);
  const from = query.after === undefined ? undefined : positionAfter(rows, list, query.after);
  if (wanted === undefined) {
    const start = from ?? query.offset;
    return { tasks: list.slice(start, start + query.limit).map((row) => row.task), total: list.length };
  }
  const tasks: TaskRecord[] = [];
  let total = 0;
  // By index: this loop is what a filtered page costs, and an iterator trebles it.
  for (let position = 0; position < list.length; position++) {
    const row = list[position];
    if (row === undefined || !wanted(row.task)) continue;
    total += 1;
    const onPage = from === undefined ? total > query.offset : position >= from;
    if (onPage && tasks.length < query.limit) tasks.push(row.task);
  }
  return { tasks, total };
}

type Answered = 'mac' | 'status' | 'region' | 'tag' | 'nothing';

function narrowest(
  rows: Rows,
  query: TaskQuery,
): { readonly list: readonly Row[]; readonly answered: Answered } {
  if (query.mac !== undefined) return { list: rows.byMac.get(query.mac) ?? NONE, answered: 'mac' };
  const found: { readonly list: readonly Row[]; readonly answered: Answered }[] = [
    { list: rows.all, answered: 'nothing' },
  ];
  if (query.regionId !== undefined)
    found.push({ list: rows.byRegion.get(query.regionId) ?? NONE, answered: 'region' });
  const [status, ...others] = query.statuses ?? [];
  if (status !== undefined && others.length === 0) {
    found.push({ list: rows.byStatus.get(status) ?? NONE, answered: 'status' });
  }
  const [tag, ...otherTags] = Object.entries(query.tags ?? {});
  if (tag !== undefined) {
    const list = rows.byTag.get(tagKey(tag)) ?? NONE;
    // With several tags the first one narrows and all are tested.
    found.push({ list, answered: otherTags.length === 0 ? 'tag' : 'nothing' });
  }
  // On equal length the later one wins, because it answers a filter.
  return found.reduce((best, next) => (next.list.length <= best.list.length ? next : best));
}

/** What the chosen list does not answer by itself; undefined when it answers everything. */
function remainingFilter(query: TaskQuery, answered: Answered): ((task: TaskRecord) => boolean) | undefined {
  const regionId = answered === 'region' ? undefined : query.regionId;
  const statuses =
    answered === 'status' || query.statuses === undefined ? undefined : new Set(query.statuses);
  const tags = answered === 'tag' ? [] : Object.entries(query.tags ?? {});
  if (regionId === undefined && statuses === undefined && tags.length === 0) return undefined;
  return ({ metadata, status }) =>
    (statuses === undefined || statuses.has(status)) &&
    (regionId === undefined || metadata.region_id === regionId) &&
    tags.every(([name, value]) => Object.hasOwn(metadata.tags, name) && metadata.tags[name] === value);
}

function positionAfter(rows: Rows, list: readonly Row[], after: TaskId): number {
  const row = rows.byId.get(after);
  if (row !== undefined) {
    const position = lowerBound(list, row);
    return list[position] === row ? position + 1 : position;
  }
  throw invalidField('after', 'names no task; start again from the first page');
}

/** Negative when a stands before b: newest first, and ids decide between tasks of one instant. */
function order(a: Row, b: Row): number {
  if (a.createdAt !== b.createdAt) return a.createdAt > b.createdAt ? -1 : 1;
  return a.id === b.id ? 0 : a.id > b.id ? -1 : 1;
}

function lowerBound(list: readonly Row[], row: Row): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = list[middle];
    if (at !== undefined && order(at, row) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function putIn(list: Row[], row: Row): void {
  list.splice(lowerBound(list, row), 0, row);
}

function takeOut(list: Row[] | undefined, row: Row): void {
  if (list === undefined) return;
  const position = lowerBound(list, row);
  if (list[position] === row) list.splice(position, 1);
}

function takeOutOf<K>(lists: Map<K, Row[]>, key: K, row: Row): void {
  const list = lists.get(key);
  takeOut(list, row);
  if (list?.length === 0) lists.delete(key);
}

function listFor<K>(lists: Map<K, Row[]>, key: K): Row[] {
  const known = lists.get(key);
  if (known !== undefined) return known;
  const made: Row[] = [];
  lists.set(key, made);
  return made;
}
