import { ConfigError } from './config';
import { silentLogger } from './logger';
import type { Reread } from './reload';
import { reloads } from './reload';

function setUp(reread: () => number) {
  let hangUp: () => void = () => undefined;
  const onReload = reloads({ onHangup: (listener) => (hangUp = listener), reread, logger: silentLogger });
  return { onReload, hangUp: () => hangUp() };
}

describe('a reload', () => {
  it('tells what the configuration says now', () => {
    let value = 1;
    const { onReload, hangUp } = setUp(() => value);
    const told: Reread<number>[] = [];
    onReload((read) => void told.push(read));
    value = 2;
    hangUp();
    expect(told).toEqual([{ config: 2 }]);
  });

  it('tells every problem, whatever went wrong', async () => {
    const faults: Error[] = [new ConfigError(['a is wrong', 'b is wrong']), new Error('disk')];
    const { onReload, hangUp } = setUp(() => {
      throw faults.shift() ?? new Error('none left');
    });
    const told: Reread<number>[] = [];
    onReload((read) => void told.push(read));
    hangUp();
    await Promise.resolve();
    hangUp();
    expect(told).toEqual([{ problems: ['a is wrong', 'b is wrong'] }, { problems: ['disk'] }]);
  });

  it('runs alone, and once more for all that came meanwhile', async () => {
    let reads = 0;
    const { onReload, hangUp } = setUp(() => (reads += 1));
    const finish: (() => void)[] = [];
    onReload(() => new Promise((done) => finish.push(done)));
    for (let n = 0; n < 5; n += 1) hangUp();
    expect(reads).toBe(1);
    finish.shift()?.();
    await new Promise(setImmediate);
    expect(reads).toBe(2);
    finish.shift()?.();
    await new Promise(setImmediate);
    expect([reads, finish.length]).toEqual([2, 0]);
  });

  it('survives a listener that throws', async () => {
    const { onReload, hangUp } = setUp(() => 1);
    let calls = 0;
    onReload(() => {
      calls += 1;
      throw new Error('not applied');
    });
    hangUp();
    await new Promise(setImmediate);
    hangUp();
    expect(calls).toBe(2);
  });
});
