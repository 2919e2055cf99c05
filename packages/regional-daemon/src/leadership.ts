/**
 * Whether this daemon leads its region, and the fence that its writes carry. Campaigns for ever: a session lost because etcd is away is
 * won again later, and meanwhile machines are still answered from memory while nothing is written. Only when *another* daemon really
 * holds the key is this one deposed: then it must stop answering at once, which it does by ending (the supervisor starts it as standby).
 *
 * A daemon that finds its own name in the key takes over at once. Before it has led that is its predecessor of the same node: it is dead, for
 * this process holds the node's sockets, bound exclusively before the campaign (region-components.ts). After it has led only its own
 * earlier sessions count, so that two nodes that wrongly share a name do not depose each other in a circle: the second ends as deposed.
 */
import type { Clock, Fence, RegionId } from '@lpmos/core';
import { sleep, whenAborted } from '@lpmos/runtime';
import type { Logger } from '@lpmos/runtime';
import { createSession, runElection } from '@lpmos/store';
import type { FoundLeader, Kv, Leadership, Session } from '@lpmos/store';

export interface LeadershipOptions {
  readonly kv: Kv;
  readonly regionId: RegionId;
  readonly nodeName: string;
  readonly ttlSeconds: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called each time a fence is won. */
  readonly onLead: () => void;
}

export interface LeadershipKeeper {
  /** Runs until the signal aborts. Throws `Deposed` when another daemon took over after this one had led. */
  run(signal: AbortSignal): Promise<void>;
  fence(): Fence | undefined;
  /** Whether nobody else can lead at this moment: asked right before what no fence guards. Right at once after a pause of the process. */
  leads(): boolean;
  readonly state: 'leading' | 'standby' | 'campaigning' | 'cut off';
  readonly leader: string | undefined;
}

export class Deposed extends Error {
  constructor(leader: string) {
    super(`another daemon, ${leader}, leads the region now; this one stops answering and ends`);
    this.name = 'Deposed';
  }
}

const RETRY_MS = 500;
/** A write of an earlier session may land late, but not after so many later ones. */
const REMEMBERED_LEASES = 16;

export function createLeadership(options: LeadershipOptions): LeadershipKeeper {
  const { logger, nodeName, regionId } = options;
  let held: Leadership | undefined;
  let current: Session | undefined;
  let everLed = false;
  let state: LeadershipKeeper['state'] = 'campaigning';
  let leader: string | undefined;
  const ownLeases: string[] = [];
  const isOwnPast = ({ holder, leaseId }: FoundLeader): boolean =>
    holder === nodeName && (!everLed || ownLeases.includes(leaseId));

  const campaign = async (signal: AbortSignal): Promise<void> => {
    const ended = new AbortController();
    const stop = AbortSignal.any([signal, ended.signal]);
    try {
      const session = await createSession({ ...options, signal: stop, logger });
      current = session;
      ownLeases.push(session.leaseId);
      if (ownLeases.length > REMEMBERED_LEASES) ownLeases.shift();
      const deposedBy = new AbortController();
      held = await runElection({
        kv: options.kv,
        session,
        regionId,
        holder: nodeName,
        logger,
        isOwnPast,
        signal: AbortSignal.any([stop, deposedBy.signal]),
        onWaiting: (name) => {
          leader = name;
          if (everLed) deposedBy.abort();
          else if (state !== 'standby') logger.info({ leader: name }, 'standing by');
          state = 'standby';
        },
      });
      leader = nodeName;
      state = 'leading';
      everLed = true;
      logger.info({ fence: held.fence.token }, 'leading the region');
      options.onLead();
      await whenAborted(AbortSignal.any([held.signal, signal]));
      if (signal.aborted) await held.resign();
    } finally {
      held = undefined;
      ended.abort();
    }
  };

  return {
    async run(signal) {
      while (!signal.aborted) {
        try {
          await campaign(signal);
        } catch (thrown) {
          if (everLed && state === 'standby') throw new Deposed(leader ?? 'unknown');
          if (!signal.aborted) logger.warn({ err: thrown }, 'no leadership');
        }
        if (signal.aborted) return;
        state = everLed ? 'cut off' : 'campaigning';
        await sleep(RETRY_MS, signal);
      }
    },
    leads: () => held?.signal.aborted === false && current?.alive() === true,
    fence: () => (held?.signal.aborted === false ? held.fence : undefined),
    get state() {
      return state;
    },
    get leader() {
      return leader;
    },
  };
}
