/**
 * What an agent does about each order of its region. Pure, part of session-machine.ts.
 * Orders are repeated after every reconnect, so each must be harmless the second time.
 */
import type { Install } from '@lpmos/proto';
import { readInstallOrder } from '../install/install-order';
import { isPending } from './outbox';
import { leave, outcomeMessage, post } from './posting';
import type { SessionState, SessionStep } from './session-state';

export function installOrdered(state: SessionState, wire: Install): SessionStep {
  if (state.work === 'installing') {
    if (wire.attempt === state.attempt) return [state, []];
    return [
      state,
      [{ kind: 'say', line: `attempt ${wire.attempt} ordered while attempt ${state.attempt} runs: ignored` }],
    ];
  }
  const { ended } = state;
  if (ended !== undefined && wire.attempt === state.attempt) {
    // The region missed the outcome of this attempt: it is told again, the disk is not written again.
    if (isPending(state.outbox, ended.seq)) return [state, []];
    const seq = state.outbox.nextSeq;
    return post({ ...state, ended: { ...ended, seq } }, outcomeMessage(state.attempt, ended.outcome));
  }
  const reading = readInstallOrder(wire);
  if ('order' in reading) {
    const { ended: _done, ...rest } = state;
    const next: SessionState = { ...rest, work: 'installing', attempt: wire.attempt, waitReason: '' };
    return [next, [{ kind: 'install', order: reading.order }]];
  }
  const listed = reading.problems.map(({ path, problem }) => `${path} ${problem}`).join('; ');
  const message = `the install order is unusable: ${listed}. Nothing was written; region and ramdisk may not fit together.`;
  const outcome = { kind: 'failed', failureClass: 'agent_fault', message, diskTouched: false } as const;
  const seq = state.outbox.nextSeq;
  const [next, effects] = post(
    { ...state, attempt: wire.attempt, ended: { seq, outcome } },
    outcomeMessage(wire.attempt, outcome),
  );
  return [next, [{ kind: 'say', line: message }, ...effects]];
}

export function cancelOrdered(state: SessionState, reason: string): SessionStep {
  if (state.work === 'installing') {
    const line = `cancelled (${reason}): stopping at the next safe point`;
    return [state, [{ kind: 'say', line }, { kind: 'cancel-install' }]];
  }
  const message = state.diskTouched
    ? 'nothing was running; the disk was written earlier'
    : 'nothing was running';
  const value = { message, diskTouched: state.diskTouched };
  const [next, effects] = post(state, { $case: 'cancelObeyed', value });
  return [next, [{ kind: 'say', line: `cancelled: ${reason}` }, ...effects]];
}

export function rebootOrdered(state: SessionState, reason: string): SessionStep {
  if (state.work === 'idle') return leave(state, [], reason);
  const line = `reboot ordered (${reason}): after the installation`;
  return [{ ...state, rebootAfterInstall: reason }, [{ kind: 'say', line }]];
}
