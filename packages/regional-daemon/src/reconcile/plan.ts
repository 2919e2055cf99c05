/**
 * What the region does next for one task: (task, agent, surroundings, now) → the event to commit, the messages to acknowledge, the order
 * the agent should hold, and when to look again. Pure and total; execute.ts carries it out and asks again until nothing is left.
 * Level-triggered: it looks at what *is*, so it may run any number of times and after any crash. Safe to run twice, because
 * committing twice is a no-op of the state table and an order is repeated only on a new connection.
 */
import {
  hardwareDifferences,
  INSTALL_SILENCE_SECONDS,
  isGrantLive,
  isTerminal,
  statusRow,
  TASK_STATUSES,
} from '@lpmos/core';
import type { FailureClass, StoredHardware, TaskEvent, TaskRecord } from '@lpmos/core';

/** What the gateway knows of the agent of a task. */
export interface AgentFacts {
  readonly sessionId: string;
  /** Present until acknowledged to the agent. */
  readonly report?: { readonly seq: string; readonly hardware: StoredHardware };
  readonly result?: {
    readonly seq: string;
    readonly attempt: number;
    readonly success: boolean;
    readonly failureClass: FailureClass;
    readonly message: string;
  };
  readonly cancelObeyed?: { readonly seq: string; readonly message: string };
  /** Wall milliseconds of the last message. */
  readonly lastHeardMs: number;
  readonly connected: boolean;
}

export interface TaskFacts {
  readonly task: TaskRecord;
  readonly agent?: AgentFacts;
  /** The machine asked for its boot files since this daemon started. */
  readonly contact?: { readonly via: string };
  readonly preparation: { readonly ready: true } | { readonly ready: false; readonly reason: string };
  readonly writeBudget: number;
  readonly nowMs: number;
}

export type Order =
  | { readonly kind: 'wait'; readonly reason: string }
  | { readonly kind: 'install'; readonly attempt: number }
  | { readonly kind: 'cancel'; readonly reason: string }
  | { readonly kind: 'reboot'; readonly reason: string };

export interface Plan {
  /** At most one transition; after it the plan is made again. */
  readonly event?: TaskEvent;
  /** Messages that are durable or no longer matter. */
  readonly acks: readonly string[];
  /** What a connected agent should be told, unless it was told already. */
  readonly order?: Order;
  /** Wall milliseconds at which time alone changes the plan. */
  readonly wakeAtMs?: number;
}

/** Failures that another attempt cannot mend: the agent refused on principle. */
const FINAL_FAILURES: readonly FailureClass[] = ['grant_refused', 'disk_refused', 'hardware_changed'];

export function plan(facts: TaskFacts): Plan {
  const event = nextEvent(facts);
  if (event !== undefined) return { event, acks: [] };
  const order = nextOrder(facts);
  const wakeAtMs = nextWake(facts);
  return {
    acks: settledMessages(facts),
    ...(order === undefined ? {} : { order }),
    ...(wakeAtMs === undefined ? {} : { wakeAtMs }),
  };
}

function nextEvent(facts: TaskFacts): TaskEvent | undefined {
  const { task } = facts;
  if (isTerminal(task.status)) return undefined;
  return eventOfStatus(facts) ?? expiry(facts);
}

function eventOfStatus(facts: TaskFacts): TaskEvent | undefined {
  const { task, agent, preparation } = facts;
  switch (task.status) {
    case 'pending':
      if (preparation.ready) return { name: 'prepared' };
      return task.run.waiting_for === preparation.reason
        ? undefined
        : { name: 'preparation_blocked', reason: preparation.reason };
    case 'ready':
      if (facts.contact !== undefined) return { name: 'boot_contacted', via: facts.contact.via };
      return agent === undefined ? undefined : { name: 'boot_contacted', via: 'boot agent session' };
    case 'booting':
    case 'pending_approval':
      return reportEvent(task, agent);
    case 'approved':
      return startEvent(facts);
    case 'installing':
      return installEvent(facts);
    default:
      return undefined;
  }
}

function reportEvent(task: TaskRecord, agent: AgentFacts | undefined): TaskEvent | undefined {
  if (agent?.report === undefined) return undefined;
  const known =
    task.run.session_id === agent.sessionId && task.hardware?.digest === agent.report.hardware.digest;
  if (task.status === 'pending_approval' && known) return undefined;
  return { name: 'hardware_reported', hardware: agent.report.hardware, sessionId: agent.sessionId };
}

function startEvent(facts: TaskFacts): TaskEvent | undefined {
  const { task, agent } = facts;
  if (!grantIsLive(facts)) {
    return {
      name: 'failed',
      error: {
        class: 'grant_refused',
        message: 'the grant expired or its attempts are used up; create a new task',
      },
    };
  }
  if (agent === undefined) return undefined;
  const seen = hardwareOfSession(task, agent);
  if (seen === undefined) return undefined;
  if (seen.digest !== task.approval?.hardware_digest) {
    const before = task.hardware?.report;
    const differences = before === undefined ? [] : hardwareDifferences(before, seen.report);
    return {
      name: 'hardware_changed',
      hardware: seen,
      sessionId: agent.sessionId,
      detail: differences.join('; ').slice(0, 1000) || 'the hardware is not what was approved',
    };
  }
  return agent.connected ? { name: 'install_started', sessionId: agent.sessionId } : undefined;
}

