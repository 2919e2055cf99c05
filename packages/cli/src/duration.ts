/** Durations as people write them: `90s`, `15m`, `8h`, `7d`, `250ms`. One number, one unit, so that nothing is guessed. */
import { invalidOption } from './usage-error';

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d{1,9})(ms|s|m|h|d)$/;

/** Milliseconds. @throws LpmosError `invalid_argument` naming `option`. */
export function parseDuration(text: string, option: string): number {
  const [, digits, unit] = DURATION.exec(text) ?? [];
  const value = Number(digits) * UNIT_MS[(unit ?? 's') as keyof typeof UNIT_MS];
  if (digits === undefined || value === 0) {
    throw invalidOption(option, `must be a duration such as 30s, 15m, 8h or 7d, not "${text}"`);
  }
  return value;
}

/** `4 s`, `3 min 20 s`, `2 h 5 min`, `6 d 1 h`: two units at most. */
export function describeDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return two(minutes, 'min', seconds % 60, 's');
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return two(hours, 'h', minutes % 60, 'min');
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function two(big: number, bigUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
}
