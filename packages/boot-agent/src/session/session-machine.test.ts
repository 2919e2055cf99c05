import fc from 'fast-check';
import type { MacAddress, RegionId, TaskId } from '@lpmos/core';
import type { Install, SessionResponse } from '@lpmos/proto';
import type { InstallOutcome } from '../install/runner';
import { stepSession } from './session-machine';
import { newSession } from './session-state';
import type { SessionEffect, SessionInput, SessionState } from './session-state';

const identity = {
  taskId: '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d' as TaskId,
  mac: '52:54:00:12:34:56' as MacAddress,
  regionId: 'lab' as RegionId,
  ticket: 't1',
  agentVersion: '1',
  nonce: 'aa',
};

type Down = NonNullable<SessionResponse['message']>;
const down = (message: Down, nowMs = 0): SessionInput => ({ kind: 'received', message: { message }, nowMs });
const welcome = (acknowledgedSeq = 0): SessionInput =>
  down({
    $case: 'welcome',
    value: {
      sessionId: 's',
      sessionToken: 'tok',
      regionId: 'lab',
      serverTimeMs: '0',
      acknowledgedSeq: String(acknowledgedSeq),
    },
  });
const ack = (seq: number): SessionInput => down({ $case: 'ack', value: { seq: String(seq) } });
const broken = (code = 14): SessionInput => ({ kind: 'broken', code, reason: 'gone', random: 0.5 });
const order = (attempt = 1): SessionInput => down({ $case: 'install', value: goodInstall(attempt) });
const goodInstall = (attempt: number): Install => ({
  attempt,
  grant: 'a.b.c',
  image: {
    url: 'http://192.0.2.1/images/x',
    rawSha256: 'a'.repeat(64),
    rawSizeBytes: '10',
    compressedSha256: 'b'.repeat(64),
    compressedSizeBytes: '5',
    rootPartitionLabel: 'root',
  },
  settings: { hostname: 'h', sshAuthorizedKeys: [], networkConfig: 'dhcp', checkIn: undefined },
  keepBootOrder: false,
});
const ended = (outcome: InstallOutcome): SessionInput => ({ kind: 'install-ended', outcome });
const SUCCESS: InstallOutcome = { kind: 'success', message: 'ok', diskTouched: true };
const FAILURE: InstallOutcome = {
  kind: 'failed',
  failureClass: 'disk_write',
  message: 'no',
  diskTouched: true,
};
const progress = (percent: number): SessionInput => ({
  kind: 'progress',
  progress: { phase: 'writing', percent, message: '', bytesDone: 0, bytesTotal: 1 },
});

const [ONE, TWO, THREE] = ['192.0.2.1:8082', '192.0.2.3:8082', '192.0.2.5:8082'] as const;

/** All effects of the last input after playing the inputs in order. */
function play(...inputs: SessionInput[]): { state: SessionState; last: readonly SessionEffect[] } {
  return playAt([ONE], ...inputs);
}
function playAt(endpoints: readonly string[], ...inputs: SessionInput[]): ReturnType<typeof play> {
  let state = newSession(identity, endpoints);
  let last: readonly SessionEffect[] = [];
  for (const input of [{ kind: 'start' } as const, ...inputs]) [state, last] = stepSession(state, input);
  return { state, last };
}
const kinds = (effects: readonly SessionEffect[]): string[] => effects.map(({ kind }) => kind);
const sent = (effects: readonly SessionEffect[]): string[] =>
  effects.flatMap((e) => (e.kind === 'send' ? [`${e.request.seq} ${e.request.message?.$case}`] : []));

