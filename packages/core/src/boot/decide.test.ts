/** The boot decision: total, and never a writing agent without a live grant. */
import fc from 'fast-check';
import { EXAMPLE_TASK_ID } from '../testing/example-task';
import { isTerminal, TASK_STATUS_NAMES } from '../task/status';
import type { TaskStatus } from '../task/status';
import { decide } from './decide';
import type { BootTask, BootView } from './decide';
import { EXIT_METHODS } from './exit-method';

const anyTask: fc.Arbitrary<BootTask> = fc.record(
  {
    id: fc.constant(EXAMPLE_TASK_ID),
    status: fc.constantFrom(...TASK_STATUS_NAMES),
    attempt: fc.nat(5),
    grant: fc.record({ live: fc.boolean() }),
  },
  { requiredKeys: ['id', 'status', 'attempt'] },
);

const anyView: fc.Arbitrary<BootView> = fc.oneof(
  fc.constant<BootView>({ known: 'no-view' }),
  fc.constant<BootView>({ known: 'unknown-machine' }),
  fc.constant<BootView>({ known: 'machine' }),
  anyTask.map((task): BootView => ({ known: 'machine', task })),
);

describe('decide', () => {
  it('answers every view with a reason', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const decision = decide(view);
        expect(['agent', 'local-disk', 'silent', 'wait']).toContain(decision.kind);
        expect(decision.reason.length).toBeGreaterThan(10);
      }),
    );
  });

  it('says install only for an approved or installing task with a live grant', () => {
    fc.assert(
      fc.property(anyTask, (task) => {
        const decision = decide({ known: 'machine', task });
        const installs = decision.kind === 'agent' && decision.purpose === 'install';
        const may = ['approved', 'installing'].includes(task.status) && task.grant?.live === true;
        expect(installs).toBe(may);
      }),
    );
  });

  it('leaves the disk alone once a task has ended', () => {
    for (const status of TASK_STATUS_NAMES.filter(isTerminal)) {
      const task = { id: EXAMPLE_TASK_ID, status, attempt: 1, grant: { live: true } };
      expect(decide({ known: 'machine', task }).kind).toBe('local-disk');
    }
  });

  it('tells every script of a machine with a task how that machine leaves for its disk', () => {
    fc.assert(
      fc.property(anyTask, fc.constantFrom(...EXIT_METHODS), (task, exitMethod) => {
        expect(decide({ known: 'machine', task: { ...task, exitMethod } })).toMatchObject({ exitMethod });
        expect(decide({ known: 'machine', task })).not.toHaveProperty('exitMethod');
      }),
    );
  });

  it('does not mistake "cannot know" for "unknown machine"', () => {
    expect(decide({ known: 'no-view' }).kind).toBe('wait');
  });

  it('sends whose task may have moved to the daemon that knows, and leaves what had ended at its end', () => {
    const old = (status: TaskStatus) =>
      decide({ known: 'machine', isOld: true, task: { id: EXAMPLE_TASK_ID, status, attempt: 1 } });
    for (const status of TASK_STATUS_NAMES) {
      const { kind, reason } = old(status);
      expect([status, kind]).toEqual([status, isTerminal(status) ? 'local-disk' : 'wait']);
      if (kind === 'wait') expect(reason).toContain(`was ${status}`);
    }
    expect(old('installing')).toMatchObject({ elsewhere: true });
    expect(decide({ known: 'unknown-machine' }).kind).toBe('silent');
  });
});
