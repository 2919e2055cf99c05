/** Every registered conformance rule has a test that names it, and no test names a rule that is not registered. */
import { RULE_CHAPTERS } from '../conformance/rules';
import { rulesInTitles } from './rule-titles';
import { readTree } from './source-tree';

const files = ['packages', 'tests'].flatMap((folder) => readTree(folder));
const titles = rulesInTitles(files);
const rules = RULE_CHAPTERS.flatMap((chapter) => chapter.rules);
const ids = rules.map(({ id }) => id);
/** Letters of the registries that exist; a title of another one cannot be checked yet. */
const letters = new Set(ids.map((id) => id.replace(/\d+$/, '')));

it('each rule has an id of its own and words', () => {
  expect(ids.length).toBeGreaterThan(40);
  expect(new Set(ids).size).toBe(ids.length);
  const empty = rules.filter(
    ({ rule, specification, clients }) => !rule || !specification || clients.length === 0,
  );
  expect(empty).toEqual([]);
});

it('each rule has a test that names it in its title', () => {
  expect(ids.filter((id) => !titles.has(id))).toEqual([]);
});

it('no test names a rule that is not registered', () => {
  const known = [...titles.keys()].filter((id) => letters.has(id.replace(/\d+$/, '')));
  expect(known.filter((id) => !ids.includes(id))).toEqual([]);
});

it.each<[string, readonly string[]]>([
  ["it('TF4: sends once', () => {})", ['TF4']],
  ["it('TF4, IP2: sends once', () => {})", ['TF4', 'IP2']],
  ["test.each(X)('H7: of %i', () => {})", ['H7']],
  ["it('reads features (IP2)', () => {})", ['IP2']],
  ['  `X3: answers ${port}`', ['X3']],
  ["it('TF4 sends once', () => {})", []],
  ["it('HTTP1: x', () => {})", []],
  ["it('TF0: x', () => {})", []],
])('reads the titles of %s', (text, expected) => {
  expect([...rulesInTitles([{ path: 'tests/x.test.ts', text }]).keys()]).toEqual(expected);
});
