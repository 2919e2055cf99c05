/** A version 4 UUID (RFC 9562) drawn from a seeded sequence, as SMBIOS type 1 would hold one. */
import type { SeededRandom } from './seeded-random';

export function randomUuidFrom(random: SeededRandom): string {
  const digits = random.text(32, '0123456789abcdef');
  const variant = '89ab'.charAt(random.below(4));
  return [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `4${digits.slice(13, 16)}`,
    `${variant}${digits.slice(17, 20)}`,
    digits.slice(20),
  ].join('-');
}
