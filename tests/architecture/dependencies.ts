/** What is installed: read once from the package store, judged by pure functions. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { satisfies } from './node-range';
import { packageNames, ROOT } from './source-tree';
import type { Violation } from './source-tree';

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly engines?: { readonly node?: string } | readonly string[];
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as Manifest;
}

/** Every package in the store of pnpm, direct or not. */
export function installedManifests(): Manifest[] {
  const store = 'node_modules/.pnpm';
  return readdirSync(join(ROOT, store)).flatMap((entry) => {
    // name@version or @scope+name@version, with peers after an underscore or in brackets.
    const name = /^(@[^+]+\+)?[^@]+/.exec(entry)?.[0].replace('+', '/') ?? '';
    const folder = join(store, entry, 'node_modules', name);
    return existsSync(join(ROOT, folder, 'package.json')) ? [readManifest(folder)] : [];
  });
}

/** Names that our own manifests ask for, without our own packages. */
export function directDependencies(): string[] {
  const folders = ['.', ...packageNames().map((name) => `packages/${name}`)];
  const names = folders.flatMap((folder) => {
    const { dependencies, devDependencies } = readManifest(folder);
    return Object.keys({ ...dependencies, ...devDependencies });
  });
  return [...new Set(names)].filter((name) => !name.startsWith('@lpmos/')).sort();
}

/** Packages that do not promise to run on every one of these Node versions. */
export function excludedEngines(manifests: readonly Manifest[], nodes: readonly string[]): Violation[] {
  return manifests.flatMap(({ name, version, engines }) => {
    const range = engines !== undefined && 'node' in engines ? engines.node : undefined;
    if (range === undefined) return [];
    return nodes
      .filter((node) => !satisfies(node, range))
      .map((node) => ({ path: `${name}@${version}`, problem: `wants Node ${range}, not ${node}` }));
  });
}

/** Each dependency must have its line, `- \`name\` — why`, in CONTRIBUTING.md. */
export function unexplained(dependencies: readonly string[], contributing: string): Violation[] {
  return dependencies
    .filter(
      (name) => !contributing.split('\n').some((line) => /^[-|]/.test(line) && line.includes(`\`${name}\``)),
    )
    .map((name) => ({ path: name, problem: 'has no line in CONTRIBUTING.md that says why it is here' }));
}
