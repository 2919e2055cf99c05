/** Anything thrown on the way to an LpmosError: our own stay, express's own refusals of a URL are named, the rest is internal. */
import { LpmosError } from '@lpmos/core';

export function toPublicError(thrown: unknown): LpmosError {
  if (thrown instanceof LpmosError) return thrown;
  if (thrown instanceof URIError || statusOf(thrown) === 400) {
    const problem = 'holds a percent sign that is not followed by two hex digits of valid UTF-8';
    return new LpmosError({
      code: 'invalid_argument',
      message: `The path ${problem}`,
      fields: [{ path: 'path', problem }],
      cause: thrown,
    });
  }
  return LpmosError.from(thrown);
}

function statusOf(thrown: unknown): unknown {
  return typeof thrown === 'object' && thrown !== null && 'status' in thrown ? thrown.status : undefined;
}
