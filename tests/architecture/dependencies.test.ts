/** Dependencies: each argued for, none that excludes a Node we promise. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  directDependencies,
  excludedEngines,
  installedManifests,
  readManifest,
  unexplained,
} from './dependencies';
import { satisfies } from './node-range';
import { lines, ROOT } from './source-tree';

/** Both ends of what package.json promises: `>=20.19 <21`. */
const NODES = ['20.19.0', '20.99.0'];

it('the promise in package.json is the one that is tested here', () => {
  const { engines } = readManifest('.');
  const range = engines !== undefined && 'node' in engines ? (engines.node ?? '') : '';
  expect([...NODES, '20.18.9', '21.0.0'].map((node) => satisfies(node, range))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});

it('no installed package excludes a Node that is promised', () => {
  const manifests = installedManifests();
  expect(manifests.length).toBeGreaterThan(100);
  expect(lines(excludedEngines(manifests, NODES))).toEqual([]);
});

it('every dependency has a line in CONTRIBUTING.md', () => {
  const dependencies = directDependencies();
  expect(dependencies).toContain('commander');
  expect(lines(unexplained(dependencies, readFileSync(join(ROOT, 'CONTRIBUTING.md'), 'utf8')))).toEqual([]);
});

it('a planted engine and a planted dependency are found', () => {
  const planted = [{ name: 'x', version: '1.0.0', engines: { node: '>=22' } }];
  expect(excludedEngines(planted, NODES)).toHaveLength(2);
  expect(unexplained(['left-pad'], 'we love left-pad\n- `right-pad` — why')).toHaveLength(1);
  expect(unexplained(['left-pad'], '- `left-pad` — why')).toEqual([]);
});

describe('satisfies', () => {
  it.each([
    ['20.19.0', '>=18', true],
    ['20.19.0', '>= 0.8', true],
    ['20.19.0', '*', true],
    ['20.19.0', '', true],
    ['20.19.0', '18 || 20 || >=22', true],
    ['21.0.0', '18 || 20 || >=22', false],
    ['20.19.0', '^18.18.0 || ^20.9.0 || >=21.1.0', true],
    ['20.8.0', '^18.18.0 || ^20.9.0 || >=21.1.0', false],
    ['20.19.0', '^20.19.0 || ^22.13.0 || >=24', true],
    ['20.19.0', '>=20.20', false],
    ['20.19.0', '>=14.x <21', true],
    ['20.19.0', '~20.18.0', false],
    ['20.19.0', '18.x', false],
    ['20.19.0', '18 - 20', true],
    ['21.0.0', '18 - 20', false],
    ['20.19.0', '>20', false],
    ['20.19.0', '<=20', true],
  ])('%s in %s is %s', (version, range, expected) => {
    expect(satisfies(version, range)).toBe(expected);
  });

  it('refuses to guess', () => {
    expect(() => satisfies('20.19.0', 'lts/*')).toThrow('cannot read');
  });
});
