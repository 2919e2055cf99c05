/**
 * Reading untrusted wire values field by field: every problem is collected under its path, nothing is thrown.
 * Responsible for bounds, closed sets and text; what a hardware report looks like is mapping.ts. See docs/architecture.md.
 * Invariant: what these functions return is bounded and printable, whatever was sent.
 */
import type { FieldProblem } from '@lpmos/core';

/** Longest text kept of any hardware string; SMBIOS and SCSI strings are at most 64 in practice. */
export const LONGEST_HARDWARE_TEXT = 128;
/** Largest disk or partition accepted: the integers that JSON and a double hold exactly. */
const LARGEST_BYTES = BigInt(Number.MAX_SAFE_INTEGER);

/**
 * Text of hardware as it may be shown and stored: printable ASCII only (anything else becomes `?`), at most 128 characters,
 * no blanks at the ends. A disk can claim any serial, escape sequences for a terminal included. Idempotent.
 */
export function cleanHardwareText(text: string): string {
  return text
    .slice(0, 2 * LONGEST_HARDWARE_TEXT)
    .replace(/[^\x20-\x7e]/g, '?')
    .trim()
    .slice(0, LONGEST_HARDWARE_TEXT)
    .trim();
}

export class FieldReader {
  readonly problems: FieldProblem[] = [];

  problem(path: string, problem: string): void {
    this.problems.push({ path, problem });
  }

  required<T>(path: string, value: T | undefined, empty: T): T {
    if (value !== undefined) return value;
    this.problem(path, 'is missing; send it even when its fields are empty');
    return empty;
  }

  /** A whole number in 0..max. */
  integer(path: string, value: number, max: number): number {
    if (Number.isInteger(value) && value >= 0 && value <= max) return value;
    this.problem(path, `must be a whole number from 0 to ${max}`);
    return 0;
  }

  /** A finite number in 0..max. */
  amount(path: string, value: number, max: number): number {
    if (Number.isFinite(value) && value >= 0 && value <= max) return value;
    this.problem(path, `must be a number from 0 to ${max}`);
    return 0;
  }

  /** A uint64 that arrives as decimal text. */
  bytes(path: string, text: string): number {
    if (/^\d{1,20}$/.test(text) && BigInt(text) <= LARGEST_BYTES) return Number(text);
    this.problem(path, `must be a number of bytes from 0 to ${LARGEST_BYTES}`);
    return 0;
  }

  oneOf<T extends string>(path: string, value: string, known: readonly [T, ...T[]]): T {
    const found = known.find((each) => each === value);
    if (found !== undefined) return found;
    this.problem(path, `must be one of ${known.join(', ')}`);
    return known[0];
  }

  /** At most `max` items; more are a problem and are not looked at. */
  list<A, B>(path: string, items: readonly A[], max: number, read: (item: A, path: string) => B): B[] {
    if (items.length > max) {
      this.problem(path, `must have at most ${max} entries, has ${items.length}`);
      return [];
    }
    return items.map((item, index) => read(item, `${path}[${index}]`));
  }
}
