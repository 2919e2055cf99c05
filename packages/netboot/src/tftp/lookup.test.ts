/** Requests that wait for their file: asked once, answered once, within bounds, never for ever. */
import type { FoundFile } from '../file-finder';
import type { BootEvent } from '../boot-event';
import { createLookups } from './lookup';
import type { MissingFile } from './read-request';

const MISSING: MissingFile = {
  kind: 'missing',
  name: 'grub/grub.cfg',
  mode: 'octet',
  request: { kind: 'RRQ', filename: '/grub/grub.cfg', mode: 'octet', options: [] },
};
const peer = (port: number) => ({ address: '10.0.0.9', port });
const FILE: FoundFile = { bytes: Uint8Array.of(1) };

function lab(find: ((name: string) => Promise<FoundFile> | undefined) | undefined, maxSessions = 2) {
  const events: Omit<BootEvent, 'protocol'>[] = [];
  const answers: (FoundFile | undefined)[] = [];
  const lookups = createLookups({
    ...(find === undefined ? {} : { find }),
    limits: { maxSessions },
    report: (event) => events.push(event),
  });
  const ask = (port = 1): void => lookups.ask(MISSING, peer(port), (found) => answers.push(found));
  const askFor = (name: string): void => {
    const request = { ...MISSING.request, filename: name };
    lookups.ask({ ...MISSING, name, request }, peer(1), (found) => answers.push(found));
  };
  return { events, answers, ask, askFor };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

afterEach(() => jest.useRealTimers());

describe('a lookup', () => {
  it('is answered at once for a name that is never published', () => {
    const { answers, ask } = lab(() => undefined);
    ask();
    expect(answers).toEqual([undefined]);
    const without = lab(undefined);
    without.ask();
    expect(without.answers).toEqual([undefined]);
  });

  it('that fails at once is a failure in the events and ends nothing else', async () => {
    const { answers, events, ask } = lab(() => {
      throw new Error('no script can carry this');
    });
    expect(ask).not.toThrow();
    await settled();
    expect(answers).toEqual([]);
    expect(events).toMatchObject([{ outcome: 'failed', reason: 'no file: Error: no script can carry this' }]);
  });

  it('asks once for a request that is repeated while it waits, and again afterwards', async () => {
    let give: (file: FoundFile) => void = () => undefined;
    let asked = 0;
    const { answers, ask } = lab(() => {
      asked += 1;
      return new Promise((resolve) => (give = resolve));
    });
    ask();
    ask();
    expect(asked).toBe(1);
    give(FILE);
    await settled();
    expect(answers).toEqual([FILE]);
    ask();
    expect(asked).toBe(2);
    give(FILE);
    await settled();
    expect(answers).toEqual([FILE, FILE]);
  });

  it('is forgotten when its client begins anew from the same port', async () => {
    const gives: ((file: FoundFile) => void)[] = [];
    const { answers, ask, askFor } = lab(() => new Promise((resolve) => gives.push(resolve)));
    ask();
    askFor('grub/other.cfg');
    gives[0]?.(FILE);
    await settled();
    expect(answers).toEqual([]);
    const other = { bytes: Uint8Array.of(2) };
    gives[1]?.(other);
    await settled();
    expect(answers).toEqual([other]);
  });

  it('is met with silence beyond the bound', () => {
    const { answers, events, ask } = lab(() => new Promise(() => undefined));
    jest.useFakeTimers();
    for (const port of [1, 2, 3]) ask(port);
    expect(answers).toEqual([]);
    expect(events).toEqual([
      {
        ...{ outcome: 'ignored', peer: '10.0.0.9:3', request: 'RRQ /grub/grub.cfg' },
        reason: expect.stringContaining('which is the limit') as string,
      },
    ]);
  });

  it('ends when the file does not come, and an answer that comes later is dropped', async () => {
    jest.useFakeTimers();
    let give: (file: FoundFile) => void = () => undefined;
    const { answers, events, ask } = lab(() => new Promise((resolve) => (give = resolve)));
    ask();
    jest.advanceTimersByTime(10_000);
    expect(events).toMatchObject([{ outcome: 'failed', request: 'RRQ /grub/grub.cfg' }]);
    jest.useRealTimers();
    give(FILE);
    await settled();
    expect(answers).toEqual([]);
  });

  it('says why a file could not be read, and leaves the client to ask again', async () => {
    const { answers, events, ask } = lab(() => Promise.reject(new Error('EIO')));
    ask();
    await settled();
    expect(answers).toEqual([]);
    expect(events).toMatchObject([{ outcome: 'failed', reason: 'no file: Error: EIO' }]);
  });
});
