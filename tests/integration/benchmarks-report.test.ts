/** The benchmarks' own arithmetic and page: a wrong median or a lost block would be believed. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { BENCHMARKS, SLOW } from '../benchmarks/benchmarks';
import { atLeast, atMost, rounded } from '../benchmarks/harness/benchmark';
import { renderTable, replaceBlock } from '../benchmarks/harness/report';
import { median, percentile, spreadPercent } from '../benchmarks/harness/statistics';

describe('statistics of benchmarks', () => {
  it('takes the middle, or the mean of the two middles', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  it('takes the smallest sample that covers the share', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 0.5)).toBe(50);
    expect(percentile([7], 0.01)).toBe(7);
    // Of ten, only all ten are at least 99 %.
    expect(percentile(hundred.slice(0, 10), 0.99)).toBe(100);
  });

  it('relates the distance of the extremes to the median', () => {
    expect(spreadPercent([8, 10, 12])).toBe(40);
  });

  it('shows three significant digits, and a dash for what was not measured', () => {
    expect([0.012345, 9.876, 1234.5, NaN].map(rounded)).toEqual(['0.0123', '9.88', '1235', '–']);
  });

  it('meets a target on its edge, misses one beyond it, and misses what was not measured', () => {
    expect([41, 42, 43, NaN].map((value) => atMost('', 42, value, 'MB').met)).toEqual([
      true,
      true,
      false,
      false,
    ]);
    expect([41, 42, NaN].map((value) => atLeast('', 42, value, 'MB').met)).toEqual([false, true, false]);
  });
});

describe('the page of benchmarks', () => {
  const page =
    'a\n<!-- benchmark:x -->\nold\n<!-- /benchmark:x -->\nb\n<!-- benchmark:y -->\n<!-- /benchmark:y -->\n';

  it('gets a new block and keeps everything else', () => {
    const next = replaceBlock(page, 'x', 'new');
    expect(next).toBe(page.replace('\nold\n', '\n\nnew\n\n'));
    expect(replaceBlock(next, 'x', 'new')).toBe(next);
  });

  it('says which markers are missing', () => {
    expect(() => replaceBlock(page, 'z', 'new')).toThrow('<!-- benchmark:z -->');
  });

  it('has a table whose cells cannot break it', () => {
    expect(renderTable({ title: 'T', columns: ['a'], rows: [['x|y']] })).toBe(
      'T:\n\n| a |\n| --- |\n| x\\|y |',
    );
  });

  it('has a place for every benchmark', () => {
    const real = readFileSync(join(__dirname, '../../docs/benchmarks.md'), 'utf8');
    for (const { name } of BENCHMARKS) expect(replaceBlock(real, name, 'block')).toContain('block');
    expect(BENCHMARKS.map(({ name }) => name)).toEqual(expect.arrayContaining([...SLOW]));
  });
});
