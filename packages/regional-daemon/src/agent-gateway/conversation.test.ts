import fc from 'fast-check';
import { EXAMPLE_REPORT, EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import type { TaskProgress } from '@lpmos/core';
import { hardwareToWire } from '@lpmos/proto';
import type { SessionRequest } from '@lpmos/proto';
import { sha256, testClock } from '../testing/region-fixtures';
import { createAgents } from './agents';
import { takeMessage } from './conversation';

const SPEAKER = { taskId: EXAMPLE_TASK_ID, sessionId: 's1' };
type Message = SessionRequest['message'];

function conversation() {
  const agents = createAgents({ clock: testClock(), onChange: () => undefined });
  const link = { acknowledge: () => undefined, order: () => undefined, close: () => undefined };
  agents.attach(SPEAKER.taskId, SPEAKER.sessionId, link);
  const progress: Omit<TaskProgress, 'at'>[] = [];
  const logs: string[] = [];
  const writer = {
    progress: (_id: unknown, said: Omit<TaskProgress, 'at'>) => void progress.push(said),
    log: (_id: unknown, lines: readonly string[]) => void logs.push(...lines),
    flush: () => Promise.resolve(),
  };
  const say = (message: Message, seq = '1', speaker = SPEAKER): string | undefined =>
    takeMessage({ agents, progress: writer, sha256 }, speaker, { seq, message });
  return { say, progress, logs, facts: () => agents.facts(SPEAKER.taskId) };
}

const PRINTABLE = /^[\x20-\x7e]*$/;

describe('a conversation', () => {
  it('takes a hardware report with the digest that approvals name', () => {
    const { say, facts } = conversation();
    expect(say({ $case: 'hardware', value: hardwareToWire(EXAMPLE_REPORT) })).toBeUndefined();
    expect(facts()?.report).toMatchObject({ seq: '1', hardware: { report: EXAMPLE_REPORT } });
  });

  it('takes a result, and any failure of a newer agent for a fault of the agent', () => {
    const { say, facts } = conversation();
    const result = { attempt: 1, success: false, message: 'no', diskTouched: true };
    say({ $case: 'result', value: { ...result, failureClass: 'image_digest' } });
    expect(facts()?.result?.failureClass).toBe('image_digest');
    say({ $case: 'result', value: { ...result, failureClass: 'moon_phase' } }, '2');
    expect(facts()?.result?.failureClass).toBe('agent_fault');
  });

  it('hears nobody whose session is over', () => {
    const { say, facts } = conversation();
    const value = { message: 'stopped', diskTouched: false };
    const old = { ...SPEAKER, sessionId: 's0' };
    expect(say({ $case: 'cancelObeyed', value }, '1', old)).toMatch(/took over/);
    expect(facts()?.cancelObeyed).toBeUndefined();
  });

  it.each<[Message | undefined, string, RegExp]>([
    [undefined, '1', /empty or of a newer protocol/],
    [{ $case: 'log', value: { lines: [] } }, '-1', /seq/],
    [{ $case: 'log', value: { lines: [] } }, '1e3', /seq/],
    [{ $case: 'log', value: { lines: [] } }, '9'.repeat(30), /seq/],
  ])('refuses %j with number %s', (message, seq, words) => {
    expect(conversation().say(message, seq)).toMatch(words);
  });

  it('refuses a second hello and a report that is none', () => {
    const { say, facts } = conversation();
    const hello = { taskId: '', macAddress: '', proof: undefined, agentVersion: '', nonce: '' };
    expect(say({ $case: 'hello', value: hello })).toMatch(/once/);
    const wire = { ...hardwareToWire(EXAMPLE_REPORT), macAddress: 'no mac' };
    expect(say({ $case: 'hardware', value: wire })).toMatch(/mac_address/);
    expect(facts()?.report).toBeUndefined();
  });

  it('keeps only bounded, harmless text of strangers', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 900 }), fc.nat(500), (text, percent) => {
        const { say, progress, logs, facts } = conversation();
        const bytes = { bytesDone: '1', bytesTotal: '2' };
        say({ $case: 'progress', value: { attempt: 1, phase: text, percent, message: text, ...bytes } });
        say({ $case: 'log', value: { lines: [text, '\x1b[31mred\nsecond line'] } });
        say({ $case: 'cancelObeyed', value: { message: text, diskTouched: false } });
        const [said] = progress;
        for (const kept of [said?.phase, said?.message, ...logs, facts()?.cancelObeyed?.message]) {
          expect(kept).toMatch(PRINTABLE);
          expect(kept?.length).toBeLessThanOrEqual(500);
        }
        expect(said?.percent).toBeLessThanOrEqual(100);
      }),
    );
  });

  it('keeps a bounded number of lines of one message', () => {
    const { say, logs } = conversation();
    say({ $case: 'log', value: { lines: Array.from({ length: 5000 }, String) } });
    expect(logs).toHaveLength(200);
  });
});
