/**
 * Who may open a session: the agent whose machine was handed a ticket for a live task of this region, or that resumes its own session.
 * The ticket names a task and opens nothing else; it is consumed by the first agent process that shows it (a second one is refused and
 * said aloud in the log, because on this network MACs and tickets can be overheard).
 */
import { isTaskId, isTerminal, readMacAddress } from '@lpmos/core';
import type { Clock, ErrorCode, TaskCache, TaskRecord } from '@lpmos/core';
import type { RegionSecrets } from '../boot/secrets';
import { readSessionToken, readTicket, sessionIdOf, sessionToken } from '../boot/tokens';
import type { UsedTickets } from '../boot/used-tickets';

export interface AdmissionOptions {
  readonly cache: TaskCache;
  readonly secrets: RegionSecrets;
  readonly usedTickets: UsedTickets;
  readonly clock: Clock;
  /** Another daemon leads the region: agents are served there. */
  readonly standsBy: () => boolean;
}

export interface AdmissionRequest {
  readonly taskId: string;
  readonly macAddress: string;
  readonly proof: { readonly ticket: string } | { readonly sessionToken: string } | undefined;
  readonly nonce: string;
}

export type Admission =
  | { readonly task: TaskRecord; readonly sessionId: string; readonly sessionToken: string }
  | { readonly code: ErrorCode; readonly problem: string };

/** Hex of an agent process; long enough that two machines never share one. */
const AGENT_NONCE = /^[0-9a-f]{16,64}$/;

/** @throws Error when the use of a ticket cannot be written down; nobody is let in then. */
export async function admit(options: AdmissionOptions, request: AdmissionRequest): Promise<Admission> {
  const { taskId } = request;
  if (!isTaskId(taskId)) return refuse('invalid_argument', 'task_id is no task id');
  if (!AGENT_NONCE.test(request.nonce))
    return refuse('invalid_argument', 'nonce must be 16 to 64 hex digits');
  if (options.standsBy())
    return refuse('unavailable', 'this daemon stands by and does not lead the region; ask the other one');
  if (!options.cache.ready) return refuse('unavailable', 'the region has not read its tasks yet; try again');
  const task = options.cache.get(taskId);
  if (task === undefined) return refuse('not_found', `this region has no task ${taskId}`);
  if (readMacAddress(request.macAddress) !== task.metadata.target_mac) {
    return refuse('forbidden', `task ${taskId} is for another machine than ${request.macAddress}`);
  }
  const { proof } = request;
  if (proof === undefined) return refuse('unauthenticated', 'neither ticket nor session token was given');
  return 'ticket' in proof
    ? byTicket(options, task, { ticket: proof.ticket, nonce: request.nonce })
    : bySession(options, task, proof.sessionToken);
}

async function byTicket(
  options: AdmissionOptions,
  task: TaskRecord,
  shown: { readonly ticket: string; readonly nonce: string },
): Promise<Admission> {
  const ticket = readTicket(options.secrets, shown.ticket, options.clock.nowMs());
  if ('problem' in ticket) return refuse('unauthenticated', ticket.problem);
  if (ticket.taskId !== task.metadata.id) return refuse('unauthenticated', 'the ticket is for another task');
  const sessionId = sessionIdOf(options.secrets, ticket, shown.nonce);
  if (isOver(task, sessionId)) return refuse('not_allowed_in_state', overText(task));
  if (!(await options.usedTickets.claim(ticket, shown.nonce))) {
    return refuse('unauthenticated', 'the ticket was used before by another agent; boot the machine again');
  }
  return admitted(options, task, sessionId);
}

function bySession(options: AdmissionOptions, task: TaskRecord, token: string): Admission {
  const sessionId = readSessionToken(options.secrets, task.metadata.id, token);
  if (sessionId === undefined)
    return refuse('unauthenticated', 'the session token is not valid for this task');
  return isOver(task, sessionId)
    ? refuse('not_allowed_in_state', overText(task))
    : admitted(options, task, sessionId);
}

/** After the end the task's own session serves only to hear that its result is safe and to be sent away. */
function isOver(task: TaskRecord, sessionId: string): boolean {
  return isTerminal(task.status) && task.run.session_id !== sessionId;
}

function overText({ metadata, status }: TaskRecord): string {
  return `task ${metadata.id} is ${status}`;
}

function admitted(options: AdmissionOptions, task: TaskRecord, sessionId: string): Admission {
  return { task, sessionId, sessionToken: sessionToken(options.secrets, task.metadata.id, sessionId) };
}

function refuse(code: ErrorCode, problem: string): Admission {
  return { code, problem };
}
