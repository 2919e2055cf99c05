/** Negotiation: every subset of options, limits, wrong values, and that nothing unasked is ever answered. */
import fc from 'fast-check';
import { negotiate } from './options';
import type { TftpOptionList } from './packet';

const LIMITS = { mtuBytes: 1500, maxWindowsize: 64 };
const ALL: TftpOptionList = [
  ['tsize', '0'],
  ['blksize', '1024'],
  ['windowsize', '8'],
  ['timeout', '3'],
];
const ANSWERS: Readonly<Record<string, string>> = {
  tsize: '70000',
  blksize: '1024',
  windowsize: '8',
  timeout: '3',
};

describe('negotiate', () => {
  it('answers exactly what was asked, for all 16 combinations, in the order asked', () => {
    for (let mask = 0; mask < 16; mask += 1) {
      const asked = ALL.filter((_option, index) => (mask >> index) & 1);
      const { oack } = negotiate(asked, 70_000, LIMITS);
      expect(oack).toEqual(asked.map(([name]) => [name, ANSWERS[name]]));
    }
  });

  it.each([
    ['blksize over the MTU', 'blksize', '9000', '1468'],
    ['blksize over the RFC', 'blksize', '70000', '1468'],
    ['the smallest blksize', 'blksize', '8', '8'],
    ['windowsize over the cap', 'windowsize', '65535', '64'],
    ['the longest timeout', 'timeout', '255', '255'],
    ['upper case', 'BLKSIZE', '512', '512'],
  ])('accepts %s', (_what, name, value, answer) => {
    expect(negotiate([[name, value]], 9, LIMITS).oack).toEqual([[name, answer]]);
  });

  it.each([
    ['blksize', '7'],
    ['blksize', '-512'],
    ['blksize', '0x200'],
    ['blksize', ''],
    ['windowsize', '0'],
    ['windowsize', '65536'],
    ['timeout', '0'],
    ['timeout', '256'],
    ['timeout', 'abc'],
    ['tsize', '1'],
    ['tsize', '99999999999999999999'],
    ['utimeout', '5'],
    ['__proto__', '1'],
  ])('leaves out %s=%s and falls back to plain DATA', (name, value) => {
    expect(negotiate([[name, value]], 9, LIMITS)).toEqual({ blksize: 512, windowsize: 1, oack: [] });
  });

  it('says no tsize for an empty file, because curl fails on it', () => {
    expect(negotiate([['tsize', '0']], 0, LIMITS).oack).toEqual([]);
  });

  it('counts the first of two equal options', () => {
    const asked = [['blksize', '600'] as const, ['Blksize', '700'] as const];
    expect(negotiate(asked, 9, LIMITS)).toMatchObject({ blksize: 600, oack: [['blksize', '600']] });
  });

  it('goes over 1468 only where the link carries it', () => {
    expect(negotiate([['blksize', '9000']], 9, { ...LIMITS, mtuBytes: 9000 }).blksize).toBe(8968);
  });

  it('never answers more than was asked for', () => {
    const value = fc.oneof(fc.nat(70_000).map(String), fc.string());
    const option = fc.tuple(fc.constantFrom('blksize', 'windowsize', 'timeout', 'tsize', 'x'), value);
    fc.assert(
      fc.property(fc.array(option, { maxLength: 6 }), fc.nat(), (asked, size) => {
        for (const [name, answer] of negotiate(asked, size, LIMITS).oack) {
          const wanted = asked.find(([other]) => other === name)?.[1];
          if (name === 'tsize')
            expect([wanted, answer]).toEqual(['0', String(size)].map((v, i) => (i ? v : wanted)));
          else expect(Number(answer)).toBeLessThanOrEqual(Number(wanted));
        }
      }),
    );
  });
});
