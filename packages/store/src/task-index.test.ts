import fc from 'fast-check';
import { isTerminal, TASK_STATUS_NAMES } from '@lpmos/core';
import type { TaskQuery, TaskRecord } from '@lpmos/core';
import { mac, newTask, OTHER_REGION, REGION } from './contract/fixtures';
import { createTaskIndex } from './task-index';
import type { TaskIndex } from './task-index';

const TASKS = 40;
const REGIONS = [REGION, OTHER_REGION] as const;

function record(machine: number, createdAtMs: number, status: TaskRecord['status']): TaskRecord {
  const regionId = REGIONS[machine % 2] ?? REGION;
  const { metadata, run, created } = newTask({
    machine,
    regionId,
    createdAtMs,
    tags: { rack: String(machine % 3), row: 'a' },
  });
  return { metadata, run, status, version: '1', timeline: [created] };
}

/** Few instants, so that ids have to decide. */
const recordArbitrary = fc
  .tuple(
    fc.integer({ min: 1, max: 6 }),
    fc.integer({ min: 0, max: 9 }),
    fc.constantFrom(...TASK_STATUS_NAMES),
  )
  .map(([machine, second, status]) => record(machine, second * 1000, status));

const queryArbitrary: fc.Arbitrary<TaskQuery> = fc
  .record({
    regionId: fc.option(fc.constantFrom(...REGIONS), { nil: undefined }),
    statuses: fc.option(fc.uniqueArray(fc.constantFrom(...TASK_STATUS_NAMES), { maxLength: 3 }), {
      nil: undefined,
    }),
    mac: fc.option(fc.integer({ min: 1, max: 7 }).map(mac), { nil: undefined }),
    tags: fc.option(
      fc.constantFrom(
        { rack: '1' },
        { rack: '9' },
        { toString: 'x' },
        { rack: '1', row: 'a' },
        { row: 'a', rack: '2' },
      ),
      { nil: undefined },
    ),
    limit: fc.integer({ min: 1, max: 10 }),
    offset: fc.integer({ min: 0, max: 12 }),
  })
  .map(
    (query) =>
      Object.fromEntries(
        Object.entries(query).filter(([, value]) => value !== undefined),
      ) as unknown as TaskQuery,
  );

function matches(task: TaskRecord, { regionId, statuses, mac: wanted, tags }: TaskQuery): boolean {
  return (
    (regionId === undefined || task.metadata.region_id === regionId) &&
    (statuses === undefined || statuses.includes(task.status)) &&
    (wanted === undefined || task.metadata.target_mac === wanted) &&
    Object.entries(tags ?? {}).every(
      ([name, value]) => Object.hasOwn(task.metadata.tags, name) && task.metadata.tags[name] === value,
    )
  );
}

function newestFirst(tasks: Iterable<TaskRecord>): TaskRecord[] {
  const sortKey = ({ metadata }: TaskRecord): string => `${metadata.created_at} ${metadata.id}`;
  return [...tasks].sort((a, b) => (sortKey(a) > sortKey(b) ? -1 : 1));
}

const changes = fc.array(
  fc.record({
    at: fc.nat(TASKS),
    status: fc.option(fc.constantFrom(...TASK_STATUS_NAMES), { nil: undefined }),
  }),
  { maxLength: 20 },
);

function filled(
  tasks: readonly TaskRecord[],
  steps: readonly { at: number; status: TaskRecord['status'] | undefined }[],
) {
  const index = createTaskIndex();
  const model = new Map(tasks.map((task) => [task.metadata.id, task]));
  for (const task of tasks) index.put(task);
  for (const { at, status } of steps) {
    const task = tasks[at % tasks.length];
    if (task === undefined) continue;
    const moved = { ...task, status: status ?? task.status };
    if (status === undefined) index.remove(task.metadata.id);
    else index.put(moved);
    if (status === undefined) model.delete(task.metadata.id);
    else model.set(task.metadata.id, moved);
  }
  return { index, model };
}

