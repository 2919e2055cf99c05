/**
 * The moves that every part of the session makes: queue a message, say how an attempt ended, leave. Pure, part of session-machine.ts.
 */
import type { InstallOutcome } from '../install/runner';
import { enqueue } from './outbox';
import type { OutboxMessage } from './outbox';
import type { SessionEffect, SessionState, SessionStep } from './session-state';

/** Queues a message and sends it when the link is up. */
export function post(state: SessionState, message: OutboxMessage): SessionStep {
  const { outbox, request } = enqueue(state.outbox, message);
  return [{ ...state, outbox }, state.greeted ? [{ kind: 'send', request }] : []];
}

/** Decides to reboot, once; after that the session does nothing more. */
export function leave(
  state: SessionState,
  before: readonly SessionEffect[],
  reason: string,
  afterMs = 0,
): SessionStep {
  if (state.leaving) return [state, before];
  return [{ ...state, leaving: true }, [...before, { kind: 'reboot', reason, afterMs }]];
}

export function outcomeMessage(attempt: number, outcome: InstallOutcome): OutboxMessage {
  const { message, diskTouched } = outcome;
  if (outcome.kind === 'cancelled') return { $case: 'cancelObeyed', value: { message, diskTouched } };
  const success = outcome.kind === 'success';
  const failureClass = outcome.kind === 'failed' ? outcome.failureClass : '';
  return { $case: 'result', value: { attempt, success, failureClass, message, diskTouched } };
}
