/** Wrong use of the command line, said as the API says wrong requests: the field, the problem, the fix. The field is the option as the user typed it. */
export { invalidField as invalidOption } from '@lpmos/core';
