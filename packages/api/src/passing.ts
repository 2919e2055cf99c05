/** Which failures pass by themselves, so that a reader that watches asks again. Refusals of the request itself are none of them. */
import type { ErrorCode, LpmosError } from '@lpmos/core';

const PASSING: ReadonlySet<ErrorCode> = new Set([
  'unavailable',
  'deadline_exceeded',
  'rate_limited',
  'outcome_unknown',
]);

export function isPassing({ code }: LpmosError): boolean {
  return PASSING.has(code);
}
