/** What an event writes, and what it refuses to write. */
import { exampleTask, EXAMPLE_NOW_MS, EXAMPLE_REPORT } from '../testing/example-task';
import { identityOf } from '../machine/disk-selector';
import { applyEvent, withChange } from './apply-event';
import type { TaskEvent } from './apply-event';
import type { StoredHardware, TaskRecord } from './task';

const stamp = { nowMs: EXAMPLE_NOW_MS + 60_000, actor: 'region:dc1' };
const hardware: StoredHardware = { schema_version: 1, report: EXAMPLE_REPORT, digest: 'sha256:aa' };
const [disk] = EXAMPLE_REPORT.disks;

function approval(digest: string): TaskEvent {
  if (disk === undefined) throw new Error('the example has no disk');
  return {
    name: 'approved',
    grant: 'jws',
    approval: {
      approved_by: 'ann',
      hardware_digest: digest,
      disk: identityOf(disk),
      image_digest: 'sha256:cc',
      grant_expires_at: '2026-01-30T10:00:00.000Z',
    },
  };
}

function after(task: TaskRecord, ...events: TaskEvent[]): TaskRecord {
  return events.reduce((current, event) => {
    const applied = applyEvent(current, event, stamp);
    if (applied.kind !== 'change') throw new Error(`${event.name} gave ${applied.kind}`);
    return withChange(current, applied.change, String(Number(current.version) + 1));
  }, task);
}

const toApproval: TaskEvent[] = [
  { name: 'prepared' },
  { name: 'boot_contacted', via: 'DHCPDISCOVER' },
  { name: 'hardware_reported', hardware, sessionId: 's1' },
];

describe('applyEvent', () => {
  it('leads a task through its whole life, one timeline entry a step', () => {
    const done = after(
      exampleTask(),
      ...toApproval,
      approval('sha256:aa'),
      { name: 'install_started', sessionId: 's1' },
      { name: 'install_succeeded', detail: 'verified' },
      { name: 'host_up', detail: 'host is up' },
    );
    expect(done.status).toBe('completed');
    expect(done.run.attempt).toBe(1);
    expect(done.grant).toBeUndefined();
    expect(done.timeline.map(({ event }) => event)).toEqual([
      'task_created',
      'prepared',
      'boot_contacted',
      'hardware_reported',
      'approved',
      'install_started',
      'install_succeeded',
      'host_up',
    ]);
    expect(done.timeline.map(({ seq }) => seq)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  it('refuses an approval of a report that is not the newest', () => {
    const applied = applyEvent(after(exampleTask(), ...toApproval), approval('sha256:old'), stamp);
    expect(applied).toMatchObject({ kind: 'refused', error: { code: 'conflict' } });
  });

  it('voids approval and grant when the hardware changed', () => {
    const changed = after(exampleTask(), ...toApproval, approval('sha256:aa'), {
      name: 'hardware_changed',
      hardware: { ...hardware, digest: 'sha256:bb' },
      sessionId: 's2',
      detail: 'a disk more',
    });
    expect(changed.status).toBe('pending_approval');
    expect(changed.approval).toEqual({ schema_version: 1, status: 'pending' });
    expect(changed.grant).toBeUndefined();
    expect(changed.hardware?.digest).toBe('sha256:bb');
  });

  it('takes a repeated report of the same session as said already', () => {
    const reported = after(exampleTask(), ...toApproval);
    const later = { ...hardware, report: { ...EXAMPLE_REPORT, collected_at: '2026-01-29T11:00:00.000Z' } };
    const again: TaskEvent = { name: 'hardware_reported', hardware: later, sessionId: 's1' };
    expect(applyEvent(reported, again, stamp).kind).toBe('noop');
    expect(applyEvent(reported, { ...again, sessionId: 's2' }, stamp).kind).toBe('change');
  });

  it('says what is different when a machine comes back with other hardware before approval', () => {
    const other = { ...EXAMPLE_REPORT, memory: { total_gb: 64, dimms: [] } };
    const changed = after(exampleTask(), ...toApproval, {
      name: 'hardware_reported',
      hardware: { schema_version: 1, report: other, digest: 'sha256:bb' },
      sessionId: 's2',
    });
    expect(changed.timeline.at(-1)?.detail).toMatch(/^sha256:bb; memory was .*32.*, is now .*64/);
  });

  it('names state and allowed states when it refuses', () => {
    const applied = applyEvent(exampleTask(), { name: 'install_started', sessionId: 's' }, stamp);
    if (applied.kind !== 'refused') throw new Error('not refused');
    expect(applied.error.code).toBe('not_allowed_in_state');
    expect(applied.error.message).toContain('is pending');
    expect(applied.error.message).toContain('approved');
  });

  it('starts a new deadline with a new state and keeps it while the state stays', () => {
    const ready = after(exampleTask(), { name: 'prepared' });
    expect(Date.parse(ready.run.deadline ?? '')).toBe(stamp.nowMs + 24 * 3600 * 1000);
    const installing = after(exampleTask(), ...toApproval, approval('sha256:aa'), {
      name: 'install_started',
      sessionId: 's1',
    });
    const asked = applyEvent(
      installing,
      { name: 'cancel_requested', by: 'ann' },
      { ...stamp, nowMs: stamp.nowMs + 1000 },
    );
    if (asked.kind !== 'change') throw new Error(asked.kind);
    expect(asked.change.run.deadline).toBe(installing.run.deadline);
    expect(asked.change.run.cancellation?.by).toBe('ann');
  });

  it('says an obstacle once, and forgets it when it is gone', () => {
    const blocked = after(exampleTask(), { name: 'preparation_blocked', reason: 'no image' });
    expect(blocked.run.waiting_for).toBe('no image');
    expect(applyEvent(blocked, { name: 'preparation_blocked', reason: 'no image' }, stamp).kind).toBe('noop');
    expect(after(blocked, { name: 'prepared' }).run.waiting_for).toBeUndefined();
  });
});
