/** Promises of sessions, elections and regions: lost in time by the local clock, one leader, fences, honest online. */
import { HEARTBEAT_TTL_SECONDS, parseRegionId, regionTag } from '@lpmos/core';
import type { Clock, RegionCapabilities } from '@lpmos/core';
import { runElection } from '../election';
import type { Leadership } from '../election';
import { regionKey } from '../keys';
import type { Kv } from '../kv';
import { createRegionStore } from '../region-store';
import { createSession } from '../session';
import type { Session } from '../session';
import { done, OTHER_REGION, realClock, REGION, refusal, regionMetadata, sha256, until } from './fixtures';
import type { OpenStore, StoreUnderTest } from './host';
import { createLossyKv } from './lossy-kv';

export function describeSessions(open: OpenStore): void {
  let store: StoreUnderTest;
  let kv: Kv;
  let stop: AbortController;
  const sessions: Session[] = [];
  beforeEach(async () => {
    store = await open();
    kv = store.kv;
    stop = new AbortController();
  });
  afterEach(async () => {
    await Promise.all(sessions.splice(0).map((session) => session.close()));
    stop.abort();
    await store.close();
  });

  const newSession = async (
    options: { clock?: Clock; ttlSeconds?: number; kv?: Kv } = {},
  ): Promise<Session> => {
    const session = await createSession({
      kv,
      clock: realClock,
      ttlSeconds: 30,
      signal: stop.signal,
      ...options,
    });
    sessions.push(session);
    return session;
  };
  const campaign = (holder: string, session: Session, on: Kv = kv): Promise<Leadership> =>
    runElection({ kv: on, session, regionId: REGION, holder, signal: stop.signal });

  describe('a session', () => {
    it('lives on its keepalives and ends its lease when closed', async () => {
      const session = await newSession({ ttlSeconds: 1 });
      let answered = 0;
      const counting: Kv = {
        ...kv,
        keepLeaseAlive: (id) => kv.keepLeaseAlive(id).finally(() => (answered += 1)),
      };
      const kept = await newSession({ ttlSeconds: 1, kv: counting });
      await until('several lives of the lease', () => answered >= 8);
      expect([session.alive(), kept.alive()]).toEqual([true, true]);
      await kept.close();
      expect(kept.alive()).toBe(false);
      expect(await kv.keepLeaseAlive(kept.leaseId)).toBeUndefined();
    });

    it('is lost before the store may end it when keepalives stay unanswered', async () => {
      const deaf: Kv = { ...kv, keepLeaseAlive: () => Promise.reject(new Error('no answer')) };
      const session = await newSession({ ttlSeconds: 1, kv: deaf });
      await until('the loss', () => session.lost.aborted);
      expect(session.alive()).toBe(false);
    });

    it('is lost at once when the process wakes after its time', async () => {
      let leapMs = 0;
      const leaping: Clock = { ...realClock, monotonicMs: () => realClock.monotonicMs() + leapMs };
      const session = await newSession({ clock: leaping });
      expect(session.alive()).toBe(true);
      // 30 s of TTL less the margin of a tenth: still good at 26 s, given up at 27.5 s, before the store may end it.
      leapMs = 26_000;
      expect(session.alive()).toBe(true);
      leapMs = 27_500;
      expect(session.alive()).toBe(false);
      expect(session.lost.aborted).toBe(true);
    });

    it('is lost when the store ended it', async () => {
      const session = await newSession({ ttlSeconds: 2 });
      await kv.revokeLease(session.leaseId);
      await until('the loss', () => session.lost.aborted);
    });
  });

  describe('an election', () => {
    it('has one winner; the next follows when it resigns, with a greater fence', async () => {
      const leaders: string[] = [];
      const racing = ['a', 'b', 'c'].map(async (holder) => {
        const leadership = await campaign(holder, await newSession());
        leaders.push(holder);
        return leadership;
      });
      const first = await Promise.race(racing);
      const led = leaders.length;
      await first.resign();
      expect(led).toBe(1);
      expect(first.signal.aborted).toBe(true);
      await until('a second leader', () => leaders.length === 2);
      const { entries } = await kv.range({ range: { start: regionKey(REGION, 'leader') }, limit: 1 });
      expect(entries[0]?.value).toBe(leaders[1]);
      expect(entries[0]?.createRevision).toBeGreaterThan(Number(first.fence.token));
      await first.resign();
      expect(
        (await kv.range({ range: { start: regionKey(REGION, 'leader') }, limit: 1 })).entries[0]?.value,
      ).toBe(leaders[1]);
      stop.abort();
      await Promise.allSettled(racing);
    });

    it('follows a leader whose session ended, and tells the old one', async () => {
      const leading = await newSession({ ttlSeconds: 1 });
      const first = await campaign('a', leading);
      const second = campaign('b', await newSession());
      await leading.close();
      expect(first.signal.aborted).toBe(true);
      expect(Number((await second).fence.token)).toBeGreaterThan(Number(first.fence.token));
    });

    it('settles an unknown outcome by looking whose lease the key hangs on', async () => {
      const lossy = createLossyKv(kv);
      lossy.loseNext('answer');
      const leadership = await campaign('a', await newSession(), lossy);
      const { entries } = await kv.range({ range: { start: regionKey(REGION, 'leader') }, limit: 1 });
      expect(leadership.fence.token).toBe(String(entries[0]?.createRevision));
    });

    it('takes over from its own past at once, with a new fence, and from nobody else', async () => {
      const past = await campaign('a', await newSession());
      const again = await runElection({
        kv,
        session: await newSession(),
        regionId: REGION,
        holder: 'a',
        signal: stop.signal,
        isOwnPast: ({ holder }) => holder === 'a',
      });
      expect(Number(again.fence.token)).toBeGreaterThan(Number(past.fence.token));
      const regions = createRegionStore({ kv });
      done(await regions.registerRegion(regionMetadata()));
      expect(refusal(await regions.putClientStatus('online', past.fence))).toBe('conflict');
      done(await regions.putClientStatus('online', again.fence));

      const waitedFor: string[] = [];
      const other = runElection({
        kv,
        session: await newSession(),
        regionId: REGION,
        holder: 'b',
        signal: stop.signal,
        isOwnPast: ({ holder }) => holder === 'b',
        onWaiting: (leader) => waitedFor.push(leader),
      });
      await until('b to wait', () => waitedFor.length > 0);
      expect(waitedFor[0]).toBe('a');
      done(await regions.putClientStatus('online', again.fence));
      stop.abort();
      await expect(other).rejects.toMatchObject({ code: 'unavailable' });
    });

    it('is over when its key is deleted under it', async () => {
      const leadership = await campaign('a', await newSession());
      await kv.txn({
        compares: [],
        then: [{ op: 'delete', key: regionKey(REGION, 'leader') }],
        otherwise: [],
      });
      await until('the end', () => leadership.signal.aborted);
    });

    it('ends with the signal', async () => {
      await campaign('a', await newSession());
      const waiting = campaign('b', await newSession());
      stop.abort();
      await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    });
  });

  describe('regions', () => {
    const capabilities: RegionCapabilities = {
      schema_version: 1,
      images: [
        { os_type: 'debian', os_version: '12', digest: `sha256:${'0'.repeat(64)}`, raw_size_bytes: 1 },
      ],
      services: ['dhcp', 'tftp'],
      daemon_version: '0.1.0',
    };

    it('are registered once, and never two with one tag', async () => {
      const regions = createRegionStore({ kv });
      const metadata = regionMetadata();
      expect(done(await regions.registerRegion(metadata))).toEqual(metadata);
      expect(refusal(await regions.registerRegion(metadata))).toBe('already_exists');
      const clash = { ...regionMetadata(OTHER_REGION), tag: regionTag(REGION, sha256) };
      const outcome = await regions.registerRegion(clash);
      expect(outcome).toMatchObject({ kind: 'refused', error: { details: { region_id: REGION } } });
      expect(await regions.readRegion(OTHER_REGION)).toBeUndefined();
    });

    it('are online as long as the heartbeat of their leader lives', async () => {
      const regions = createRegionStore({ kv });
      done(await regions.registerRegion(regionMetadata()));
      done(await regions.registerRegion(regionMetadata(OTHER_REGION)));
      const session = await newSession({ ttlSeconds: HEARTBEAT_TTL_SECONDS });
      const { fence } = await campaign('a', session);
      done(await regions.putCapabilities(capabilities, fence));
      done(await regions.putClientStatus('online', fence));
      done(await regions.heartbeat({ fence, nowMs: 1_700_000_000_000, leaseId: session.leaseId }));
      expect((await regions.listRegions()).map(({ metadata, online }) => [metadata.id, online])).toEqual([
        [OTHER_REGION, false],
        [REGION, true],
      ]);
      await session.close();
      const view = await regions.readRegion(REGION);
      expect(view).toEqual({
        metadata: expect.objectContaining({ id: REGION }),
        online: false,
        capabilities,
      });
      expect(refusal(await regions.putCapabilities(capabilities, fence))).toBe('conflict');
      const stranger = { regionId: parseRegionId('nowhere'), token: fence.token };
      expect(refusal(await regions.putClientStatus('online', stranger))).toBe('not_found');
    });
  });
}