describe('session', () => {
  it('greets with the ticket until it has a session, then with its token', () => {
    expect(play().last).toMatchObject([
      { kind: 'dial', hello: { message: { value: { proof: { value: 't1' } } } } },
    ]);
    expect(play(broken(), { kind: 'redial' }).last).toMatchObject([
      { hello: { message: { value: { proof: { value: 't1' } } } } },
    ]);
    expect(play(welcome(), broken(), { kind: 'redial' }).last).toMatchObject([
      {
        kind: 'dial',
        hello: { seq: '0', message: { value: { proof: { $case: 'sessionToken', value: 'tok' } } } },
      },
    ]);
  });

  it('keeps an outcome until it is acknowledged and then restarts', () => {
    const before = [welcome(), order(), progress(1), progress(2), ended(SUCCESS)] as const;
    expect(sent(play(...before).last)).toEqual(['3 result']);
    expect(sent(play(...before, broken(), { kind: 'redial' }, welcome(1)).last)).toEqual([
      '2 progress',
      '3 result',
    ]);
    expect(kinds(play(...before, ack(2)).last)).toEqual([]);
    expect(play(...before, ack(3)).last).toMatchObject([{ kind: 'reboot' }]);
    expect(kinds(play(...before, broken(), { kind: 'redial' }, welcome(3)).last)).toContain('reboot');
  });

  it('keeps of progress only the newest while the link is down', () => {
    const inputs = [
      welcome(),
      order(),
      broken(),
      progress(1),
      progress(2),
      { kind: 'redial' } as const,
      welcome(),
    ];
    expect(sent(play(...inputs).last)).toEqual(['2 progress']);
  });

  it('installs an attempt once, however often it is ordered', () => {
    expect(kinds(play(welcome(), order()).last)).toEqual(['install']);
    expect(kinds(play(welcome(), order(), order()).last)).toEqual([]);
    expect(sent(play(welcome(), order(), ended(FAILURE), order()).last)).toEqual([]);
    expect(sent(play(welcome(), order(), ended(FAILURE), ack(1), order()).last)).toEqual(['2 result']);
    expect(kinds(play(welcome(), order(), ended(FAILURE), ack(1), order(2)).last)).toEqual(['install']);
  });

  it('does not restart while it installs, but after that', () => {
    const reboot = down({ $case: 'reboot', value: { reason: 'moved' } });
    expect(kinds(play(welcome(), order(), reboot).last)).toEqual(['say']);
    expect(kinds(play(welcome(), order(), reboot, ended(FAILURE)).last)).toEqual(['send']);
    expect(kinds(play(welcome(), order(), reboot, ended(FAILURE), ack(1)).last)).toEqual(['reboot']);
    expect(kinds(play(welcome(), reboot).last)).toEqual(['reboot']);
  });

  it('gives up a session that is refused again and again, but not while it installs', () => {
    const refused = [broken(16), broken(16), broken(16), broken(16)];
    expect(kinds(play(...refused).last)).toContain('reboot');
    expect(kinds(play(welcome(), order(), ...refused).last)).not.toContain('reboot');
    expect(kinds(play(broken(16), broken(16), broken(16), broken(14), broken(16)).last)).not.toContain(
      'reboot',
    );
  });

  it('tries again for ever, at least every 10 s and at most every half second', () => {
    const waits = Array.from(
      { length: 40 },
      (_, n) => play(...Array.from({ length: n + 1 }, () => broken())).last,
    );
    const ms = waits.map((effects) => effects.find((e) => e.kind === 'redial-after')).map((e) => e?.ms ?? -1);
    expect(ms.every((each) => each >= 500 && each <= 10_000)).toBe(true);
    expect(ms.at(-1)).toBe(7500);
  });

  it('obeys nobody before a welcome of its own region', () => {
    expect(kinds(play(order()).last)).toEqual(['hang-up']);
    const foreign = {
      sessionId: '',
      sessionToken: 'x',
      regionId: 'dc9',
      serverTimeMs: '0',
      acknowledgedSeq: '0',
    };
    expect(kinds(play(down({ $case: 'welcome', value: foreign })).last)).toEqual(['hang-up']);
  });

  it('answers a cancellation when nothing runs, and passes it on when something does', () => {
    const cancel = down({ $case: 'cancel', value: { reason: 'r' } });
    expect(sent(play(welcome(), cancel).last)).toEqual(['1 cancelObeyed']);
    expect(kinds(play(welcome(), order(), cancel).last)).toEqual(['say', 'cancel-install']);
  });

  it('never installs twice at once, never repeats a number and never grows without bound', () => {
    const input = fc.oneof(
      fc.constantFrom(
        welcome(),
        broken(),
        broken(16),
        progress(5),
        ended(FAILURE),
        order(1),
        order(2),
        order(3),
      ),
      fc.constantFrom<SessionInput>({ kind: 'redial' }, { kind: 'log', lines: ['x'] }),
      fc.nat({ max: 30 }).map(ack),
    );
    fc.assert(
      fc.property(fc.array(input, { maxLength: 300 }), (inputs) => {
        let state = newSession(identity, [ONE, TWO]);
        let running = false;
        const fresh = new Set<string>();
        for (const next of inputs) {
          if (next.kind === 'install-ended' && !running) continue;
          const previous = state.outbox.nextSeq;
          const [after, effects] = stepSession(state, next);
          if (next.kind === 'install-ended') running = false;
          for (const effect of effects) {
            if (effect.kind === 'install') {
              expect(running).toBe(false);
              running = true;
            }
            if (effect.kind !== 'send' || Number(effect.request.seq) < previous) continue;
            expect(fresh.has(effect.request.seq)).toBe(false);
            fresh.add(effect.request.seq);
          }
          state = after;
          expect(state.outbox.pending.length).toBeLessThanOrEqual(132);
        }
      }),
    );
  });
});

