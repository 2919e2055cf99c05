/**
 * What an agent has said and the region has not acknowledged yet: pure functions over a value. Numbers rise by one over all
 * connections of a session; the hello carries 0. An Ack settles its own message, and progress before it; Welcome.acknowledged_seq
 * settles everything up to its number. Reports and results stay until then; of progress only the newest, so the queue stays short.
 */
import type { SessionRequest } from '@lpmos/proto';

export type OutboxMessage = NonNullable<SessionRequest['message']>;

interface Entry {
  readonly seq: number;
  readonly message: OutboxMessage;
}

export interface Outbox {
  /** The last number given out. */
  readonly lastSeq: number;
  readonly unacknowledged: readonly Entry[];
}

export const EMPTY_OUTBOX: Outbox = { lastSeq: 0, unacknowledged: [] };

export function enqueue(outbox: Outbox, message: OutboxMessage): Outbox {
  const seq = outbox.lastSeq + 1;
  const kept = outbox.unacknowledged.filter(
    (entry) => !(isFleeting(message) && entry.message.$case === message.$case),
  );
  return { lastSeq: seq, unacknowledged: [...kept, { seq, message }] };
}

/** The region stored this message. */
export function acknowledge(outbox: Outbox, seq: number): Outbox {
  const done = (entry: Entry): boolean => entry.seq === seq || (isFleeting(entry.message) && entry.seq < seq);
  return { ...outbox, unacknowledged: outbox.unacknowledged.filter((entry) => !done(entry)) };
}

/** A resumed session: everything up to this number arrived. */
export function acknowledgeUpTo(outbox: Outbox, seq: number): Outbox {
  return { ...outbox, unacknowledged: outbox.unacknowledged.filter((entry) => entry.seq > seq) };
}

export function isPending(outbox: Outbox, seq: number): boolean {
  return outbox.unacknowledged.some((entry) => entry.seq === seq);
}

export function toWire(entry: Entry): SessionRequest {
  return { seq: String(entry.seq), message: entry.message };
}

/** Messages that only inform: a newer one makes the older worthless. */
function isFleeting(message: OutboxMessage): boolean {
  return message.$case === 'progress' || message.$case === 'log';
}
