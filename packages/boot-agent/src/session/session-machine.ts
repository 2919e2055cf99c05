/**
 * The session of an agent with its region as one pure step: (state, input) → (state, effects). Dialling, timers and disks are
 * session-loop.ts. See docs/architecture.md.
 * Invariants: an outcome is repeated until it is acknowledged; at most one installation runs and no attempt runs twice;
 * a broken link changes nothing but the link; a session that may do no more leads to a reboot, which asks for a fresh ticket.
 */
import { hardwareToWire } from '@lpmos/proto';
import type { SessionRequest, Welcome } from '@lpmos/proto';
import { isSaid, nextTurn, patienceMs, pauseMs } from './endpoint-rounds';
import { acknowledge, acknowledgeUpTo, isPending, unacknowledged } from './outbox';
import { leave, outcomeMessage, post } from './posting';
import { cancelOrdered, installOrdered, rebootOrdered } from './orders';
import type { SessionEffect, SessionInput, SessionState, SessionStep } from './session-state';
import { linkAdvice } from './link-advice';

/** gRPC codes that say "not you": invalid argument, not found, permission denied, failed precondition, unauthenticated. */
const REFUSALS: ReadonlySet<number> = new Set([3, 5, 7, 9, 16]);
/** A region that just took over may not know us yet; after so many it will not. */
const MOST_REFUSALS = 4;
const REFUSED_REBOOT_MS = 15_000;
const CLOCK_TOLERANCE_MS = 60_000;

export function stepSession(state: SessionState, input: SessionInput): SessionStep {
  switch (input.kind) {
    case 'start':
    case 'redial':
      return state.leaving ? [state, []] : [{ ...state, greeted: false }, [dialOf(state)]];
    case 'hardware':
      return post(state, { $case: 'hardware', value: hardwareToWire(input.report) });
    case 'log':
      return post(state, { $case: 'log', value: { lines: [...input.lines] } });
    case 'progress': {
      const { phase, percent, message, bytesDone, bytesTotal } = input.progress;
      const value = { attempt: state.attempt, phase, percent, message };
      const bytes = { bytesDone: String(bytesDone), bytesTotal: String(bytesTotal) };
      return post(state, { $case: 'progress', value: { ...value, ...bytes } });
    }
    case 'broken':
      return broken(state, input);
    case 'received':
      return received(state, input);
    case 'install-ended':
      return installEnded(state, input);
  }
}

function dialOf(state: SessionState): SessionEffect {
  return { kind: 'dial', address: addressOf(state), patienceMs: patienceMs(state), hello: helloOf(state) };
}

/** Where the present link goes to or, when there is none, the next. */
function addressOf({ endpoints, turn }: SessionState): string {
  return endpoints[turn] ?? '';
}

function helloOf({ identity, sessionToken }: SessionState): SessionRequest {
  const proof =
    sessionToken === undefined
      ? ({ $case: 'ticket', value: identity.ticket } as const)
      : ({ $case: 'sessionToken', value: sessionToken } as const);
  const { taskId, mac, agentVersion, nonce } = identity;
  return {
    seq: '0',
    message: { $case: 'hello', value: { taskId, macAddress: mac, proof, agentVersion, nonce } },
  };
}

function broken(state: SessionState, input: Extract<SessionInput, { kind: 'broken' }>): SessionStep {
  if (state.leaving) return [state, []];
  const { turn, identity } = state;
  const region = `region ${identity.regionId} at ${addressOf(state)}`;
  const refused = REFUSALS.has(input.code) ? (state.refusals[turn] ?? 0) + 1 : 0;
  const next: SessionState = {
    ...state,
    greeted: false,
    failures: state.failures + 1,
    refusals: state.refusals.with(turn, refused),
    turn: nextTurn(state),
  };
  if (refused >= MOST_REFUSALS && state.work === 'idle') {
    const line = `${region} refuses this session: ${input.reason}`;
    return leave(next, [{ kind: 'say', line }], 'a fresh ticket is needed', REFUSED_REBOOT_MS);
  }
  const ms = pauseMs(next, () => input.random);
  const redial: SessionEffect = { kind: 'redial-after', ms };
  if (!isSaid(next)) return [next, [redial]];
  const goesTo = next.turn === turn ? '' : ` at ${addressOf(next)}`;
  const line = `no session with ${region}: ${input.reason}; try ${next.failures + 1}${goesTo} in ${(ms / 1000).toFixed(1)} s`;
  const advice = linkAdvice(input.reason).map((text): SessionEffect => ({ kind: 'say', line: text }));
  return [next, [{ kind: 'say', line }, ...advice, redial]];
}

