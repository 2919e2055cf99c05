/**
 * Which conformance rules the titles of the tests name. A title begins with the rules that it proves (`TF4: …`, `IP1, IP2: …`) or has
 * one in parentheses (`… (IP2)`). Pure: files in, rules and files out.
 */
import type { SourceFile } from './source-tree';

/** The registries' letters; a title such as `HTTP/1.1: …` or `SHA256: …` names no rule. */
const ID = '(?:D|RL|P|X|IP|TF|H)[1-9]\\d?';
const TITLE = new RegExp(`(['"\`])(${ID}(?:, ${ID})*): |\\((${ID}(?:, ${ID})*)\\)[^'"\`\\n]*['"\`], `, 'g');

/** @returns rule id → paths of the test files that name it, both in order. */
export function rulesInTitles(files: readonly SourceFile[]): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { path, text } of files) {
    if (!path.endsWith('.test.ts')) continue;
    for (const [, , leading, bracketed] of text.matchAll(TITLE)) {
      for (const id of (leading ?? bracketed ?? '').split(', ')) {
        const paths = found.get(id) ?? [];
        if (!paths.includes(path)) found.set(id, [...paths, path].sort());
      }
    }
  }
  return found;
}
