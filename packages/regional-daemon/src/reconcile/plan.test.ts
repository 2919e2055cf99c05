/** What the region does next, as a table: facts in, plan out. The cases that would cost a disk come first. */
import type { StoredHardware, TaskRecord } from '@lpmos/core';
import { exampleTask, EXAMPLE_NOW_MS, EXAMPLE_REPORT } from '@lpmos/core/testing';
import { plan } from './plan';
import type { AgentFacts, TaskFacts } from './plan';

const NOW = EXAMPLE_NOW_MS + 60_000;
const hardware: StoredHardware = { schema_version: 1, report: EXAMPLE_REPORT, digest: 'sha256:aa' };
const changed: StoredHardware = {
  schema_version: 1,
  report: { ...EXAMPLE_REPORT, memory: { total_gb: 64, dimms: [] } },
  digest: 'sha256:bb',
};
const iso = (ms: number): string => new Date(ms).toISOString();

const approved: Partial<TaskRecord> = {
  status: 'approved',
  hardware,
  grant: 'jws',
  approval: {
    schema_version: 1,
    status: 'approved',
    hardware_digest: 'sha256:aa',
    grant_expires_at: iso(NOW + 3_600_000),
  },
  run: {
    schema_version: 1,
    attempt: 0,
    state_since: iso(NOW - 1000),
    deadline: iso(NOW + 1_800_000),
    session_id: 's1',
  },
};
const installing: Partial<TaskRecord> = {
  ...approved,
  status: 'installing',
  run: {
    schema_version: 1,
    attempt: 1,
    state_since: iso(NOW - 1000),
    deadline: iso(NOW + 7_200_000),
    session_id: 's1',
  },
};

const agent: AgentFacts = { sessionId: 's1', lastHeardMs: NOW, connected: true };

function facts(task: Partial<TaskRecord>, rest: Partial<TaskFacts> = {}): TaskFacts {
  return { task: exampleTask(task), preparation: { ready: true }, writeBudget: 3, nowMs: NOW, ...rest };
}

function result(success: boolean, failureClass = 'disk_write', attempt = 1): AgentFacts {
  const said = { seq: '9', attempt, success, failureClass, message: 'said' } as const;
  return { ...agent, result: said as NonNullable<AgentFacts['result']> };
}

describe('plan: what could cost a disk', () => {
  it('starts no installation while the agent that reported is another one', () => {
    const rebooted = { ...agent, sessionId: 's2' };
    expect(plan(facts(approved, { agent: rebooted })).event).toBeUndefined();
  });

  it('voids the approval when the new agent reports other hardware', () => {
    const other = { ...agent, sessionId: 's2', report: { seq: '2', hardware: changed } };
    expect(plan(facts(approved, { agent: other })).event).toMatchObject({
      name: 'hardware_changed',
      sessionId: 's2',
      detail: expect.stringContaining('memory') as string,
    });
  });

  it('starts no installation without a live grant', () => {
    const expired = {
      ...approved,
      approval: {
        ...approved.approval,
        schema_version: 1,
        status: 'approved',
        grant_expires_at: iso(NOW - 1),
      },
    } as Partial<TaskRecord>;
    const usedUp = { ...approved, run: { ...installing.run, attempt: 3 } } as Partial<TaskRecord>;
    for (const task of [
      expired,
      usedUp,
      { ...approved, grant: undefined } as unknown as Partial<TaskRecord>,
    ]) {
      expect(plan(facts(task, { agent })).event).toMatchObject({
        name: 'failed',
        error: { class: 'grant_refused' },
      });
    }
  });

  it('claims an attempt before it orders the installation, and orders only what was claimed', () => {
    const first = plan(facts(approved, { agent }));
    expect(first).toEqual({ event: { name: 'install_started', sessionId: 's1' }, acks: [] });
    expect(plan(facts(installing, { agent })).order).toEqual({ kind: 'install', attempt: 1 });
  });

  it('never orders an installation once the task has ended', () => {
    for (const status of ['completed', 'failed', 'rejected', 'cancelled'] as const) {
      expect(plan(facts({ ...installing, status }, { agent })).order?.kind).toBe('reboot');
    }
  });

  it('counts a rebooted machine as a lost attempt instead of letting it write on', () => {
    expect(plan(facts(installing, { agent: { ...agent, sessionId: 's2' } })).event).toMatchObject({
      name: 'attempt_failed',
      error: { class: 'agent_lost' },
    });
  });
});

