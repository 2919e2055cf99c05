import { describeDuration, parseDuration } from './duration';

describe('parseDuration', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['15m', 900_000],
    ['8h', 28_800_000],
    ['7d', 604_800_000],
  ])('%s', (text, ms) => {
    expect(parseDuration(text, '--timeout')).toBe(ms);
  });

  it.each(['', '8', '0s', '-1h', '1.5h', '8 h', '1h30m', '9999999999s'])(
    'refuses "%s" and names the option',
    (text) => {
      expect(() => parseDuration(text, '--timeout')).toThrow(/^--timeout must be a duration/);
    },
  );
});

describe('describeDuration', () => {
  it.each([
    [-5, '0 s'],
    [4_400, '4 s'],
    [200_000, '3 min 20 s'],
    [7_500_000, '2 h 5 min'],
    [6 * 86_400_000 + 3_600_000, '6 d 1 h'],
  ])('%d ms', (ms, text) => {
    expect(describeDuration(ms)).toBe(text);
  });
});
