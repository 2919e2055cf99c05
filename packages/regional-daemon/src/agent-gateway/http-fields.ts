/** The JSON bodies of the agent's HTTP door read field by field: every problem at once, unknown names refused. Pure. */
import { LpmosError } from '@lpmos/core';
import type { FieldProblem } from '@lpmos/core';

type Kind = 'text' | 'percent' | 'object';

interface FieldRule {
  readonly kind: Kind;
  readonly optional?: true;
  /** Characters; a longer text is no statement of an agent of ours. */
  readonly longest?: number;
}

export type FieldRules = Readonly<Record<string, FieldRule>>;

interface Values {
  readonly text: string;
  readonly percent: number;
  readonly object: Readonly<Record<string, unknown>>;
}

export type FieldsOf<R extends FieldRules> = {
  readonly [K in keyof R]: R[K] extends { optional: true }
    ? Values[R[K]['kind']] | undefined
    : Values[R[K]['kind']];
};

const LONGEST_TEXT = 500;

/** @throws LpmosError `invalid_argument` with every field that is wrong. */
export function readFields<const R extends FieldRules>(body: unknown, rules: R): FieldsOf<R> {
  if (!isObject(body)) {
    throw new LpmosError({ code: 'invalid_argument', message: 'The body must be a JSON object' });
  }
  const known = Object.keys(rules);
  const problems: FieldProblem[] = Object.entries(rules).flatMap(([path, rule]) => {
    const problem = problemOf(body, path, rule);
    return problem === undefined ? [] : [{ path, problem }];
  });
  for (const path of Object.keys(body)) {
    if (!known.includes(path)) {
      problems.push({ path: path.slice(0, 60), problem: `is not known; known are ${known.join(', ')}` });
    }
  }
  if (problems.length === 0) return body as FieldsOf<R>;
  throw new LpmosError({
    code: 'invalid_argument',
    message: 'The request has invalid fields',
    fields: problems,
  });
}

function problemOf(
  body: Readonly<Record<string, unknown>>,
  path: string,
  rule: FieldRule,
): string | undefined {
  if (!Object.hasOwn(body, path)) return rule.optional === true ? undefined : 'is required';
  const value = body[path];
  switch (rule.kind) {
    case 'text': {
      const longest = rule.longest ?? LONGEST_TEXT;
      return typeof value === 'string' && value.length <= longest
        ? undefined
        : `must be a text of at most ${longest} characters`;
    }
    case 'percent':
      return typeof value === 'number' && value >= 0 && value <= 100
        ? undefined
        : 'must be a number from 0 to 100';
    case 'object':
      return isObject(value) ? undefined : 'must be a JSON object';
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
