/** The table's own laws: one outcome for every pair, terminal stays terminal, nobody is stuck. */
import fc from 'fast-check';
import { isTerminal, statusRow, TASK_STATUS_NAMES } from './status';
import { allowedEvents, eventRow, TASK_EVENT_NAMES, transition } from './transitions';

const anyStatus = fc.constantFrom(...TASK_STATUS_NAMES);
const anyEvent = fc.constantFrom(...TASK_EVENT_NAMES);

describe('the table of transitions', () => {
  it('gives every (state, event) pair exactly one outcome, the same each time', () => {
    fc.assert(
      fc.property(anyStatus, anyEvent, (status, event) => {
        const outcome = transition(status, event);
        expect(['move', 'noop', 'refused']).toContain(outcome.kind);
        expect(transition(status, event)).toEqual(outcome);
      }),
    );
  });

  it('never calls a pair both a move and already true', () => {
    for (const event of TASK_EVENT_NAMES) {
      const { edges, alreadyTrueIn } = eventRow(event);
      expect(alreadyTrueIn.filter((status) => edges[status] !== undefined)).toEqual([]);
    }
  });

  it('keeps terminal states terminal under any sequence of events', () => {
    fc.assert(
      fc.property(anyStatus.filter(isTerminal), fc.array(anyEvent, { maxLength: 30 }), (start, events) => {
        let status = start;
        for (const event of events) {
          const outcome = transition(status, event);
          if (outcome.kind === 'move') status = outcome.to;
        }
        expect(status).toBe(start);
      }),
    );
  });

  it('gives every state that is not terminal an owner, a deadline, a cancellation and a way to fail', () => {
    for (const status of TASK_STATUS_NAMES.filter((name) => !isTerminal(name))) {
      expect(statusRow(status).mover).not.toBe('nobody');
      expect(statusRow(status).deadline?.seconds).toBeGreaterThan(0);
      expect(transition(status, 'failed')).toEqual({ kind: 'move', to: 'failed' });
      expect(allowedEvents(status, 'hub').some((event) => event.startsWith('cancel'))).toBe(true);
    }
  });

  it('reaches `installing` only from `approved`, and `approved` only by the hub or by a failed attempt', () => {
    const into = (target: string): string[] =>
      TASK_EVENT_NAMES.flatMap((event) =>
        Object.entries(eventRow(event).edges)
          .filter(([from, to]) => to === target && from !== target)
          .map(([from]) => `${from} ${event}`),
      );
    expect(into('installing')).toEqual(['approved install_started']);
    expect(into('approved')).toEqual(['pending_approval approved', 'installing attempt_failed']);
    expect(eventRow('approved').actor).toBe('hub');
  });

  it('reaches every state from the first', () => {
    const seen = new Set(['pending']);
    for (let grown = true; grown;) {
      const size = seen.size;
      for (const event of TASK_EVENT_NAMES) {
        for (const [from, to] of Object.entries(eventRow(event).edges)) if (seen.has(from)) seen.add(to);
      }
      grown = seen.size > size;
    }
    expect([...seen].sort()).toEqual([...TASK_STATUS_NAMES].sort());
  });
});
