/** The arrows of the house, and proof that the rule sees each kind of broken one. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ARROWS, arrowViolations, eagerArrowViolations, eagerFiles, undeclaredDependencies } from './arrows';
import { importsOf } from './imports';
import { lines, packageNames, readTree, ROOT } from './source-tree';

const files = readTree('packages');

function declared(name: string): ReadonlySet<string> {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'packages', name, 'package.json'), 'utf8')) as Record<
    string,
    Record<string, string> | undefined
  >;
  return new Set(Object.keys({ ...manifest['dependencies'], ...manifest['devDependencies'] }));
}

describe('the repository', () => {
  it('has an entry in the table for every package and none for another', () => {
    expect(Object.keys(ARROWS).sort()).toEqual(packageNames().sort());
  });

  it('has no broken arrow', () => {
    expect(files.length).toBeGreaterThan(50);
    expect(lines(arrowViolations(files))).toEqual([]);
  });

  it('loads the boot servers into the command line only where a command needs them', () => {
    expect(eagerFiles(files, 'packages/cli/src/main.ts').length).toBeGreaterThan(5);
    expect(lines(eagerArrowViolations(files))).toEqual([]);
    const planted = {
      path: 'packages/cli/src/exit-codes.ts',
      text: "import { OPTION } from '@lpmos/netboot';",
    };
    const others = files.filter(({ path }) => path !== planted.path);
    expect(eagerArrowViolations([...others, planted]).map(({ path }) => path)).toEqual([planted.path]);
  });

  it('declares every dependency where it is used', () => {
    expect(lines(undeclaredDependencies(files, declared))).toEqual([]);
  });

  it('has a table without cycles', () => {
    const depth = (name: string, path: readonly string[]): number => {
      if (path.includes(name)) throw new Error(`cycle: ${[...path, name].join(' -> ')}`);
      return 1 + Math.max(0, ...(ARROWS[name] ?? []).map((next) => depth(next, [...path, name])));
    };
    for (const name of Object.keys(ARROWS)) expect(depth(name, [])).toBeGreaterThan(0);
  });
});

describe('a planted violation is found', () => {
  it.each([
    ['packages/core/src/x.ts', "import { readFile } from 'node:fs';", 'core imports nothing'],
    ['packages/core/src/x.ts', "import { z } from 'zod';", 'core imports nothing'],
    ['packages/cli/src/x.ts', "import { createEtcdKv } from '@lpmos/store';", 'the arrow does not exist'],
    ['packages/cli/src/x.ts', "import type { Kv } from '@lpmos/store';", 'the arrow does not exist'],
    ['packages/cli/src/x.ts', "export * from '@lpmos/store';", 'the arrow does not exist'],
    ['packages/cli/src/x.ts', "const x = await import('@lpmos/store');", 'the arrow does not exist'],
    ['packages/cli/src/x.ts', "import {\n  a,\n  b,\n} from '@lpmos/runtime';", 'the arrow does not exist'],
    ['packages/control-plane/src/x.ts', "import { k } from '@lpmos/store/keys';", 'by its name alone'],
    ['packages/cli/src/x.ts', "import { EXAMPLE } from '@lpmos/core/testing';", 'by its name alone'],
    ['packages/control-plane/src/x.ts', "import { k } from '../../store/src/keys';", 'stays inside'],
    ['packages/control-plane/src/x.ts', "import { k } from './y.js';", 'no file extension'],
    ['packages/control-plane/src/x.ts', "import { Etcd3 } from 'etcd3';", 'only store'],
    ['packages/control-plane/src/x.test.ts', "import { Etcd3 } from 'etcd3';", 'only store'],
    ['packages/store/src/x.ts', "import { credentials } from '@grpc/grpc-js';", 'speak gRPC'],
    ['packages/regional-daemon/src/x.ts', "import express from 'express';", 'only control-plane'],
    [
      'packages/netboot/src/dhcp/respond.ts',
      "import { createSocket } from 'node:dgram';",
      'named for their socket',
    ],
    ['packages/netboot/src/dhcp/respond.ts', "import { isIPv4, createServer } from 'node:net';", 'named for'],
    ['packages/surprise/src/x.ts', "import { x } from '@lpmos/core';", 'not in the table'],
  ])('%s: %s', (path, text, problem) => {
    const found = arrowViolations([{ path, text }]);
    expect(found).toHaveLength(1);
    expect(found[0]?.problem).toContain(problem);
  });

  it.each([
    ['packages/netboot/src/udp-socket.ts', "import { createSocket } from 'node:dgram';"],
    ['packages/netboot/src/dhcp/respond.ts', "import { isIPv4 } from 'node:net';"],
    ['packages/cli/src/x.ts', "/**\n * import { x } from '@lpmos/store';\n */\nexport const y = 1;"],
    ['packages/control-plane/src/memory.test.ts', "import { suite } from '@lpmos/store/contract';"],
    ['packages/cli/src/x.test.ts', "import { EXAMPLE } from '@lpmos/core/testing';"],
    ['packages/cli/src/x.ts', "import p from '../package.json';"],
  ])('but not in %s: %s', (path, text) => {
    expect(arrowViolations([{ path, text }])).toEqual([]);
  });

  it('an undeclared dependency', () => {
    const text = "import x from '@scope/left/deep';\nimport y from 'known';\nimport z from 'node:fs';";
    const found = undeclaredDependencies([{ path: 'packages/cli/src/x.ts', text }], () => new Set(['known']));
    expect(found.map(({ problem }) => problem)).toEqual([expect.stringContaining('@scope/left,')]);
  });
});

it('reads every form of import', () => {
  const text = `
import a from 'one';
import { b, type C, d as e } from "two";
import type { F } from 'three';
import 'four';
export { g } from 'five';
const h = require('six');
void import('seven');
`;
  expect(
    importsOf(text)
      .map(({ specifier }) => specifier)
      .sort(),
  ).toEqual(['one', 'two', 'three', 'four', 'five', 'six', 'seven'].sort());
  expect(importsOf(text).find(({ specifier }) => specifier === 'two')?.names).toEqual(['b', 'C', 'd']);
  expect(importsOf(text).find(({ specifier }) => specifier === 'three')?.typeOnly).toBe(true);
});
