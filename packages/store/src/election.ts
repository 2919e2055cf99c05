/**
 * Who leads a region: the daemon whose session holds the key /lpmos/regions/{r}/leader. The winner gets a fence, the
 * create_revision of that key, and every write it makes compares it: a deposed leader's late write is refused by the store,
 * whatever the deposed one believes. The key alone guards no side effect outside the store; session.alive() is for those.
 * An unknown outcome is settled by looking: a leader key on our own lease is ours, however late the write landed.
 *
 * A daemon that was killed finds its own key when it starts again. It may delete it (isOwnPast), guarded by the mod_revision it saw, and
 * then wins as anybody does: the key is created anew, so the fence is new and a late write of the dead process is refused like that of any
 * deposed leader. Nothing but waiting is skipped; whether the past is really over is the caller's knowledge.
 */
import { LpmosError } from '@lpmos/core';
import type { Fence, RegionId } from '@lpmos/core';
import { regionKey } from './keys';
import { absent, unchangedSince } from './kv';
import type { Kv, KvEntry } from './kv';
import { pause } from './pause';
import type { StoreLogger } from './range-watch';
import type { Session } from './session';
import { holdsFence } from './task-writes';

export interface ElectionOptions {
  readonly kv: Kv;
  readonly session: Session;
  readonly regionId: RegionId;
  /** Name of this daemon, for people: the value of the key. */
  readonly holder: string;
  /** Gives up the campaign. */
  readonly signal: AbortSignal;
  readonly logger?: StoreLogger;
  /** Told who leads while this daemon waits. */
  readonly onWaiting?: (leader: string) => void;
  /**
   * Whether the leader found is this daemon's own past, which cannot come back: then its key is deleted (only as it was seen) and the
   * campaign goes on at once instead of waiting for the dead session's TTL. Absent: nobody is.
   */
  readonly isOwnPast?: (leader: FoundLeader) => boolean;
}

/** A leader key as a campaign finds it. */
export interface FoundLeader {
  readonly holder: string;
  readonly leaseId: string;
}

export interface Leadership {
  readonly fence: Fence;
  /** Aborts when the session is lost, the key is gone or another's, or the leadership resigned. Side effects also ask session.alive(). */
  readonly signal: AbortSignal;
  /** Lets another lead at once. Deletes the key only if it is still ours; a failure leaves it to the session's end. */
  resign(): Promise<void>;
}

/** Looking again is cheap and saves from a deletion that the watch never told. */
const LOOK_AGAIN_MS = 5_000;
const RETRY_MS = 200;

/**
 * Waits until this daemon leads.
 * @throws LpmosError `unavailable` when the session is lost or the signal aborts first.
 */
export async function runElection(options: ElectionOptions): Promise<Leadership> {
  const { kv, session, regionId, holder, logger } = options;
  const key = regionKey(regionId, 'leader');
  const stop = AbortSignal.any([options.signal, session.lost]);
  while (!stop.aborted && session.alive()) {
    const outcome = await kv.txn({
      compares: [absent(key)],
      then: [{ op: 'put', key, value: holder, leaseId: session.leaseId }],
      otherwise: [{ start: key }],
    });
    if (outcome.kind === 'done' && outcome.succeeded) return lead(options, outcome.revision);
    if (outcome.kind === 'refused' && outcome.leaseGone) break;
    const current = outcome.kind === 'done' ? outcome.reads[0]?.[0] : await look(kv, key);
    if (current?.leaseId === session.leaseId) return lead(options, current.createRevision);
    if (outcome.kind !== 'done') {
      logger?.warn({ outcome: outcome.kind, region_id: regionId }, 'the election could not ask the store');
      await pause(RETRY_MS, stop);
    } else if (current !== undefined) {
      if (options.isOwnPast?.({ holder: current.value, leaseId: current.leaseId }) === true) {
        await bury(options, current);
        continue;
      }
      options.onWaiting?.(current.value);
      await waitForChange(kv, key, current, stop);
    }
  }
  const why = options.signal.aborted ? 'it was stopped' : 'its session is over';
  throw new LpmosError({ code: 'unavailable', message: `${holder} cannot lead region ${regionId}: ${why}` });
}

function lead({ kv, session, regionId, logger }: ElectionOptions, createRevision: number): Leadership {
  const fence: Fence = { regionId, token: String(createRevision) };
  const over = new AbortController();
  const signal = AbortSignal.any([session.lost, over.signal]);
  void watchOwnKey(kv, fence, over, signal);
  return {
    fence,
    signal,
    resign: async () => {
      over.abort(
        new LpmosError({ code: 'unavailable', message: `The leadership of ${regionId} was resigned` }),
      );
      const key = regionKey(regionId, 'leader');
      const outcome = await kv.txn({
        compares: [holdsFence(fence)],
        then: [{ op: 'delete', key }],
        otherwise: [],
      });
      if (outcome.kind !== 'done') {
        logger?.warn({ region_id: regionId }, 'cannot resign now; the leadership ends with the session');
      }
    },
  };
}

/** A key that was deleted while its session lives on (by hand, or by a namesake) must not leave a leader whose writes are all refused. */
async function watchOwnKey(kv: Kv, fence: Fence, over: AbortController, signal: AbortSignal): Promise<void> {
  const key = regionKey(fence.regionId, 'leader');
  while (!signal.aborted) {
    try {
      const [entry] = (await kv.range({ range: { start: key }, limit: 1 })).entries;
      if (entry === undefined || String(entry.createRevision) !== fence.token) {
        const message = `The leader key of ${fence.regionId} is ${entry === undefined ? 'gone' : `held by ${entry.value}`}`;
        return over.abort(new LpmosError({ code: 'unavailable', message }));
      }
      await waitForChange(kv, key, entry, signal);
    } catch {
      await pause(LOOK_AGAIN_MS, signal);
    }
  }
}

/** One try: whatever came of it, the campaign looks again. */
async function bury({ kv, regionId, logger, signal }: ElectionOptions, past: KvEntry): Promise<void> {
  const outcome = await kv.txn({
    compares: [unchangedSince(past.key, past.modRevision)],
    then: [{ op: 'delete', key: past.key }],
    otherwise: [],
  });
  logger?.warn(
    { region_id: regionId, holder: past.value, outcome: outcome.kind },
    'ended our own past leadership',
  );
  if (outcome.kind !== 'done') await pause(RETRY_MS, signal);
}

async function look(kv: Kv, key: string): Promise<KvEntry | undefined> {
  try {
    return (await kv.range({ range: { start: key }, limit: 1 })).entries[0];
  } catch {
    return undefined;
  }
}

/** Returns at the key's next change, at any end of the watch, or after a while: the caller looks again anyway. */
async function waitForChange(kv: Kv, key: string, current: KvEntry, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const any = AbortSignal.any([signal, stop.signal]);
  const watch = kv.watch({
    range: { start: key },
    startRevision: current.modRevision + 1,
    onEvents: () => stop.abort(),
    onProgress: () => undefined,
    onAlive: () => undefined,
    signal: any,
  });
  const ended = watch.then((end) => (end.kind === 'closed' ? undefined : pause(RETRY_MS, any)));
  await Promise.race([ended, pause(LOOK_AGAIN_MS, any)]);
  stop.abort();
}
