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

/** All effects of the last input after playing the inputs in order. */
function play(...inputs: SessionInput[]): { state: SessionState; last: readonly SessionEffect[] } {
  let state = newSession(identity);
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
        let state = newSession(identity);
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
