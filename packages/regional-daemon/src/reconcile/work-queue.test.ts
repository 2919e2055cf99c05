import { createWorkQueue } from './work-queue';
import type { WorkQueue } from './work-queue';

/** A worker whose every piece of work waits to be let go. */
function workshop(concurrency: number) {
  const begun: string[] = [];
  const failures: [string, number][] = [];
  const doors = new Map<string, (error?: Error) => void>();
  const queue: WorkQueue<string> = createWorkQueue<string>({
    concurrency,
    random: () => 0,
    onError: (key, _thrown, attempt) => failures.push([key, attempt]),
    work: (key) => {
      begun.push(key);
      return new Promise((resolve, reject) => {
        doors.set(key, (error) => {
          doors.delete(key);
          if (error === undefined) resolve();
          else reject(error);
        });
      });
    },
  });
  const finish = async (key: string, error?: Error): Promise<void> => {
    const door = doors.get(key);
    if (door === undefined) throw new Error(`${key} is not in work`);
    door(error);
    await turns();
  };
  return { begun, failures, queue, finish };
}

/** Lets every promise that can move do so. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
}

beforeEach(() => jest.useFakeTimers({ doNotFake: ['queueMicrotask', 'nextTick'] }));
afterEach(() => jest.useRealTimers());

describe('the work queue', () => {
  it('does a key once, however often it was added while it waited', async () => {
    const { begun, queue, finish } = workshop(1);
    queue.add('busy');
    for (let i = 0; i < 5; i += 1) queue.add('a');
    expect(queue.depth).toBe(2);
    await turns();
    await finish('busy');
    await finish('a');
    expect([begun, queue.depth]).toEqual([['busy', 'a'], 0]);
  });

  it('never has one key in work twice, and looks once more when it changed meanwhile', async () => {
    const { begun, queue, finish } = workshop(8);
    queue.add('a');
    await turns();
    queue.add('a');
    queue.add('a');
    await turns();
    expect(begun).toEqual(['a']);
    await finish('a');
    expect(begun).toEqual(['a', 'a']);
    await finish('a');
    expect([begun.length, queue.depth]).toEqual([2, 0]);
  });

  it('works on so many keys at once and no more', async () => {
    const { begun, queue, finish } = workshop(2);
    for (const key of ['a', 'b', 'c']) queue.add(key);
    await turns();
    expect(begun).toEqual(['a', 'b']);
    await finish('b');
    expect(begun).toEqual(['a', 'b', 'c']);
  });

  it('does not work within the turn of who adds', () => {
    const { begun, queue } = workshop(1);
    queue.add('a');
    expect(begun).toEqual([]);
  });

  it('tries a failing key again, each time later, and from the beginning after a success', async () => {
    const { begun, failures, queue, finish } = workshop(1);
    queue.add('a');
    await turns();
    for (const waitMs of [50, 100, 200]) {
      await finish('a', new Error('no'));
      const tries = begun.length;
      jest.advanceTimersByTime(waitMs - 1);
      await turns();
      expect(begun).toHaveLength(tries);
      jest.advanceTimersByTime(1);
      await turns();
      expect(begun).toHaveLength(tries + 1);
    }
    await finish('a');
    queue.add('a');
    await turns();
    await finish('a', new Error('no'));
    expect(failures.map(([, attempt]) => attempt)).toEqual([0, 1, 2, 0]);
  });

  it('keeps the earliest of several wishes for later', async () => {
    const { begun, queue } = workshop(1);
    queue.addAfter('a', 1000);
    queue.addAfter('a', 200);
    queue.addAfter('a', 5000);
    jest.advanceTimersByTime(200);
    await turns();
    expect(begun).toEqual(['a']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does not overflow a wish for next month into now', async () => {
    const { begun, queue } = workshop(1);
    queue.addAfter('a', 2 ** 31);
    jest.advanceTimersByTime(60_000);
    await turns();
    expect(begun).toEqual([]);
    await queue.stop();
  });

  it('stops: takes nothing, forgets what waits, ends with what is in work', async () => {
    const { begun, queue, finish } = workshop(1);
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 10);
    await turns();
    let stopped = false;
    const stop = queue.stop().then(() => (stopped = true));
    queue.add('d');
    jest.advanceTimersByTime(100);
    await turns();
    expect([begun, stopped]).toEqual([['a'], false]);
    await finish('a', new Error('no'));
    await stop;
    jest.advanceTimersByTime(60_000);
    expect(begun).toEqual(['a']);
  });
});
