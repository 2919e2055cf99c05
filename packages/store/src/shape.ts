/**
 * Checks that a JSON value has the shape of a document: a handful of combinators, no dependency.
 * A check returns the first problem in words with its path, or undefined. Unknown fields pass and are kept,
 * so that a program of the previous version does not strip what its successor wrote.
 */

export type Check = (value: unknown, path: string) => string | undefined;

/** One check for every field of T, so that a new field cannot be forgotten. */
export type Shape<T> = { readonly [K in keyof Required<T>]: Check };

export const text: Check = (value, path) =>
  typeof value === 'string' ? undefined : `${path} must be a string`;

export const boolean: Check = (value, path) =>
  typeof value === 'boolean' ? undefined : `${path} must be true or false`;

export const amount: Check = (value, path) =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0
    ? undefined
    : `${path} must be a number, zero or more`;

export const count: Check = (value, path) =>
  Number.isSafeInteger(value) && (value as number) >= 0
    ? undefined
    : `${path} must be a whole number, zero or more`;

export const isoInstant: Check = (value, path) =>
  typeof value === 'string' && !Number.isNaN(Date.parse(value))
    ? undefined
    : `${path} must be an ISO 8601 instant`;

export const version1: Check = (value, path) => {
  if (value === 1) return undefined;
  return `${path} must be 1, the only version this program knows; a newer program may have written the value`;
};

export function oneOf(...allowed: readonly string[]): Check {
  return (value, path) =>
    typeof value === 'string' && allowed.includes(value)
      ? undefined
      : `${path} must be one of ${allowed.join(', ')}`;
}

export function matching(rule: string, accepts: (value: string) => boolean): Check {
  return (value, path) =>
    typeof value === 'string' && accepts(value) ? undefined : `${path} must be ${rule}`;
}

export const digest = matching('a sha256 digest', (value) => /^sha256:[0-9a-f]{64}$/.test(value));

export function optional(check: Check): Check {
  return (value, path) => (value === undefined ? undefined : check(value, path));
}

export function listOf(check: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) return `${path} must be a list`;
    for (const [index, item] of value.entries()) {
      const problem = check(item, `${path}[${index}]`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

export const textByName: Check = (value, path) => {
  if (!isPlainObject(value)) return `${path} must be an object`;
  for (const [name, item] of Object.entries(value)) {
    if (typeof item !== 'string') return `${path}.${name} must be a string`;
  }
  return undefined;
};

export function object<T>(shape: Shape<T>): Check {
  const fields = Object.entries<Check>(shape);
  return (value, path) => {
    if (!isPlainObject(value)) return `${path === '' ? 'the value' : path} must be an object`;
    for (const [name, check] of fields) {
      const problem = check(value[name], path === '' ? name : `${path}.${name}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