describe('plan: the way forward', () => {
  it('prepares, or says once what is missing', () => {
    expect(plan(facts({})).event).toEqual({ name: 'prepared' });
    const missing = { ready: false, reason: 'no image' } as const;
    expect(plan(facts({}, { preparation: missing })).event).toEqual({
      name: 'preparation_blocked',
      reason: 'no image',
    });
    const told = { run: { ...exampleTask().run, waiting_for: 'no image' } };
    expect(plan(facts(told, { preparation: missing })).event).toBeUndefined();
  });

  it('takes a session for a boot contact that it missed', () => {
    expect(plan(facts({ status: 'ready' }, { agent })).event).toMatchObject({ name: 'boot_contacted' });
    expect(plan(facts({ status: 'ready' })).event).toBeUndefined();
  });

  it('acknowledges a report only once it is stored', () => {
    const reporting = { ...agent, report: { seq: '2', hardware } };
    const booting = plan(facts({ status: 'booting' }, { agent: reporting }));
    expect(booting).toMatchObject({ event: { name: 'hardware_reported' }, acks: [] });
    const stored = { status: 'pending_approval', hardware, run: installing.run } as Partial<TaskRecord>;
    expect(plan(facts(stored, { agent: reporting }))).toMatchObject({ acks: ['2'], order: { kind: 'wait' } });
  });

  it('completes on success and acknowledges the result afterwards', () => {
    const won = result(true);
    expect(plan(facts(installing, { agent: won })).event).toMatchObject({ name: 'install_succeeded' });
    expect(plan(facts({ ...installing, status: 'completed' }, { agent: won }))).toMatchObject({
      acks: ['9'],
      order: { kind: 'reboot' },
    });
  });

  it('tries again while the budget lasts, and never after a refusal on principle', () => {
    expect(plan(facts(installing, { agent: result(false) })).event?.name).toBe('attempt_failed');
    const last = { ...installing, run: { ...installing.run, attempt: 3 } } as Partial<TaskRecord>;
    expect(plan(facts(last, { agent: result(false, 'disk_write', 3) })).event?.name).toBe('failed');
    for (const refusal of ['grant_refused', 'disk_refused', 'hardware_changed']) {
      expect(plan(facts(installing, { agent: result(false, refusal) })).event?.name).toBe('failed');
    }
  });

  it('ignores the result of an earlier attempt and acknowledges it', () => {
    const second = { ...installing, run: { ...installing.run, attempt: 2 } } as Partial<TaskRecord>;
    const late = plan(facts(second, { agent: result(true) }));
    expect(late).toMatchObject({ acks: ['9'], order: { kind: 'install', attempt: 2 } });
    expect(late.event).toBeUndefined();
  });

  it('orders a cancellation and obeys the answer', () => {
    const asked = {
      ...installing,
      run: { ...installing.run, cancellation: { by: 'ann', at: iso(NOW) } },
    } as Partial<TaskRecord>;
    expect(plan(facts(asked, { agent })).order).toEqual({ kind: 'cancel', reason: 'cancelled by ann' });
    const obeyed = { ...agent, cancelObeyed: { seq: '5', message: 'stopped' } };
    expect(plan(facts(asked, { agent: obeyed })).event).toEqual({ name: 'cancel_obeyed', detail: 'stopped' });
    expect(plan(facts(asked, { agent: result(false) })).event?.name).toBe('cancel_obeyed');
  });

  it('gives up at deadlines, and says when to look again', () => {
    const late = {
      status: 'booting',
      run: { ...installing.run, deadline: iso(NOW - 1) },
    } as Partial<TaskRecord>;
    expect(plan(facts(late)).event).toMatchObject({ name: 'failed', error: { class: 'deadline' } });
    const silent = facts(installing, { nowMs: NOW + 11 * 60_000 });
    expect(plan(silent).event).toMatchObject({ name: 'attempt_failed', error: { class: 'agent_silent' } });
    expect(plan(facts(installing)).wakeAtMs).toBe(NOW - 1000 + 600_000);
  });

  it('lets a pending task wait for its region as long as it takes', () => {
    const old = { run: { ...exampleTask().run, waiting_for: 'x', deadline: iso(NOW - 1) } };
    expect(plan(facts(old, { preparation: { ready: false, reason: 'x' } })).event).toBeUndefined();
  });
});
