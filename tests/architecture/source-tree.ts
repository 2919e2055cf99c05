/** The files of the repository as values, so that every rule is a pure function over {path, text}. Only hand-written code is read. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative, sep } from 'node:path';

export interface SourceFile {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Violation {
  readonly path: string;
  readonly problem: string;
}

export const ROOT = join(__dirname, '../..');

const LEFT_OUT = new Set(['node_modules', 'dist', 'gen', 'coverage']);

/** Every file below `folder` whose name ends as given. */
export function readTree(folder: string, ending = '.ts'): SourceFile[] {
  const top = join(ROOT, folder);
  if (!statSync(top, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(top, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      return LEFT_OUT.has(entry.name) || entry.name.startsWith('.') ? [] : readTree(path, ending);
    }
    if (!entry.isFile() || !entry.name.endsWith(ending)) return [];
    return [
      {
        path: relative(ROOT, join(ROOT, path)).split(sep).join('/'),
        text: readFileSync(join(ROOT, path), 'utf8'),
      },
    ];
  });
}

export function packageNames(): string[] {
  return readdirSync(join(ROOT, 'packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

export function isTestFile(path: string): boolean {
  return (
    path.endsWith('.test.ts') ||
    path.startsWith('tests/') ||
    path.includes('/src/contract/') ||
    path.includes('/src/testing/')
  );
}

/** One line per violation: what jest prints is then the list to work off. */
export function lines(violations: readonly Violation[]): string[] {
  return violations.map(({ path, problem }) => `${path}: ${problem}`);
}
