import { TASK_STATUS_NAMES, parseTaskId, statusRow } from '@lpmos/core';
import type { RegionView, TaskRecord, TaskStatus } from '@lpmos/core';
import { explain } from './explain-task';

const id = parseTaskId('5891b5b5-22d5-8df0-86d0-ff0b110fbd9d');
const NOW = Date.UTC(2026, 0, 29, 12);
const at = (offsetMs: number): string => new Date(NOW + offsetMs).toISOString();
const online = { online: true, last_heartbeat: at(-5_000) } as RegionView;

function task(status: TaskStatus, change: Partial<TaskRecord> = {}): TaskRecord {
  return {
    metadata: { id, region_id: 'dc1', target_mac: '00:1a:2b:3c:4d:5e' },
    status,
    version: '7',
    run: { schema_version: 1, attempt: 0, state_since: at(-60_000), deadline: at(60_000) },
    timeline: [],
    ...change,
  } as unknown as TaskRecord;
}

const say = (record: TaskRecord, region: RegionView | null = online, machineTask = record) =>
  explain({ task: record, machineTask, region: region ?? undefined, nowMs: NOW });

describe('explain', () => {
  it.each(TASK_STATUS_NAMES)('takes the words for %s from the table', (status) => {
    const { sentence, mover } = statusRow(status);
    expect(say(task(status))).toMatchObject({ status, sentence, whose_move: mover, since: at(-60_000) });
  });

  it('calls a task stalled whose region is away, unless it has ended', () => {
    expect(say(task('ready'), null)).toMatchObject({ stalled: true, region: { online: false } });
    expect(say(task('completed'), null).stalled).toBe(false);
  });

  it('calls a task stalled whose deadline passed while the region is there', () => {
    const late = task('pending', {
      run: { schema_version: 1, attempt: 0, state_since: at(-600_000), deadline: at(-1) },
    });
    expect(say(late).stalled_because).toContain('deadline passed');
    expect(say(task('pending')).stalled).toBe(false);
  });

  it('says what the machine boots by its newest task, with the reason of the decision', () => {
    const newer = task('pending_approval');
    expect(say(task('cancelled'), online, newer).next_boot).toMatchObject({
      decision: 'agent',
      purpose: 'report',
    });
    expect(say(task('completed')).next_boot).toMatchObject({ decision: 'local-disk' });
  });

  it('knows when a grant is no longer live', () => {
    const approved = (expires: string, attempt = 0): TaskRecord =>
      task('approved', {
        grant: 'x',
        approval: { schema_version: 1, status: 'approved', grant_expires_at: expires },
        run: { schema_version: 1, attempt, state_since: at(0) },
      });
    expect(say(approved(at(1_000))).next_boot.purpose).toBe('install');
    expect(say(approved(at(-1_000))).next_boot.purpose).toBe('report');
    expect(say(approved(at(1_000), 3)).next_boot.purpose).toBe('report');
  });

  it('names the request for everything that is allowed', () => {
    const allowed = say(task('pending_approval')).allowed_now.map(({ request }) => request);
    const path = `/api/v1/tasks/${id}`;
    expect(allowed.sort()).toEqual([`DELETE ${path}`, `PUT ${path}/approve`, `PUT ${path}/reject`]);
    expect(say(task('failed')).allowed_now).toEqual([]);
  });
});
