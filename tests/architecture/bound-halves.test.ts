/** Contracts whose two halves live apart, each bound by one test, so that neither drifts alone. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { OPERATION_IDS } from '@lpmos/api';
import { readTree, ROOT } from './source-tree';

/** Operations that are for machines, or that another one includes. */
const NOT_FOR_PEOPLE = ['getTaskTimeline', 'getHealthz', 'getReadyz', 'getMetrics', 'getOpenapi'];
/** Operations that the client calls by another name. */
const CLIENT_NAMES: Readonly<Record<string, string>> = { streamEvents: 'events' };

it('every REST operation has a command', () => {
  const commands = readTree('packages/cli/src')
    .map(({ text }) => text)
    .join('\n');
  const without = OPERATION_IDS.filter((id) => !NOT_FOR_PEOPLE.includes(id)).filter(
    (id) => !new RegExp(`\\bapi\\.${CLIENT_NAMES[id] ?? id}\\(`).test(commands),
  );
  expect(without).toEqual([]);
});

it('every setting that a program reads is in the documentation', () => {
  const pages = ['configuration', 'cli']
    .map((name) => readFileSync(join(ROOT, 'docs', `${name}.md`), 'utf8'))
    .join('');
  const configs = readTree('packages').filter(
    ({ path }) => path.endsWith('/src/config.ts') && !path.startsWith('packages/runtime/'),
  );
  const names = configs.flatMap(({ text }) =>
    [...text.matchAll(/\benv: '(LPMOS_[A-Z0-9_]+)'/g)].map(([, name]) => name),
  );
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !pages.includes(`\`${name}\``))).toEqual([]);
});

/** Links to files, without those to other sites and to places in the same page. */
function brokenLinks(path: string, text: string): string[] {
  return [...text.matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !existsSync(join(ROOT, dirname(path), target)))
    .map((target) => `${path} links to ${target}`);
}

it('every link between pages leads to a file', () => {
  const pages = [
    ...readTree('docs', '.md'),
    ...readTree('.', '.md').filter(({ path }) => !path.includes('/')),
  ];
  expect(pages.length).toBeGreaterThan(5);
  expect(pages.flatMap(({ path, text }) => brokenLinks(path, text))).toEqual([]);
  expect(brokenLinks('docs/x.md', '[a](nowhere.md#b) [c](https://d.example) [e](../package.json)')).toEqual([
    'docs/x.md links to nowhere.md',
  ]);
});

it('every source file that a page names is there', () => {
  const pages = [
    ...readTree('docs', '.md'),
    ...readTree('.', '.md').filter(({ path }) => !path.includes('/')),
  ];
  const named = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/`(?:packages\/)?([a-z-]+\/src\/[\w./-]+)`/g)].map(([, file = '']) => ({ path, file })),
  );
  expect(named.length).toBeGreaterThan(5);
  const missing = named.filter(({ file }) => !existsSync(join(ROOT, 'packages', file)));
  expect(missing.map(({ path, file }) => `${path} names ${file}`)).toEqual([]);
});
