/** Wrong use of the command line, said as the API says wrong requests: the field, the problem, the fix. */
import { LpmosError } from '@lpmos/core';

/** @param option as the user typed it: `--region`, `TASK`. */
export function invalidOption(option: string, problem: string): LpmosError {
  return new LpmosError({
    code: 'invalid_argument',
    message: `${option} ${problem}`,
    fields: [{ path: option, problem }],
  });
}
