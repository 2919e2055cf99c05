/**
 * The agents of this region as the planner sees them: who is connected for which task, what it said that is not yet settled, what it
 * was told. Holds no socket (a link is two functions) and decides nothing. In memory: after a restart agents come back by themselves
 * with everything that was not acknowledged.
 */
import { isTerminal } from '@lpmos/core';
import type { Clock, TaskId, TaskRecord } from '@lpmos/core';
import type { AgentFacts, Order } from '../reconcile/plan';

/** One way to reach an agent. */
export interface AgentLink {
  readonly acknowledge: (seq: string) => void;
  readonly order: (task: TaskRecord, order: Order) => void;
  readonly close: (reason: string) => void;
}

type Said = Pick<AgentFacts, 'report' | 'result' | 'cancelObeyed'>;

interface AgentState {
  readonly sessionId: string;
  said: Said;
  link: AgentLink | undefined;
  /** What was ordered over the present link. */
  told: string | undefined;
  lastHeardMs: number;
  /** Highest sequence number acknowledged; a repeated message below it is acknowledged again at once. */
  acknowledged: bigint;
}

export interface Agents {
  /** A session opens or resumes; an earlier link of the task is closed, the newest wins. */
  attach(taskId: TaskId, sessionId: string, link: AgentLink): { readonly acknowledgedSeq: string };
  detach(taskId: TaskId, link: AgentLink): void;
  /** Records what an agent said. False when its session is no longer the task's newest. */
  hear(taskId: TaskId, sessionId: string, seq: string, said: Said): boolean;
  /** A message that needs no planning, such as progress: only the silence clock is reset. */
  heardFrom(taskId: TaskId, sessionId: string): void;
  facts(taskId: TaskId): AgentFacts | undefined;
  acknowledge(taskId: TaskId, seq: string): void;
  order(task: TaskRecord, order: Order): void;
  forgetIfSettled(task: TaskRecord): void;
  /** Ends every link; agents come back, here or at the region's other daemon. */
  dismissAll(reason: string): void;
  /** Tasks whose agent is connected now. */
  connectedTasks(): TaskId[];
}

export function createAgents(options: {
  readonly clock: Clock;
  readonly onChange: (id: TaskId) => void;
}): Agents {
  const states = new Map<TaskId, AgentState>();
  const { clock, onChange } = options;

  const stateOf = (taskId: TaskId, sessionId: string): AgentState => {
    const known = states.get(taskId);
    if (known?.sessionId === sessionId) return known;
    known?.link?.close('another boot of this machine took over');
    const fresh = newState(sessionId, clock.nowMs());
    states.set(taskId, fresh);
    return fresh;
  };

  return {
    attach(taskId, sessionId, link) {
      const state = stateOf(taskId, sessionId);
      if (state.link !== undefined && state.link !== link)
        state.link.close('the session was resumed elsewhere');
      state.link = link;
      state.told = undefined;
      state.lastHeardMs = clock.nowMs();
      onChange(taskId);
      return { acknowledgedSeq: state.acknowledged.toString() };
    },
    detach(taskId, link) {
      const state = states.get(taskId);
      if (state?.link !== link) return;
      state.link = undefined;
      state.told = undefined;
      onChange(taskId);
    },
    hear(taskId, sessionId, seq, said) {
      const state = states.get(taskId);
      if (state?.sessionId !== sessionId) return false;
      state.lastHeardMs = clock.nowMs();
      if (BigInt(seq) <= state.acknowledged) {
        state.link?.acknowledge(seq);
        return true;
      }
      state.said = { ...state.said, ...said };
      onChange(taskId);
      return true;
    },
    heardFrom(taskId, sessionId) {
      const state = states.get(taskId);
      if (state?.sessionId === sessionId) state.lastHeardMs = clock.nowMs();
    },
    facts(taskId) {
      const state = states.get(taskId);
      return state === undefined ? undefined : factsOf(state);
    },
    acknowledge(taskId, seq) {
      const state = states.get(taskId);
      if (state === undefined) return;
      state.said = withoutSeq(state.said, seq);
      if (BigInt(seq) > state.acknowledged) state.acknowledged = BigInt(seq);
      state.link?.acknowledge(seq);
    },
    order(task, order) {
      const state = states.get(task.metadata.id);
      if (state !== undefined) tell(state, task, order);
    },
    forgetIfSettled(task) {
      const state = states.get(task.metadata.id);
      const quiet = state?.link === undefined && Object.keys(state?.said ?? {}).length === 0;
      if (isTerminal(task.status) && quiet) states.delete(task.metadata.id);
    },
    dismissAll: (reason) => dismissAll(states, reason, onChange),
    connectedTasks: () => [...states].flatMap(([id, { link }]) => (link === undefined ? [] : [id])),
  };
}

function dismissAll(
  states: ReadonlyMap<TaskId, AgentState>,
  reason: string,
  onChange: (id: TaskId) => void,
): void {
  for (const [taskId, state] of states) {
    const { link } = state;
    if (link === undefined) continue;
    state.link = undefined;
    state.told = undefined;
    link.close(reason);
    onChange(taskId);
  }
}

function newState(sessionId: string, nowMs: number): AgentState {
  return {
    sessionId,
    said: {},
    link: undefined,
    told: undefined,
    lastHeardMs: nowMs,
    acknowledged: 0n,
  };
}

function factsOf({ sessionId, said, lastHeardMs, link }: AgentState): AgentFacts {
  return { sessionId, ...said, lastHeardMs, connected: link !== undefined };
}

/** Once per link: an agent that comes back is told again, one that stays is not. */
function tell(state: AgentState, task: TaskRecord, order: Order): void {
  const key = JSON.stringify(order);
  if (state.link === undefined || state.told === key) return;
  state.told = key;
  state.link.order(task, order);
}

function withoutSeq(said: Said, seq: string): Said {
  return Object.fromEntries(Object.entries(said).filter(([, message]) => message.seq !== seq));
}
