/** Range headers by table and by algebra, and the validators. */
import fc from 'fast-check';
import { matchesEtag, rangeStillValid, readRange } from './ranges';

describe('readRange of a file of 10 bytes', () => {
  it.each([
    ['bytes=0-', [0, 9]],
    ['bytes=0-0', [0, 0]],
    ['bytes=3-5', [3, 5]],
    ['bytes=9-', [9, 9]],
    ['bytes=5-999', [5, 9]],
    ['bytes=5-18446744073709551615', [5, 9]],
    [`bytes=-${'9'.repeat(400)}`, [0, 9]],
    ['bytes=-3', [7, 9]],
    ['bytes=-99', [0, 9]],
    ['Bytes=1-2', [1, 2]],
    [' bytes=1-2 ', [1, 2]],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=10-12', 'unsatisfiable'],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=0-1,3-4', 'unsatisfiable'],
    [`bytes=${'0-,'.repeat(200)}`, 'unsatisfiable'],
    ['bytes=5-2', 'whole'],
    ['bytes=-', 'whole'],
    ['bytes=', 'whole'],
    ['bytes=a-b', 'whole'],
    ['bytes=1-2-3', 'whole'],
    ['items=0-1', 'whole'],
    [`bytes=${'0-1,'.repeat(999)}`, 'whole'],
    ['', 'whole'],
  ])('%j', (header, expected) => {
    const answer = readRange(header, 10);
    expect(answer.kind === 'part' ? [answer.first, answer.last] : answer.kind).toEqual(expected);
  });

  it('takes no header for the whole, and nothing of an empty file', () => {
    expect(readRange(undefined, 10).kind).toBe('whole');
    expect(readRange('bytes=0-', 0).kind).toBe('unsatisfiable');
    expect(readRange('bytes=-5', 0).kind).toBe('unsatisfiable');
  });
});

describe('the algebra of ranges', () => {
  it('yields parts inside the file whatever the header', () => {
    const bound = fc.oneof(fc.nat(3000).map(String), fc.constant(''), fc.string({ maxLength: 4 }));
    fc.assert(
      fc.property(bound, bound, fc.nat(2000), (from, to, size) => {
        const answer = readRange(`bytes=${from}-${to}`, size);
        if (answer.kind !== 'part') return;
        expect(answer.first).toBeGreaterThanOrEqual(0);
        expect(answer.first).toBeLessThanOrEqual(answer.last);
        expect(answer.last).toBeLessThan(size);
      }),
    );
  });

  it('cuts a file into pieces that join to the whole', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 99 }), (size, piece) => {
        let next = 0;
        while (next < size) {
          const answer = readRange(`bytes=${next}-${next + piece - 1}`, size);
          if (answer.kind !== 'part') throw new Error('no part');
          expect(answer.first).toBe(next);
          next = answer.last + 1;
        }
        expect(next).toBe(size);
      }),
    );
  });
});

describe('validators', () => {
  it.each([
    ['"a"', true],
    ['W/"a"', true],
    ['"b", "a"', true],
    ['*', true],
    ['"b"', false],
    ['a', false],
    [undefined, false],
  ])('If-None-Match %s', (header, expected) => expect(matchesEtag(header, '"a"')).toBe(expected));

  it.each([
    [undefined, true],
    ['"a"', true],
    ['W/"a"', false],
    ['"b"', false],
    ['Fri, 20 Nov 2026 15:00:00 GMT', false],
  ])('If-Range %s', (header, expected) => expect(rangeStillValid(header, '"a"')).toBe(expected));
});
