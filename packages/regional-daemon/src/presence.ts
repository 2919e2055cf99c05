/**
 * How a region shows that it is there: the heartbeat key with its 30 s TTL, client/status, client/capabilities. Losing the heartbeat tells people
 * that the region is silent; it never deletes an order to install. The heartbeat hangs on a lease of its own, apart from the leadership's.
 */
import { HEARTBEAT_TTL_SECONDS, isoTime } from '@lpmos/core';
import type { Clock, Fence, RegionCapabilities } from '@lpmos/core';
import { sleep } from '@lpmos/runtime';
import type { Logger } from '@lpmos/runtime';
import { createSession } from '@lpmos/store';
import type { Kv, RegionStore, Session } from '@lpmos/store';

export interface PresenceOptions {
  readonly kv: Kv;
  readonly regions: RegionStore;
  readonly fence: () => Fence | undefined;
  readonly capabilities: () => RegionCapabilities;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Presence {
  run(signal: AbortSignal): Promise<void>;
  /** Publishes changed capabilities at once instead of at the next beat. */
  poke(): void;
  readonly lastHeartbeat: string | undefined;
}

/** A third of the TTL: two beats may be lost. */
const BEAT_MS = (HEARTBEAT_TTL_SECONDS * 1000) / 3;
/** While a beat failed, or another daemon leads. */
const RETRY_MS = 1_000;

export function createPresence(options: PresenceOptions): Presence {
  const { regions, clock, logger } = options;
  let lastHeartbeat: string | undefined;
  let published = '';
  let session: Session | undefined;
  let wake = new AbortController();

  const beat = async (signal: AbortSignal): Promise<boolean> => {
    const fence = options.fence();
    if (fence === undefined) return false;
    if (session?.alive() !== true) {
      session = await createSession({ ...options, ttlSeconds: HEARTBEAT_TTL_SECONDS, signal });
    }
    const nowMs = clock.nowMs();
    const outcome = await regions.heartbeat({ fence, nowMs, leaseId: session.leaseId });
    if (outcome.kind !== 'done') return false;
    lastHeartbeat = isoTime(nowMs);
    const capabilities = options.capabilities();
    const key = `${fence.token} ${JSON.stringify(capabilities)}`;
    if (key !== published) {
      const written = await regions.putCapabilities(capabilities, fence);
      const online = await regions.putClientStatus('online', fence);
      if (written.kind === 'done' && online.kind === 'done') published = key;
    }
    return true;
  };

  return {
    async run(signal) {
      signal.addEventListener('abort', () => wake.abort(), { once: true });
      while (!signal.aborted) {
        // Before the beat: a poke that comes while it is under way must not be lost.
        wake = new AbortController();
        const done = await beat(signal).catch((thrown: unknown) => {
          logger.warn({ err: thrown }, 'heartbeat not written');
          return false;
        });
        if (signal.aborted) break;
        await sleep(done ? BEAT_MS : RETRY_MS, wake.signal);
      }
      const fence = options.fence();
      if (fence !== undefined) await regions.putClientStatus('offline', fence);
    },
    poke: () => wake.abort(),
    get lastHeartbeat() {
      return lastHeartbeat;
    },
  };
}
