/**
 * A statement of an agent that holds no stream: said through a link that lives as long as the request, answered once the planner has settled
 * it. For the seed's POSTs and the unary call. The deadline is the caller's: an unanswered statement is said again by the agent.
 */
import { LpmosError } from '@lpmos/core';
import type { Clock, Sha256, TaskId } from '@lpmos/core';
import type { AgentLink, Agents } from './agents';

export interface StatementOptions {
  readonly agents: Agents;
  readonly taskId: TaskId;
  readonly sessionId: string;
  readonly seq: string;
  readonly signal: AbortSignal;
  /** Hands the statement to the agents, once the link is attached. */
  readonly say: () => void;
}

/** @throws LpmosError `unavailable` when the signal aborts first, `conflict` when another boot of the machine took over. */
export async function settled({
  agents,
  taskId,
  sessionId,
  seq,
  signal,
  say,
}: StatementOptions): Promise<void> {
  let link: AgentLink | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      const late = (): void =>
        reject(
          new LpmosError({ code: 'unavailable', message: 'The statement is not durable yet; say it again' }),
        );
      if (signal.aborted) return late();
      signal.addEventListener('abort', late, { once: true });
      link = {
        acknowledge: (acknowledged) => {
          if (acknowledged === seq) resolve();
        },
        order: () => undefined,
        close: (reason) => reject(new LpmosError({ code: 'conflict', message: reason })),
      };
      agents.attach(taskId, sessionId, link);
      say();
    });
  } finally {
    if (link !== undefined) agents.detach(taskId, link);
  }
}

/** Such statements carry no sequence of their own; microseconds rise across restarts of the daemon. */
let lastSeq = 0n;
export function nextSeq(clock: Clock): string {
  const now = BigInt(Math.round(clock.nowMs() * 1000));
  lastSeq = now > lastSeq ? now : lastSeq + 1n;
  return lastSeq.toString();
}

/** An agent without a stream has no nonce of its own: its ticket stands for the process. */
export function unaryNonce(ticket: string, options: { readonly sha256: Sha256 }): string {
  return Buffer.from(options.sha256(Buffer.from(ticket)))
    .toString('hex')
    .slice(0, 32);
}
