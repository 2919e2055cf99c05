import { TASK_STATUS_NAMES } from '@lpmos/core';
import type { TaskStatus } from '@lpmos/core';
import type { TaskDocument } from './control-plane';
import { EXAMPLE_TASK } from './example-task';
import { liveLine, newWords, NOTHING_SAID, watchEnd, WATCH_GOALS } from './watch-progress';

const inStatus = (status: TaskStatus, change: Partial<TaskDocument> = {}): TaskDocument => ({
  ...EXAMPLE_TASK,
  status,
  ...change,
});
const progress = (percent: number): TaskDocument['progress'] => ({
  attempt: 1,
  phase: 'write',
  percent,
  message: 'writing',
  bytes_done: percent * 1e7,
  bytes_total: 1e9,
  at: '2026-01-29T10:20:00.000Z',
});

describe('watchEnd', () => {
  it.each([
    ['completed', 'completed', 0],
    ['failed', 'completed', 20],
    ['rejected', 'completed', 21],
    ['cancelled', 'completed', 22],
    ['installing', 'completed', undefined],
    ['pending_approval', 'pending_approval', 0],
    ['approved', 'pending_approval', 0],
    ['completed', 'installing', 0],
    ['failed', 'installing', 20],
    ['rejected', 'rejected', 0],
    ['completed', 'failed', 7],
    ['approved', 'rejected', undefined],
    ['completed', 'host_up', undefined],
    ['cancelled', 'host_up', 22],
  ] as const)('%s with --until %s ends with %s', (status, goal, exit) => {
    expect(watchEnd(inStatus(status), goal)).toBe(exit);
  });

  it('ends with host_up only once the host checked in', () => {
    const [first] = EXAMPLE_TASK.timeline;
    if (first === undefined) throw new Error('the example has a timeline');
    const timeline = [...EXAMPLE_TASK.timeline, { ...first, event: 'host_up' as const }];
    expect(watchEnd(inStatus('completed', { timeline }), 'host_up')).toBe(0);
  });

  it('ends for every terminal status except one that may still check in, whatever was waited for', () => {
    const open = TASK_STATUS_NAMES.slice(-4).flatMap((status) =>
      WATCH_GOALS.filter((goal) => watchEnd(inStatus(status), goal) === undefined).map((goal) => [
        status,
        goal,
      ]),
    );
    expect(open).toEqual([['completed', 'host_up']]);
  });
});

describe('newWords', () => {
  it('says each event once', () => {
    const first = newWords(NOTHING_SAID, EXAMPLE_TASK, 10);
    expect(first.lines).toHaveLength(4);
    expect(newWords(first.said, EXAMPLE_TASK, 10).lines).toEqual([]);
  });

  it('says progress in steps, and only while installing', () => {
    let said = newWords(NOTHING_SAID, EXAMPLE_TASK, 10).said;
    const lines: string[] = [];
    for (let percent = 0; percent <= 100; percent += 1) {
      const words = newWords(said, inStatus('installing', { progress: progress(percent) }), 10);
      said = words.said;
      lines.push(...words.lines);
    }
    expect(lines).toHaveLength(11);
    expect(lines[1]).toContain('10 %  100 MB of 1.0 GB');
    expect(newWords(said, inStatus('completed', { progress: progress(100) }), 10).lines).toEqual([]);
  });
});

describe('liveLine', () => {
  it('draws a bar and never exceeds the terminal', () => {
    const task = inStatus('installing', { progress: progress(50) });
    expect(liveLine(task, 100)).toContain('[###############---------------]  50 %  write');
    expect(liveLine(task, 20)).toHaveLength(19);
  });
});
