/** Lint carries part of the architecture: each such rule sees a planted violation, and sees none where the thing is allowed. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './source-tree';

// Paths of files that exist, for typed rules know only the files of the project.
const CORE = 'packages/core/src/region.ts';
const CLI = 'packages/cli/src/tag.ts';
const CONFIG = 'packages/cli/src/config.ts';
const TEST = 'packages/cli/src/duration.test.ts';

const CASES: readonly (readonly [string, string, string | undefined])[] = [
  [CORE, 'export const a = Date.now();', 'no-restricted-syntax'],
  [CORE, 'export const a = new Date();', 'no-restricted-syntax'],
  [CORE, 'export const a = new Date(5);', undefined],
  [CORE, 'export const a = Math.random();', 'no-restricted-syntax'],
  [CORE, 'export const a = (f: () => void) => setTimeout(f, 1);', 'no-restricted-syntax'],
  [CLI, 'export const a = Date.now();', undefined],
  [CLI, "export const a = process.env['A'];", 'no-restricted-syntax'],
  [CONFIG, "export const a = process.env['A'];", undefined],
  [CLI, 'export default function a(): void {}', 'no-restricted-syntax'],
  [
    CLI,
    'export const a = (f: () => Promise<void>): void => { f(); };',
    '@typescript-eslint/no-floating-promises',
  ],
  [
    CLI,
    "import { TASK_STATUSES } from '@lpmos/core';\nexport type A = typeof TASK_STATUSES;",
    '@typescript-eslint/consistent-type-imports',
  ],
  [
    CLI,
    "export const a = (x: 'p' | 'q'): number => { switch (x) { case 'p': return 1; } return 2; };",
    '@typescript-eslint/switch-exhaustiveness-check',
  ],
  [
    CLI,
    "export { createApiClient } from '@lpmos/api/client';\nimport '@lpmos/api/client';",
    'no-restricted-imports',
  ],
  [CLI, "import '@lpmos/core/testing';", 'no-restricted-imports'],
  [TEST, "import '@lpmos/core/testing';", undefined],
  [CLI, "import '../../packages/api/src/client';", 'no-restricted-imports'],
  [CLI, `export const a = 1;\n${'void a;\n'.repeat(301)}`, 'max-lines'],
  [CLI, `export function a(): void {\n${'  void 0;\n'.repeat(81)}}`, 'max-lines-per-function'],
];

const found = JSON.parse(
  execFileSync(process.execPath, [join(__dirname, 'lint-text.mjs')], {
    cwd: ROOT,
    timeout: 60_000,
    encoding: 'utf8',
    input: JSON.stringify(CASES.map(([filePath, text]) => ({ filePath: join(ROOT, filePath), text }))),
  }),
) as string[][];

it.each(CASES.map(([path, text, rule], index) => [path, text.slice(0, 60), rule, found[index]] as const))(
  '%s: %s -> %s',
  (_path, _text, rule, rules) => {
    if (rule === undefined) expect(rules).toEqual([]);
    else expect(rules).toContain(rule);
  },
);
