/**
 * Messages on their way to the region, in order, until they are acknowledged. Pure values.
 * Reports and outcomes are kept until then, over broken links too; of progress only the newest counts; log lines are bounded.
 * Invariant: numbers rise by one and are never given twice; the queue has a bound whatever the region does.
 */
import type { SessionRequest } from '@lpmos/proto';

export type OutboxMessage = NonNullable<SessionRequest['message']>;

interface Pending {
  readonly seq: number;
  readonly message: OutboxMessage;
}

export interface Outbox {
  readonly nextSeq: number;
  readonly pending: readonly Pending[];
}

/** The hello carries 0; numbers are for what comes after it. */
export const EMPTY_OUTBOX: Outbox = { nextSeq: 1, pending: [] };

/** Log messages kept while the region is away; the oldest go first. */
const MOST_LOG_MESSAGES = 100;
/** Reports and outcomes: one of each per attempt, attempts are few. Beyond this the oldest report goes. */
const MOST_KEPT = 32;

export function enqueue(
  outbox: Outbox,
  message: OutboxMessage,
): { readonly outbox: Outbox; readonly request: SessionRequest } {
  const entry: Pending = { seq: outbox.nextSeq, message };
  const others = outbox.pending.filter(
    (each) => !(message.$case === 'progress' && each.message.$case === 'progress'),
  );
  const pending = bound([...others, entry]);
  return { outbox: { nextSeq: outbox.nextSeq + 1, pending }, request: requestOf(entry) };
}

function bound(pending: readonly Pending[]): Pending[] {
  const isLog = (each: Pending): boolean => each.message.$case === 'log';
  const surplusLogs = pending.filter(isLog).length - MOST_LOG_MESSAGES;
  const surplusKept = pending.filter((each) => !isLog(each)).length - MOST_KEPT;
  let [logs, kept] = [0, 0];
  return pending.filter((each) => (isLog(each) ? (logs += 1) > surplusLogs : (kept += 1) > surplusKept));
}

/** The region stored the message `seq`. What needs no storing and went before it is done as well. */
export function acknowledge(outbox: Outbox, seq: number): Outbox {
  const fleeting = (each: Pending): boolean =>
    each.message.$case === 'progress' || each.message.$case === 'log';
  return {
    ...outbox,
    pending: outbox.pending.filter((each) => each.seq !== seq && !(fleeting(each) && each.seq < seq)),
  };
}

/** A resumed session: everything up to `seq` arrived. */
export function acknowledgeUpTo(outbox: Outbox, seq: number): Outbox {
  return { ...outbox, pending: outbox.pending.filter((each) => each.seq > seq) };
}

export function isPending(outbox: Outbox, seq: number): boolean {
  return outbox.pending.some((each) => each.seq === seq);
}

/** What is to be sent again after a broken link, oldest first, with the numbers of the first time. */
export function unacknowledged(outbox: Outbox): SessionRequest[] {
  return outbox.pending.map(requestOf);
}

const requestOf = ({ seq, message }: Pending): SessionRequest => ({ seq: String(seq), message });
