/** What every hand-written file must be: small, named for its one idea, introduced by a comment. Pure. */
import { isTestFile } from './source-tree';
import type { SourceFile, Violation } from './source-tree';

/** One screen more than lint's 300 lines of code, for comments and blank lines. */
export const MOST_LINES = 320;
/** A test file is a list of cases; it may be longer before it is two ideas. */
export const MOST_TEST_LINES = 600;

export function tooLong(files: readonly SourceFile[]): Violation[] {
  return files.flatMap(({ path, text }) => {
    const limit = isTestFile(path) ? MOST_TEST_LINES : MOST_LINES;
    const count = text.split('\n').length - 1;
    return count > limit ? [{ path, problem: `${count} lines; more than ${limit} are two ideas` }] : [];
  });
}

/** Names that say nothing about what is inside. */
const EMPTY_NAMES = [
  'util',
  'utils',
  'helper',
  'helpers',
  'common',
  'manager',
  'managers',
  'base',
  'impl',
  'misc',
];

export function badNames(files: readonly SourceFile[]): Violation[] {
  return files.flatMap(({ path }) => {
    const words = path.replace(/\.(?:test\.)?[a-z]+$/, '').split(/[/.-]/);
    const empty = words.filter((word) => EMPTY_NAMES.includes(word.toLowerCase()));
    const problems = empty.map((word) => `"${word}" says nothing; name it for the one thing inside`);
    const name = path.split('/').at(-1) ?? '';
    if (!/^[a-z0-9]+(?:[.-][a-z0-9]+)*\.[a-z]+$/.test(name)) problems.push('file names are kebab-case');
    return problems.map((problem) => ({ path, problem }));
  });
}

/** A file that only re-exports needs no introduction; its package does, in docs/architecture.md. */
const REEXPORTS_ONLY = /^(?:\s*export\s+(?:type\s+)?(?:\*|\{[^}]*\})(?:\s+from\s+'[^']+')?;)*\s*$/;

export function withoutHeader(files: readonly SourceFile[]): Violation[] {
  return files
    .filter(({ path, text }) => !isTestFile(path) && !REEXPORTS_ONLY.test(text))
    .filter(({ text }) => !/^(?:#![^\n]*\n)?\s*\/\*\*[\s\S]{20,}?\*\//.test(text))
    .map(({ path }) => ({ path, problem: 'begins without a comment that says what it is responsible for' }));
}

/** The one place that may skip a test: it prints the reason. */
export const SKIP_WITH_REASON = 'tests/integration/harness/it-when.ts';
const SKIPPED =
  /\b(?:it|test|describe)(?:\.concurrent|\.failing)?\.(?:skip|only|todo)\b|(?:^|[^.\w])(?:xit|xtest|xdescribe|fit|fdescribe)\s*[.(]/;

export function skippedTests(files: readonly SourceFile[]): Violation[] {
  return files
    .filter(({ path }) => isTestFile(path) && path !== SKIP_WITH_REASON)
    .flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => {
        // A rule's own cases are strings; a real skip is code.
        const code = line.replace(/'[^']*'|"[^"]*"|`[^`]*`|\/\/.*$/g, '');
        const problem = `line ${index + 1} skips or singles out a test; use itWhen of ${SKIP_WITH_REASON}`;
        return SKIPPED.test(code) ? [{ path, problem }] : [];
      }),
    );
}

export function readsEnvironment(files: readonly SourceFile[]): Violation[] {
  return files
    .filter(({ path }) => path.startsWith('packages/') && !isTestFile(path) && !path.endsWith('/config.ts'))
    .filter(({ text }) => /\bprocess\s*\.\s*env\b/.test(text.replace(/^\s*(?:\*|\/\/|\/\*).*$/gm, '')))
    .map(({ path }) => ({ path, problem: 'reads process.env; only files named config.ts do' }));
}
