/**
 * From a schema's findings to problems in words: every invalid field at once, each with what to do about it.
 * The rules are the schemas'; this file only tells of them. Values of a request are never echoed, names are cut.
 */
import { LpmosError } from '@lpmos/core';
import type { FieldProblem } from '@lpmos/core';
import { z } from 'zod';
import { dottedPath, MAX_PROBLEMS } from './json-reader';

export type Validation<T> =
  | { readonly kind: 'valid'; readonly value: T }
  | { readonly kind: 'invalid'; readonly problems: readonly FieldProblem[] };

export function validate<S extends z.ZodType>(schema: S, input: unknown): Validation<z.output<S>> {
  const result = schema.safeParse(input);
  if (result.success) return { kind: 'valid', value: result.data };
  const problems = result.error.issues.flatMap((issue) => describeIssue(issue, input, schema));
  return { kind: 'invalid', problems: problems.slice(0, MAX_PROBLEMS) };
}

/** The refusal of a request, with a sentence that stands alone where the list is not shown. */
export function invalidRequest(problems: readonly FieldProblem[]): LpmosError {
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const what = first === undefined ? 'is invalid' : `${first.path || 'the body'} ${first.problem}${more}`;
  return new LpmosError({
    code: 'invalid_argument',
    message: `The request is invalid: ${what}`,
    fields: problems,
  });
}

type Issue = z.core.$ZodIssue;

function describeIssue(issue: Issue, input: unknown, schema: z.ZodType): FieldProblem[] {
  const path = dottedPath(issue.path);
  if (issue.code === 'unrecognized_keys') return unknownFields(issue, schema);
  return [{ path, problem: problemOf(issue, input) }];
}

function unknownFields(issue: z.core.$ZodIssueUnrecognizedKeys, schema: z.ZodType): FieldProblem[] {
  const known = issue.path.length === 0 && schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  const hint = known.length === 0 ? '' : `; the fields are ${known.join(', ')}`;
  return issue.keys.map((key) => ({
    path: dottedPath([...issue.path, key]),
    problem: `is not a field of this request: remove it or correct its spelling${hint}`,
  }));
}

function problemOf(issue: Issue, input: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(issue.expected, valueAt(input, issue.path));
    case 'invalid_value':
      return valueAt(input, issue.path) === undefined
        ? `is required: one of ${issue.values.join(', ')}`
        : `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map((value) => JSON.stringify(value)).join(', ')}`;
    case 'too_big':
      return `must be at most ${issue.maximum}${unitOf(issue.origin)}`;
    case 'too_small':
      return `must be at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'invalid_key':
      return `is no allowed key: ${issue.issues[0] === undefined ? issue.message : problemOf(issue.issues[0], undefined)}`;
    case 'invalid_union':
      return 'is not of an allowed type';
    default:
      return issue.message;
  }
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: 'text in double quotes',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false without quotes',
  array: 'a list',
  object: 'an object',
  record: 'an object',
};

function wrongType(expected: string, value: unknown): string {
  const words = TYPE_WORDS[expected] ?? expected;
  return value === undefined ? `is required: ${words}` : `must be ${words}, not ${kindOf(value)}`;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  const kinds: Readonly<Record<string, string>> = {
    string: 'text',
    number: 'a number',
    boolean: 'a boolean',
    object: 'an object',
  };
  return kinds[typeof value] ?? typeof value;
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters long';
  return origin === 'array' ? ' entries' : '';
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const part of path) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}
