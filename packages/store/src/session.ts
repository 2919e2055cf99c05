/**
 * A session: an etcd lease that is kept alive, and the honest answer to "may I still act on it".
 * The answer is local: lost at (time of sending the last answered keepalive) + TTL - margin on the monotonic clock.
 * Never by a library's event: that one was measured at twice the TTL, when the server had long given the key to another.
 * After a pause of the process `alive` is right at once, because it compares clocks and waits for no timer.
 */
import { LpmosError } from '@lpmos/core';
import type { Clock } from '@lpmos/core';
import type { Kv } from './kv';
import { pause } from './pause';
import type { StoreLogger } from './range-watch';

export interface SessionOptions {
  readonly kv: Kv;
  readonly clock: Clock;
  readonly ttlSeconds: number;
  /** Ends the session: its lease is revoked. */
  readonly signal: AbortSignal;
  readonly logger?: StoreLogger;
}

export interface Session {
  readonly leaseId: string;
  readonly ttlSeconds: number;
  /** Whether the lease certainly still holds. Ask immediately before acting. */
  alive(): boolean;
  /** Aborts when the session is lost or closed. */
  readonly lost: AbortSignal;
  /** Revokes the lease, which deletes its keys; resolves also when the store cannot be reached. */
  close(): Promise<void>;
}

/** Stop acting this much before the server may give the key away: time for a packet and a slow tick. */
const MARGIN_SHARE = 0.1;
const MARGIN_LEAST_MS = 200;
/** Keepalives per TTL: three may be lost before the session is. */
const KEEPALIVES_PER_TTL = 4;
const RETRY_MS = 250;

/** @throws LpmosError `unavailable` | `deadline_exceeded` when no lease can be had. */
export async function createSession(options: SessionOptions): Promise<Session> {
  const { kv, clock, ttlSeconds, signal } = options;
  const sentAt = clock.monotonicMs();
  const lease = await kv.grantLease(ttlSeconds);
  const ending = new AbortController();
  const state = { validUntilMs: validUntil(sentAt, lease.ttlSeconds) };
  const alive = (): boolean => {
    if (!ending.signal.aborted && clock.monotonicMs() >= state.validUntilMs) {
      ending.abort(lostError('no keepalive was answered in time'));
    }
    return !ending.signal.aborted;
  };
  const close = async (): Promise<void> => {
    ending.abort(lostError('it was closed'));
    await kv.revokeLease(lease.id).catch((error: unknown) => {
      options.logger?.warn({ error }, 'cannot revoke the session; it ends by itself at its TTL');
    });
  };
  signal.addEventListener('abort', () => void close(), { once: true, signal: ending.signal });
  if (signal.aborted) await close();
  void keepAlive(options, lease.id, state, ending);
  void watchClock(alive, state, clock, ending.signal);
  return { leaseId: lease.id, ttlSeconds: lease.ttlSeconds, alive, lost: ending.signal, close };
}

interface Validity {
  validUntilMs: number;
}

function validUntil(sentAtMs: number, ttlSeconds: number): number {
  const ttlMs = ttlSeconds * 1000;
  return sentAtMs + ttlMs - Math.max(MARGIN_LEAST_MS, ttlMs * MARGIN_SHARE);
}

async function keepAlive(
  { kv, clock, ttlSeconds, logger }: SessionOptions,
  leaseId: string,
  state: Validity,
  ending: AbortController,
): Promise<void> {
  const everyMs = (ttlSeconds * 1000) / KEEPALIVES_PER_TTL;
  let waitMs = everyMs;
  while (!ending.signal.aborted) {
    await pause(waitMs, ending.signal);
    if (ending.signal.aborted) return;
    const sentAt = clock.monotonicMs();
    try {
      const lease = await kv.keepLeaseAlive(leaseId);
      if (lease === undefined) return ending.abort(lostError('the store has ended it'));
      state.validUntilMs = Math.max(state.validUntilMs, validUntil(sentAt, lease.ttlSeconds));
      waitMs = everyMs;
    } catch (error) {
      logger?.warn({ error }, 'a keepalive of the session was not answered');
      waitMs = Math.min(RETRY_MS, everyMs);
    }
  }
}

/** Makes `lost` fire on time for those who wait; those who act ask `alive`. */
async function watchClock(
  alive: () => boolean,
  state: Validity,
  clock: Clock,
  ended: AbortSignal,
): Promise<void> {
  while (alive()) await pause(Math.max(1, state.validUntilMs - clock.monotonicMs()), ended);
}

function lostError(why: string): LpmosError {
  return new LpmosError({ code: 'unavailable', message: `The session is over: ${why}` });
}
