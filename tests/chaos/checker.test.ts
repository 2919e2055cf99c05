/** The judge itself: an innocent site is innocent, and each planted breach is found. Without this, a green chaos run would prove nothing. */
import { EXAMPLE_METADATA, EXAMPLE_REPORT, EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import type { TaskStatus, TimelineEvent } from '@lpmos/core';
import { judge } from './checker';
import type { Evidence } from './checker';

const ID = EXAMPLE_TASK_ID;
const OTHER = ID.replace('f831', 'f832').replace('fbd9d', 'fbd9e');
const [DISK] = EXAMPLE_REPORT.disks;
if (DISK === undefined) throw new Error('the example report has a disk');

const WALK: readonly [TimelineEvent['event'], TaskStatus, string][] = [
  ['task_created', 'pending', 'ann'],
  ['prepared', 'ready', 'region:dc1'],
  ['boot_contacted', 'booting', 'region:dc1'],
  ['hardware_reported', 'pending_approval', 'region:dc1'],
  ['approved', 'approved', 'ann'],
  ['install_started', 'installing', 'region:dc1'],
  ['install_succeeded', 'completed', 'region:dc1'],
  ['host_up', 'completed', 'host:00:1a:2b:3c:4d:5e'],
];

/** The keys of a task that went the first `steps` steps of the walk. */
function keysOf(steps: number, id: string = ID): Record<string, unknown> {
  const walked = WALK.slice(0, steps);
  const status = walked.at(-1)?.[1] ?? 'pending';
  const timeline = walked.map(([event, to, actor], seq) => ({
    ...{ seq, timestamp: '2026-01-29T10:00:00.000Z', event, to, actor },
    ...(seq === 0 ? {} : { from: walked[seq - 1]?.[1] }),
  }));
  const active = status !== 'completed';
  return {
    [`/lpmos/tasks/${id}/metadata`]: { ...EXAMPLE_METADATA, id },
    [`/lpmos/tasks/${id}/status`]: status,
    [`/lpmos/tasks/${id}/run`]: {
      state_since: '2026-01-29T10:00:00.000Z',
      ...(active ? { deadline: '2026-01-29T10:05:00.000Z' } : {}),
    },
    ...(steps > 4
      ? { [`/lpmos/tasks/${id}/approval`]: { status: 'approved', disk: { serial: DISK?.serial } } }
      : {}),
    ...Object.fromEntries(timeline.map((event) => [`/lpmos/tasks/${id}/timeline/000${event.seq}`, event])),
    ...(active ? { [`/lpmos/regions/dc1/tasks/${id}`]: '' } : {}),
    [`/lpmos/guards/machines/${EXAMPLE_METADATA.target_mac}`]: { task_id: id },
  };
}

const entriesOf = (keys: Record<string, unknown>): Evidence['entries'] =>
  Object.entries(keys).map(([key, value]) => ({
    key,
    value: typeof value === 'string' ? value : JSON.stringify(value),
  }));

function diskWith(
  history: readonly {
    readonly taskId: string;
    readonly attempt: number;
    readonly ended: 'finished' | 'abandoned';
  }[],
  violations: readonly string[] = [],
): Evidence['disks'][number] {
  if (DISK === undefined) throw new Error('unreachable');
  return {
    identity: DISK,
    violations,
    system: () => undefined,
    history: () => history.map((record) => ({ bytesWritten: 1, ...record })),
  };
}

const written = { taskId: ID, attempt: 1, ended: 'finished' } as const;
const accuse = (keys: Record<string, unknown>, rest: Partial<Evidence> = {}): string[] =>
  judge({ entries: entriesOf(keys), disks: [], acknowledged: [], ...rest });

describe('the judge', () => {
  it.each(WALK.map((_, index) => index + 1))('finds nothing wrong after %i steps of a good life', (steps) => {
    const disks = steps > 5 ? [diskWith([written])] : [diskWith([])];
    expect(accuse(keysOf(steps), { disks, acknowledged: [ID] })).toEqual([]);
  });

  const timeline = (seq: number): string => `/lpmos/tasks/${ID}/timeline/000${seq}`;
  const replaced = (steps: number, key: string, value: unknown): Record<string, unknown> => ({
    ...keysOf(steps),
    [key]: value,
  });
  const without = (steps: number, key: string): Record<string, unknown> => {
    const { [key]: _gone, ...rest } = keysOf(steps);
    return rest;
  };
  const edge = (seq: number, changes: Partial<TimelineEvent>): Record<string, unknown> => {
    const keys = keysOf(WALK.length);
    return { ...keys, [timeline(seq)]: { ...(keys[timeline(seq)] as TimelineEvent), ...changes } };
  };

  it.each([
    ['a skipped approval', edge(4, { event: 'install_started', to: 'installing' }), 'rule 4'],
    ['an edge from another state', edge(5, { from: 'booting' }), 'it stood at approved'],
    ['an invented event', edge(5, { event: 'teleported' as 'failed' }), 'no event of the table'],
    ['a hub’s step taken by the region', edge(4, { actor: 'region:dc1' }), 'by region:dc1'],
    ['a region’s step taken by a person', edge(5, { actor: 'ann' }), 'by ann'],
    ['a hole in the timeline', without(8, timeline(3)), 'has number'],
    ['a life that begins in the middle', without(1, timeline(0)), 'ends in nowhere'],
    ['a status beside its timeline', replaced(8, `/lpmos/tasks/${ID}/status`, 'failed'), 'status is failed'],
    [
      'a second host_up',
      {
        ...keysOf(8),
        [timeline(8)]: { seq: 8, event: 'host_up', from: 'completed', to: 'completed', actor: 'host:x' },
      },
      'host_up 2 times',
    ],
    ['a task that nobody was told of', without(3, `/lpmos/regions/dc1/tasks/${ID}`), 'no region is told'],
    ['an ended task still assigned', replaced(8, `/lpmos/regions/dc1/tasks/${ID}`, ''), 'still assigned'],
    [
      'a missing deadline',
      replaced(3, `/lpmos/tasks/${ID}/run`, { state_since: '2026-01-29T10:00:00Z' }),
      'rule 12',
    ],
    ['a status that is none', replaced(3, `/lpmos/tasks/${ID}/status`, 'lost'), 'rule 12'],
    ['a missing guard', without(3, `/lpmos/guards/machines/${EXAMPLE_METADATA.target_mac}`), 'rule 5'],
    ['two active tasks', { ...keysOf(3, OTHER), ...keysOf(3) }, 'rule 5'],
  ])('finds %s', (_what, keys, words) => {
    expect(accuse(keys).join('\n')).toContain(words);
  });

  it.each([
    ['a write before approval', 4, [written], 'rule 1'],
    ['an attempt that nobody claimed', 8, [{ ...written, attempt: 2 }], 'only 1 attempts were claimed'],
    ['a write for an unknown task', 8, [{ ...written, taskId: OTHER }], 'no such task'],
    ['a write after success', 8, [written, { ...written, ended: 'abandoned' as const }], 'rule 2'],
  ])('finds %s', (_what, steps, history, words) => {
    expect(accuse(keysOf(steps), { disks: [diskWith(history)] }).join('\n')).toContain(words);
  });

  it('finds a write to another disk than the approved one, what a disk itself saw, and a lost task', () => {
    const approval = { status: 'approved', disk: { serial: 'ANOTHER' } };
    const keys = replaced(8, `/lpmos/tasks/${ID}/approval`, approval);
    expect(accuse(keys, { disks: [diskWith([written])] }).join('\n')).toContain('approved is ANOTHER');
    expect(accuse(keysOf(8), { disks: [diskWith([], ['DISK VIOLATION'])] })).toEqual([
      'rule 1: DISK VIOLATION',
    ]);
    expect(accuse({}, { acknowledged: [ID] })).toEqual([`rule 3: acknowledged task ${ID} is lost`]);
  });
});