describe('the task index', () => {
  it('answers every query as filtering and sorting all tasks would', () => {
    fc.assert(
      fc.property(
        fc.array(recordArbitrary, { minLength: 1, maxLength: TASKS }),
        changes,
        queryArbitrary,
        (tasks, steps, query) => {
          const { index, model } = filled(tasks, steps);
          const expected = newestFirst(model.values()).filter((task) => matches(task, query));
          expect(index.query(query)).toEqual({
            tasks: expected.slice(query.offset, query.offset + query.limit),
            total: expected.length,
          });
          expect(index.ids()).toEqual(newestFirst(model.values()).map((task) => task.metadata.id));
        },
      ),
    );
  });

  it('pages by cursor without gap or repetition', () => {
    fc.assert(
      fc.property(
        fc.array(recordArbitrary, { minLength: 1, maxLength: TASKS }),
        queryArbitrary,
        (tasks, query) => {
          const { index } = filled(tasks, []);
          const { offset: _, ...rest } = query;
          const paged = pagesOf(index, { ...rest, offset: 0 });
          expect(paged).toEqual(newestFirst(tasks).filter((task) => matches(task, query)));
        },
      ),
    );
  });

  it('prefers the active task of a machine, else gives its newest', () => {
    fc.assert(
      fc.property(fc.array(recordArbitrary, { minLength: 1, maxLength: TASKS }), (tasks) => {
        const { index } = filled(tasks, []);
        for (const task of tasks) {
          const own = newestFirst(tasks).filter(
            ({ metadata }) => metadata.target_mac === task.metadata.target_mac,
          );
          expect(index.ofMachine(task.metadata.target_mac)).toEqual(
            own.find(({ status }) => !isTerminal(status)) ?? own[0],
          );
        }
        expect(index.ofMachine(mac(99))).toBeUndefined();
      }),
    );
  });

  it('refuses a cursor that names no task', () => {
    const { index } = filled([], []);
    const { id } = newTask().metadata;
    expect(() => index.query({ limit: 1, offset: 0, after: id })).toThrow(
      expect.objectContaining({ code: 'invalid_argument' }),
    );
  });

  it('prints what a page of 50 out of 10 000 tasks costs', () => {
    const index = createTaskIndex();
    for (let number = 0; number < 10_000; number++) {
      index.put(record(number + 1, number * 1000, TASK_STATUS_NAMES[number % 10] ?? 'pending'));
    }
    const queries: Record<string, TaskQuery> = {
      'no filter': { limit: 50, offset: 0 },
      'one status': { limit: 50, offset: 100, statuses: ['failed'] },
      'region and status': { limit: 50, offset: 100, statuses: ['failed'], regionId: REGION },
      'three statuses and a tag': {
        limit: 50,
        offset: 0,
        statuses: ['pending', 'ready', 'failed'],
        tags: { rack: '1' },
      },
      'region and four statuses': {
        limit: 50,
        offset: 0,
        statuses: ['pending', 'ready', 'failed', 'completed'],
        regionId: OTHER_REGION,
      },
    };
    for (const [name, query] of Object.entries(queries)) {
      expect(index.query(query).tasks).toHaveLength(50);
      const times = Array.from({ length: 400 }, () => {
        const began = performance.now();
        index.query(query);
        return performance.now() - began;
      });
      const median = times.sort((x, y) => x - y)[200] ?? 0;
      process.stdout.write(`page of 50 out of 10 000, ${name}: ${Math.round(median * 1000)} us (median)\n`);
    }
  });
});

function pagesOf(index: TaskIndex, query: TaskQuery): TaskRecord[] {
  const all: TaskRecord[] = [];
  let page = index.query(query);
  while (page.tasks.length > 0) {
    all.push(...page.tasks);
    const last = all.at(-1);
    page = last === undefined ? { tasks: [], total: 0 } : index.query({ ...query, after: last.metadata.id });
  }
  return all;
}
