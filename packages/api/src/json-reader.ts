/**
 * A JSON reader for requests from outside: RFC 8259, stricter than JSON.parse where leniency hides a mistake or an attack.
 * Duplicate keys, `__proto__`, lone surrogates and nesting beyond a limit are problems with a path; all of them are listed.
 * Objects have no prototype, so that no key of a request can mean anything but itself. Time is linear in the text.
 */
import type { FieldProblem } from '@lpmos/core';

/** Deeper than any document of the contract (a hardware report nests 5 deep), far from the end of the stack. */
export const MAX_JSON_DEPTH = 32;
/** A list that is longer than this helps nobody and would let a request amplify itself. */
export const MAX_PROBLEMS = 50;

export type JsonReading =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'problems'; readonly problems: readonly FieldProblem[] };

export function readJson(text: string, options: { readonly maxDepth?: number } = {}): JsonReading {
  const reader: Reader = { text, at: 0, problems: [], maxDepth: options.maxDepth ?? MAX_JSON_DEPTH };
  try {
    const value = readValue(reader, [], 0);
    skipSpace(reader);
    if (reader.at < text.length) throw new Malformed('unexpected text after the value');
    if (reader.problems.length > 0) return { kind: 'problems', problems: reader.problems };
    return { kind: 'value', value };
  } catch (thrown) {
    if (!(thrown instanceof Malformed)) throw thrown;
    const problem = `is not valid JSON at ${position(reader)}: ${thrown.message}`;
    return { kind: 'problems', problems: [...reader.problems, { path: '', problem }] };
  }
}

interface Reader {
  readonly text: string;
  at: number;
  readonly problems: FieldProblem[];
  readonly maxDepth: number;
}

class Malformed extends Error {}

type Path = readonly (string | number)[];

function readValue(reader: Reader, path: Path, depth: number): unknown {
  if (depth > reader.maxDepth) throw new Malformed(`nested deeper than ${reader.maxDepth} levels`);
  skipSpace(reader);
  const next = reader.text[reader.at];
  if (next === '{') return readObject(reader, path, depth);
  if (next === '[') return readArray(reader, path, depth);
  if (next === '"') return readText(reader, path);
  return readScalar(reader);
}

function readObject(reader: Reader, path: Path, depth: number): Record<string, unknown> {
  const object = Object.create(null) as Record<string, unknown>;
  reader.at += 1;
  skipSpace(reader);
  if (take(reader, '}')) return object;
  for (;;) {
    skipSpace(reader);
    if (reader.text[reader.at] !== '"') throw new Malformed('expected a key in double quotes');
    const key = readText(reader, path);
    skipSpace(reader);
    if (!take(reader, ':')) throw new Malformed('expected ":" after a key');
    const value = readValue(reader, [...path, key], depth + 1);
    if (key === '__proto__') note(reader, [...path, key], 'is not allowed as a key');
    else if (key in object) note(reader, [...path, key], 'is given more than once; keep one');
    else object[key] = value;
    skipSpace(reader);
    if (take(reader, '}')) return object;
    if (!take(reader, ',')) throw new Malformed('expected "," or "}"');
  }
}

function readArray(reader: Reader, path: Path, depth: number): unknown[] {
  const items: unknown[] = [];
  reader.at += 1;
  skipSpace(reader);
  if (take(reader, ']')) return items;
  for (;;) {
    items.push(readValue(reader, [...path, items.length], depth + 1));
    skipSpace(reader);
    if (take(reader, ']')) return items;
    if (!take(reader, ',')) throw new Malformed('expected "," or "]"');
  }
}

const STRING = /"(?:[^"\\\u0000-\u001f]|\\.)*"/y;
const LONE_SURROGATE = /\p{Surrogate}/u;

function readText(reader: Reader, path: Path): string {
  const raw = match(reader, STRING);
  if (raw === undefined) throw new Malformed('a text is not closed or holds a raw control character');
  const value = parsePrimitive(raw) as string;
  if (LONE_SURROGATE.test(value)) note(reader, path, 'holds half of a surrogate pair, which is no character');
  return value;
}

const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

function readScalar(reader: Reader): unknown {
  const raw = match(reader, SCALAR);
  if (raw === undefined) {
    throw new Malformed(reader.at >= reader.text.length ? 'it ends too early' : 'expected a value');
  }
  const value = parsePrimitive(raw);
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Malformed('a number is out of range');
  return value;
}

function parsePrimitive(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    throw new Malformed('a text holds an escape that JSON does not have');
  }
}

function match(reader: Reader, pattern: RegExp): string | undefined {
  pattern.lastIndex = reader.at;
  const found = pattern.exec(reader.text)?.[0];
  if (found !== undefined) reader.at += found.length;
  return found;
}

const SPACE = /[ \t\r\n]*/y;

function skipSpace(reader: Reader): void {
  match(reader, SPACE);
}

function take(reader: Reader, character: string): boolean {
  if (reader.text[reader.at] !== character) return false;
  reader.at += 1;
  return true;
}

function note(reader: Reader, path: Path, problem: string): void {
  if (reader.problems.length < MAX_PROBLEMS) reader.problems.push({ path: dottedPath(path), problem });
}

function position(reader: Reader): string {
  const before = reader.text.slice(0, reader.at).split('\n');
  return `line ${before.length}, column ${(before.at(-1)?.length ?? 0) + 1}`;
}

/** Names come from the request: cut and stripped of control characters before they are echoed. */
const LONGEST_NAME = 64;

export function dottedPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) => {
      const name = String(part).replace(/\p{C}/gu, '?');
      return name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME)}…` : name;
    })
    .join('.');
}