function received(state: SessionState, input: Extract<SessionInput, { kind: 'received' }>): SessionStep {
  const { message } = input.message;
  // A message of a later protocol: nothing that this agent could obey.
  if (message === undefined || state.leaving) return [state, []];
  if (message.$case === 'welcome') return welcomed(state, message.value, input.nowMs);
  if (!state.greeted)
    return [state, [{ kind: 'hang-up', reason: 'the region gave an order before its welcome' }]];
  switch (message.$case) {
    case 'ack':
      return settled({ ...state, outbox: acknowledge(state.outbox, Number(message.value.seq)) }, []);
    case 'wait': {
      const { reason } = message.value;
      if (reason === state.waitReason) return [state, []];
      return [{ ...state, waitReason: reason }, [{ kind: 'say', line: `waiting: ${reason}` }]];
    }
    case 'install':
      return installOrdered(state, message.value);
    case 'cancel':
      return cancelOrdered(state, message.value.reason);
    case 'reboot':
      return rebootOrdered(state, message.value.reason);
  }
}

function welcomed(state: SessionState, welcome: Welcome, nowMs: number): SessionStep {
  const { regionId, mac, taskId } = state.identity;
  if (welcome.regionId !== regionId) {
    const reason = `region ${welcome.regionId} answers, region ${regionId} was called; check the address of the agent service`;
    return [state, [{ kind: 'hang-up', reason }]];
  }
  const clockOffsetMs = Number(welcome.serverTimeMs) - nowMs;
  const outbox = acknowledgeUpTo(state.outbox, Number(welcome.acknowledgedSeq));
  const next = {
    ...state,
    sessionToken: welcome.sessionToken,
    greeted: true,
    failures: 0,
    refusals: state.endpoints.map(() => 0),
    outbox,
    clockOffsetMs,
    // Said again after a reconnect: on the console the last line must be what is waited for.
    waitReason: '',
  };
  const first = state.sessionToken === undefined;
  const line = first
    ? `connected to region ${regionId} at ${addressOf(state)} as ${mac}, task ${taskId}`
    : `session with region ${regionId} resumed at ${addressOf(state)}`;
  const effects: SessionEffect[] = [{ kind: 'say', line }];
  if (first && Math.abs(clockOffsetMs) > CLOCK_TOLERANCE_MS) {
    const off = Math.round(Math.abs(clockOffsetMs) / 1000);
    const way = clockOffsetMs > 0 ? 'slow' : 'fast';
    effects.push({
      kind: 'say',
      line: `the clock of this machine is ${off} s ${way}; using the region's time`,
    });
  }
  effects.push(...unacknowledged(outbox).map((request): SessionEffect => ({ kind: 'send', request })));
  return settled(next, effects);
}

/** Reboots when what had to be stored first is stored. */
function settled(state: SessionState, effects: readonly SessionEffect[]): SessionStep {
  const { rebootOnAck } = state;
  if (rebootOnAck === undefined || isPending(state.outbox, rebootOnAck.seq)) return [state, effects];
  return leave(state, effects, rebootOnAck.reason);
}

function installEnded(
  state: SessionState,
  input: Extract<SessionInput, { kind: 'install-ended' }>,
): SessionStep {
  const { outcome } = input;
  const seq = state.outbox.nextSeq;
  const diskTouched = state.diskTouched || outcome.diskTouched;
  const idle: SessionState = { ...state, work: 'idle', diskTouched, ended: { seq, outcome } };
  const [posted, effects] = post(idle, outcomeMessage(state.attempt, outcome));
  const reason =
    outcome.kind === 'success' ? 'installed; restarting from the disk' : state.rebootAfterInstall;
  const next = reason === undefined ? posted : { ...posted, rebootOnAck: { seq, reason } };
  if (outcome.kind !== 'failed' || outcome.report === undefined) return [next, effects];
  // The approver needs the hardware as it is now.
  const [reported, more] = post(next, { $case: 'hardware', value: hardwareToWire(outcome.report) });
  return [reported, [...effects, ...more]];
}
