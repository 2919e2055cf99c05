/**
 * The three capabilities a region hands to machines, all recomputed from its secret and never stored:
 * the *ticket* on the kernel command line (names a task, opens one session, short-lived, single use), the *session token* (resumes that session)
 * and the *check-in token* (lets the installed host say once that it is up). None of them can make or replace a grant.
 */
import { isTaskId } from '@lpmos/core';
import type { TaskId } from '@lpmos/core';
import { sameToken } from './secrets';
import type { RegionSecrets } from './secrets';

/** From the boot script to the agent's hello: kernel, ramdisk download and boot on slow links and slow machines. */
export const TICKET_SECONDS = 30 * 60;

export interface Ticket {
  readonly taskId: TaskId;
  readonly expiresAtSeconds: number;
  /** Unique per boot script. */
  readonly nonce: string;
}

export function mintTicket(secrets: RegionSecrets, ticket: Ticket): string {
  const body = `${ticket.taskId}.${ticket.expiresAtSeconds.toString(36)}.${ticket.nonce}`;
  return `${body}.${signature(secrets, 'ticket', body)}`;
}

/** The ticket if it is ours and unexpired, else why not. Whether it was used before is the used-tickets file's answer. */
export function readTicket(
  secrets: RegionSecrets,
  text: string,
  nowMs: number,
): Ticket | { readonly problem: string } {
  const parts = text.split('.');
  const [taskId = '', expires = '', nonce = '', mac = ''] = parts;
  if (parts.length !== 4 || text.length > 200 || !isTaskId(taskId))
    return { problem: 'the ticket is malformed' };
  if (!sameToken(mac, signature(secrets, 'ticket', `${taskId}.${expires}.${nonce}`))) {
    return { problem: 'the ticket was not made by this region' };
  }
  const expiresAtSeconds = Number.parseInt(expires, 36);
  if (nowMs > expiresAtSeconds * 1000) return { problem: 'the ticket has expired; boot the machine again' };
  return { taskId, expiresAtSeconds, nonce };
}

/** The same ticket and the same agent process always yield the same session: a hello whose answer was lost may be repeated. */
export function sessionIdOf(secrets: RegionSecrets, ticket: Ticket, agentNonce: string): string {
  return secrets.mac('session', 'id', ticket.taskId, ticket.nonce, agentNonce).toString('hex').slice(0, 32);
}

export function sessionToken(secrets: RegionSecrets, taskId: TaskId, sessionId: string): string {
  return `${sessionId}.${signature(secrets, 'session', `${taskId}.${sessionId}`)}`;
}

/** The session id, or undefined when the token is not one of ours for this task. */
export function readSessionToken(secrets: RegionSecrets, taskId: TaskId, text: string): string | undefined {
  const sessionId = text.split('.')[0] ?? '';
  if (text.length > 200 || !/^[0-9a-f]{32}$/.test(sessionId)) return undefined;
  return sameToken(text, sessionToken(secrets, taskId, sessionId)) ? sessionId : undefined;
}

export function checkInToken(secrets: RegionSecrets, taskId: TaskId): string {
  return signature(secrets, 'check-in', taskId);
}

function signature(secrets: RegionSecrets, purpose: 'ticket' | 'session' | 'check-in', body: string): string {
  return secrets.mac(purpose, body).toString('base64url');
}
