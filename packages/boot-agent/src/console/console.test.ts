import fc from 'fast-check';
import { progressLine, progressMark } from './progress-line';
import { consoleLines } from './text';

describe('console', () => {
  it('shows only printable ASCII in at most 79 columns and loses no word', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        for (const line of consoleLines(text)) expect(line).toMatch(/^[\x20-\x7e]{0,79}$/);
      }),
    );
    const words = Array.from({ length: 60 }, (_, n) => `word${n}`).join(' ');
    expect(
      consoleLines(words)
        .map((line) => line.trim())
        .join(' '),
    ).toBe(words);
  });

  it('shows a bar, and a new line only every five percent', () => {
    const at = (percent: number) =>
      ({ phase: 'writing', percent, message: 'm', bytesDone: percent * 1e7, bytesTotal: 1e9 }) as const;
    expect(progressLine(at(45))).toBe('writing         [#########...........]  45 %  450 of 1000 MB');
    const marks = new Set(Array.from({ length: 101 }, (_, percent) => progressMark(at(percent))));
    expect(marks.size).toBe(21);
  });
});