/** What this very agent process reported, now or before the daemon was restarted. */
function hardwareOfSession(task: TaskRecord, agent: AgentFacts): StoredHardware | undefined {
  if (agent.report !== undefined) return agent.report.hardware;
  return task.run.session_id === agent.sessionId ? task.hardware : undefined;
}

function installEvent(facts: TaskFacts): TaskEvent | undefined {
  const { task, agent } = facts;
  const result = agent?.result;
  if (agent?.cancelObeyed !== undefined) return { name: 'cancel_obeyed', detail: agent.cancelObeyed.message };
  if (result !== undefined && result.attempt === task.run.attempt) {
    if (result.success) return { name: 'install_succeeded', detail: result.message };
    return attemptEnded(facts, result.failureClass, result.message);
  }
  if (agent !== undefined && agent.sessionId !== task.run.session_id) {
    return attemptEnded(
      facts,
      'agent_lost',
      'the machine rebooted or its agent was replaced during the installation',
    );
  }
  if (facts.nowMs >= silentAtMs(facts)) {
    return attemptEnded(facts, 'agent_silent', `nothing heard of the agent for ${INSTALL_SILENCE_SECONDS} s`);
  }
  return undefined;
}

function attemptEnded(facts: TaskFacts, failure: FailureClass, message: string): TaskEvent {
  const { run } = facts.task;
  if (run.cancellation !== undefined) {
    return {
      name: 'cancel_obeyed',
      detail: `the attempt ended before the cancellation was obeyed: ${message}`,
    };
  }
  const error = { class: failure, message };
  const another = !FINAL_FAILURES.includes(failure) && run.attempt < facts.writeBudget;
  return another ? { name: 'attempt_failed', error } : { name: 'failed', error };
}

function expiry(facts: TaskFacts): TaskEvent | undefined {
  const { task, nowMs } = facts;
  const { deadline } = statusRow(task.status);
  if (deadline?.onExpiry !== 'failed' || task.run.deadline === undefined) return undefined;
  if (nowMs < Date.parse(task.run.deadline)) return undefined;
  return {
    name: 'failed',
    error: {
      class: 'deadline',
      message: `${task.status} for more than ${deadline.seconds} s: ${TASK_STATUSES[task.status].sentence}`,
    },
  };
}

function nextOrder(facts: TaskFacts): Order | undefined {
  const { task, agent } = facts;
  if (agent?.connected !== true) return undefined;
  switch (task.status) {
    case 'completed':
      return { kind: 'reboot', reason: 'the installation is complete' };
    case 'failed':
    case 'rejected':
    case 'cancelled':
      return {
        kind: 'reboot',
        reason: `the task is ${task.status}${task.error === undefined ? '' : `: ${task.error.message}`}`,
      };
    case 'installing':
      return task.run.cancellation === undefined
        ? { kind: 'install', attempt: task.run.attempt }
        : { kind: 'cancel', reason: `cancelled by ${task.run.cancellation.by}` };
    case 'pending_approval':
      return { kind: 'wait', reason: 'waiting for an operator to approve this hardware' };
    default:
      return { kind: 'wait', reason: TASK_STATUSES[task.status].sentence };
  }
}

/** A message is settled once what it says is in the store, or once the task has moved past it. */
function settledMessages({ task, agent }: TaskFacts): string[] {
  if (agent === undefined) return [];
  const { report, result, cancelObeyed } = agent;
  const settled: string[] = [];
  const beyondReport = !['pending', 'ready', 'booting'].includes(task.status);
  if (report !== undefined && beyondReport) settled.push(report.seq);
  const attemptOver = task.status !== 'installing' || (result?.attempt ?? 0) < task.run.attempt;
  if (result !== undefined && attemptOver) settled.push(result.seq);
  if (cancelObeyed !== undefined && isTerminal(task.status)) settled.push(cancelObeyed.seq);
  return settled;
}

function nextWake(facts: TaskFacts): number | undefined {
  const { task } = facts;
  const times: number[] = [];
  if (statusRow(task.status).deadline?.onExpiry === 'failed' && task.run.deadline !== undefined) {
    times.push(Date.parse(task.run.deadline));
  }
  if (task.status === 'installing') times.push(silentAtMs(facts));
  return times.length === 0 ? undefined : Math.min(...times);
}

function silentAtMs({ task, agent }: TaskFacts): number {
  const lastProgress = task.progress?.attempt === task.run.attempt ? Date.parse(task.progress.at) : 0;
  const since = Math.max(Date.parse(task.run.state_since), lastProgress, agent?.lastHeardMs ?? 0);
  return since + INSTALL_SILENCE_SECONDS * 1000;
}

function grantIsLive({ task, writeBudget, nowMs }: TaskFacts): boolean {
  const expires = task.approval?.grant_expires_at;
  if (task.grant === undefined || expires === undefined) return false;
  return isGrantLive({ expiresAtMs: Date.parse(expires), attempt: task.run.attempt, writeBudget }, nowMs);
}
