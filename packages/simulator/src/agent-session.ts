/**
 * The agent's side of a session over any number of broken links: hello with the ticket once, with the session token afterwards, then
 * everything that is not acknowledged yet. Dials again until refused or power goes.
 * Whom to dial and when is agent-endpoints.ts, what to say and how to obey orders agent.ts; the queue's rules are outbox.ts.
 */
import { randomBytes } from 'node:crypto';
import type { Clock } from '@lpmos/core';
import type { SessionResponse, Welcome } from '@lpmos/proto';
import { sleep } from '@lpmos/runtime';
import { createAgentEndpoints } from './agent-endpoints';
import type { AgentEndpoints } from './agent-endpoints';
import { openAgentLink } from './agent-link';
import type { AgentLink, LinkEnd } from './agent-link';
import { acknowledge, acknowledgeUpTo, EMPTY_OUTBOX, enqueue, isPending, toWire } from './outbox';
import type { Outbox, OutboxMessage } from './outbox';

export interface AgentSessionOptions {
  readonly taskId: string;
  readonly mac: string;
  readonly ticket: string;
  /** host:port of each daemon of the region, never empty. */
  readonly addresses: readonly string[];
  readonly ca: string;
  readonly serverName: string;
  readonly agentVersion: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly timeScale: number;
  readonly signal: AbortSignal;
  readonly onOrder: (order: Order) => void;
  /** Something is not pending any more. */
  readonly onAcknowledged: () => void;
  /** An installation runs: it is not given up because a region that just took over does not know us yet. */
  readonly isBusy: () => boolean;
  readonly tell: (detail: string, data?: Readonly<Record<string, unknown>>) => void;
}

/** What comes down, less what this file handles itself. */
export type Order = Exclude<NonNullable<SessionResponse['message']>, { $case: 'ack' }>;

export interface AgentSession {
  /** Queues a message and sends it when a link is up. Returns its number. */
  say(message: OutboxMessage): number;
  /** Whether the message of this number still waits for its acknowledgement. */
  isPending(seq: number): boolean;
  /** Dials until the region keeps refusing (the words) or the signal aborts (undefined). */
  run(): Promise<{ readonly refused: string } | undefined>;
  /** The region's time: a machine's own clock may be wrong. */
  nowMs(): number;
  /** Cuts the present link, as a pulled cable does; the session goes on over the next one. */
  breakLink(): void;
}

export function createAgentSession(options: AgentSessionOptions): AgentSession {
  const nonce = randomBytes(16).toString('hex');
  const endpoints = createAgentEndpoints(options.addresses, options.random);
  const state: SessionState = { outbox: EMPTY_OUTBOX, offsetMs: 0 };
  return {
    nowMs: () => options.clock.nowMs() + state.offsetMs,
    breakLink: () => state.link?.close('the link was cut'),
    say(message) {
      state.outbox = enqueue(state.outbox, message);
      const entry = state.outbox.unacknowledged.at(-1);
      if (state.welcomed === true && entry !== undefined) state.link?.send(toWire(entry));
      return state.outbox.lastSeq;
    },
    isPending: (seq) => isPending(state.outbox, seq),
    async run() {
      while (!options.signal.aborted) {
        const end = await oneLink({ options, state, nonce, endpoints });
        if (options.signal.aborted) break;
        options.tell(`link to ${endpoints.address()} lost: ${end.detail}`);
        const { pauseMs, isRefusedForGood } = endpoints.ended(end.kind === 'refused');
        if (isRefusedForGood && !options.isBusy()) return { refused: end.detail };
        await sleep(pauseMs * options.timeScale, options.signal);
      }
      return undefined;
    },
  };
}

interface SessionState {
  outbox: Outbox;
  token?: string;
  offsetMs: number;
  link?: AgentLink;
  welcomed?: boolean;
}

interface Parts {
  readonly options: AgentSessionOptions;
  readonly state: SessionState;
  readonly nonce: string;
  readonly endpoints: AgentEndpoints;
}

function oneLink(parts: Parts): Promise<LinkEnd> {
  const { options, state, endpoints } = parts;
  return new Promise((resolve) => {
    const onAbort = (): void => link.close('the power went');
    const link = openAgentLink({
      address: endpoints.address(),
      ca: options.ca,
      serverName: options.serverName,
      patienceMs: endpoints.patienceMs(),
      onMessage: ({ message }) => {
        if (message?.$case === 'welcome') onWelcome(parts, message.value);
        if (message?.$case === 'ack') {
          state.outbox = acknowledge(state.outbox, Number(message.value.seq));
          options.onAcknowledged();
        } else if (message !== undefined) options.onOrder(message);
      },
      onEnd: (end) => {
        options.signal.removeEventListener('abort', onAbort);
        delete state.link;
        state.welcomed = false;
        resolve(end);
      },
    });
    state.link = link;
    sayHello(parts, link);
    options.signal.addEventListener('abort', onAbort, { once: true });
    if (options.signal.aborted) onAbort();
  });
}

function sayHello({ options, state, nonce }: Parts, link: AgentLink): void {
  link.send({
    seq: '0',
    message: {
      $case: 'hello',
      value: {
        taskId: options.taskId,
        macAddress: options.mac,
        proof:
          state.token === undefined
            ? { $case: 'ticket', value: options.ticket }
            : { $case: 'sessionToken', value: state.token },
        agentVersion: options.agentVersion,
        nonce,
      },
    },
  });
}

function onWelcome({ options, state, endpoints }: Parts, welcome: Welcome): void {
  const resumed = state.token !== undefined;
  state.token = welcome.sessionToken;
  state.offsetMs = Number(welcome.serverTimeMs) - options.clock.nowMs();
  endpoints.welcomed();
  state.welcomed = true;
  options.tell(resumed ? 'session resumed' : 'session opened', {
    session_id: welcome.sessionId,
    endpoint: endpoints.address(),
    clock_offset_ms: Math.round(state.offsetMs),
  });
  state.outbox = acknowledgeUpTo(state.outbox, Number(welcome.acknowledgedSeq));
  options.onAcknowledged();
  for (const entry of state.outbox.unacknowledged) state.link?.send(toWire(entry));
}