describe('a region of several daemons', () => {
  const redial: SessionInput = { kind: 'redial' };
  const dialled = (endpoints: readonly string[], ...inputs: SessionInput[]): string[] => {
    let state = newSession(identity, endpoints);
    return [{ kind: 'start' } as const, ...inputs].flatMap((input) => {
      const [next, effects] = stepSession(state, input);
      state = next;
      return effects.flatMap((e) => (e.kind === 'dial' ? [`${e.address} ${e.patienceMs / 1000} s`] : []));
    });
  };
  const pauses = (endpoints: readonly string[], tries: number): number[] =>
    Array.from({ length: tries }, (_, n) =>
      playAt(endpoints, ...Array.from({ length: n + 1 }, () => broken())).last.find(
        (e) => e.kind === 'redial-after',
      ),
    ).map((e) => e?.ms ?? -1);
  const times = (count: number, ...inputs: SessionInput[]): SessionInput[] =>
    Array.from({ length: count }, () => inputs).flat();

  it('is asked daemon by daemon, round after round, with more patience in each', () => {
    expect(dialled([ONE, TWO], ...times(6, broken(), redial))).toEqual([
      `${ONE} 5 s`,
      `${TWO} 5 s`,
      `${ONE} 10 s`,
      `${TWO} 10 s`,
      `${ONE} 20 s`,
      `${TWO} 20 s`,
      `${ONE} 20 s`,
    ]);
    expect(dialled([ONE], ...times(2, broken(), redial))).toEqual([
      `${ONE} 20 s`,
      `${ONE} 20 s`,
      `${ONE} 20 s`,
    ]);
  });

  it('is asked at every endpoint within one round after a session broke, the next one first', () => {
    const three = [ONE, TWO, THREE];
    const life = [broken(), redial, welcome(), broken(), redial, broken(), redial, broken(), redial];
    expect(dialled(three, ...life).map((each) => each.split(' ')[0])).toEqual([ONE, TWO, THREE, ONE, TWO]);
  });

  it('rests after a round and hardly within it', () => {
    expect(pauses([ONE, TWO], 8)).toEqual([375, 750, 375, 1500, 375, 3000, 375, 6000]);
    expect(pauses([ONE], 4)).toEqual([750, 1500, 3000, 6000]);
    expect(Math.max(...pauses([ONE, TWO, THREE], 60))).toBe(7500);
  });

  it('is given up when its leader keeps refusing, though another daemon stands by in between', () => {
    const round = [broken(16), redial, broken(14), redial];
    expect(playAt([ONE, TWO], ...times(3, ...round)).state.leaving).toBe(false);
    const refused = playAt([ONE, TWO], ...times(3, ...round), broken(16)).last;
    expect(kinds(refused)).toContain('reboot');
    expect(refused[0]).toMatchObject({ line: `region lab at ${ONE} refuses this session: gone` });
  });

  it('is not given up because two daemons refuse three times each, or one between other faults or welcomes', () => {
    expect(playAt([ONE, TWO], ...times(6, broken(16), redial)).state.leaving).toBe(false);
    const turnsOfOne = [16, 16, 16, 14, 16].flatMap((code) => [broken(code), redial, broken(14), redial]);
    expect(playAt([ONE, TWO], ...turnsOfOne).state.leaving).toBe(false);
    const thrice = [...times(2, broken(16), redial, broken(14), redial), broken(16), redial];
    const welcomedAtTwo = [...thrice, welcome(), broken(14), redial];
    expect(playAt([ONE, TWO], ...welcomedAtTwo, broken(16)).state.leaving).toBe(false);
  });

  it('is told to the technician endpoint by endpoint, in every tenth round too', () => {
    const said = (failures: number): string[] =>
      playAt([ONE, TWO], ...times(failures, broken())).last.flatMap((e) =>
        e.kind === 'say' ? [e.line] : [],
      );
    expect(said(1)).toEqual([`no session with region lab at ${ONE}: gone; try 2 at ${TWO} in 0.4 s`]);
    expect(said(2)).toEqual([`no session with region lab at ${TWO}: gone; try 3 at ${ONE} in 0.8 s`]);
    const loud = Array.from({ length: 40 }, (_, n) => n + 1).filter((n) => said(n).length > 0);
    expect(loud).toEqual([1, 2, 3, 4, 5, 6, 19, 20, 39, 40]);
    expect(playAt([ONE, TWO], broken(), redial, welcome()).last).toMatchObject([
      { line: `connected to region lab at ${TWO} as ${identity.mac}, task ${identity.taskId}` },
    ]);
  });

  it('is told with what to do about a daemon that stands by or a host that says nothing', () => {
    const advice = (reason: string): unknown =>
      playAt([ONE, TWO], { kind: 'broken', code: 14, reason, random: 0 }).last[1];
    expect(advice('this daemon stands by')).toMatchObject({
      line: expect.stringContaining('does not lead') as string,
    });
    expect(advice('the region does not answer within 5 s')).toMatchObject({
      line: expect.stringContaining('is its host on') as string,
    });
  });
});
