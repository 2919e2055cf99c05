/**
 * Who may import whom. The first table is the drawing in docs/architecture.md; the second keeps each foreign world in one place.
 * Pure: files in, violations out.
 */
import { posix } from 'node:path';
import { importsOf } from './imports';
import type { Import } from './imports';
import { isTestFile } from './source-tree';
import type { SourceFile, Violation } from './source-tree';

/** Package → the packages of ours that it may import. */
export const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  proto: ['core'],
  api: ['core'],
  store: ['core'],
  netboot: ['core'],
  runtime: ['core'],
  'control-plane': ['core', 'api', 'store', 'runtime'],
  'regional-daemon': ['core', 'proto', 'store', 'netboot', 'runtime'],
  'boot-agent': ['core', 'proto', 'runtime'],
  cli: ['core', 'api', 'netboot'],
  simulator: ['core', 'proto', 'netboot', 'runtime'],
};

/** Loaded by the commands that need it, so that help and all other commands start as fast as without it. */
export const LAZY_ARROWS: readonly { readonly start: string; readonly package: string }[] = [
  { start: 'packages/cli/src/main.ts', package: '@lpmos/netboot' },
];

/** What a program loads at its start, the start included: everything that is not behind an `import()`. */
export function eagerFiles(files: readonly SourceFile[], start: string): readonly SourceFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const found = new Map<string, SourceFile>();
  const visit = (path: string): void => {
    const file = byPath.get(path);
    if (file === undefined || found.has(path)) return;
    found.set(path, file);
    for (const { specifier, typeOnly, lazy } of importsOf(file.text)) {
      if (typeOnly || lazy || !specifier.startsWith('.')) continue;
      visit(`${posix.join(posix.dirname(path), specifier)}.ts`);
    }
  };
  visit(start);
  return [...found.values()];
}

export function eagerArrowViolations(files: readonly SourceFile[]): Violation[] {
  return LAZY_ARROWS.flatMap(({ start, package: name }) =>
    eagerFiles(files, start)
      .filter(({ text }) =>
        importsOf(text).some((each) => each.specifier === name && !each.typeOnly && !each.lazy),
      )
      .map(({ path }) => ({
        path,
        problem: `loads ${name} at the start of ${start}; load it where it is used`,
      })),
  );
}

interface Fence {
  readonly specifier: RegExp;
  readonly packages: readonly string[] | 'any';
  /** Files whose business it is; all when absent. */
  readonly files?: RegExp;
  /** Names that are no I/O. */
  readonly harmless?: readonly string[];
  readonly reason: string;
}

/** A file that opens a socket says so in its name. */
const SOCKET_FILE = /(server|socket|client|listener|gateway|proxy|link|session)[^/]*\.ts$/;

export const FENCES: readonly Fence[] = [
  { specifier: /^etcd3($|\/)/, packages: ['store'], reason: 'only store knows etcd' },
  {
    specifier: /^@grpc\/grpc-js$/,
    packages: ['proto', 'regional-daemon', 'boot-agent', 'simulator'],
    reason: 'only proto, regional-daemon, boot-agent and simulator speak gRPC',
  },
  { specifier: /^express($|\/)/, packages: ['control-plane'], reason: 'only control-plane knows express' },
  {
    specifier: /^node:(dgram|net|tls)$/,
    packages: 'any',
    files: SOCKET_FILE,
    harmless: ['isIP', 'isIPv4', 'isIPv6', 'BlockList', 'AddressInfo', 'Socket', 'RemoteInfo'],
    reason: 'only files named for their socket (…server.ts, …socket.ts, …client.ts) open one',
  },
];

export function arrowViolations(files: readonly SourceFile[]): Violation[] {
  return files.flatMap((file) =>
    importsOf(file.text).flatMap((each) => {
      const problem = importProblem(file.path, each);
      return problem === undefined
        ? []
        : [{ path: file.path, problem: `imports ${each.specifier}: ${problem}` }];
    }),
  );
}

function importProblem(path: string, each: Import): string | undefined {
  const [, owner] = /^packages\/([^/]+)\/src\//.exec(path) ?? [];
  if (owner === undefined) return undefined;
  const allowed = ARROWS[owner];
  if (allowed === undefined) return `package ${owner} is not in the table of arrows`;
  if (each.specifier.startsWith('.')) return relativeProblem(path, owner, each.specifier);
  if (each.specifier.startsWith('@lpmos/')) return oursProblem(path, each.specifier, allowed);
  if (owner === 'core' && !isTestFile(path)) return 'core imports nothing';
  return fenceProblem(path, owner, each);
}

function relativeProblem(path: string, owner: string, specifier: string): string | undefined {
  const target = posix.join(posix.dirname(path), specifier);
  if (target === `packages/${owner}/package.json`) return undefined;
  if (!target.startsWith(`packages/${owner}/src`)) return 'a relative import stays inside its package';
  return /\.(js|ts|mjs|cjs)$/.test(specifier) ? 'imports of ours carry no file extension' : undefined;
}

/** Contract suites and test data: surfaces of their own, for tests alone. */
const TEST_SURFACES = ['contract', 'testing'];

function oursProblem(path: string, specifier: string, allowed: readonly string[]): string | undefined {
  const [, name = '', rest] = specifier.split('/');
  if (rest !== undefined && !(isTestFile(path) && TEST_SURFACES.includes(rest))) {
    return 'import a package by its name alone';
  }
  return allowed.includes(name)
    ? undefined
    : `the arrow does not exist; allowed: ${allowed.join(', ') || 'none'}`;
}

function fenceProblem(path: string, owner: string, each: Import): string | undefined {
  const fence = FENCES.find(({ specifier }) => specifier.test(each.specifier));
  if (fence === undefined || (isTestFile(path) && fence.files !== undefined)) return undefined;
  if (fence.packages !== 'any' && !fence.packages.includes(owner)) return fence.reason;
  if (fence.files === undefined || fence.files.test(path) || each.typeOnly) return undefined;
  const harmless = each.names.length > 0 && each.names.every((name) => fence.harmless?.includes(name));
  return harmless ? undefined : fence.reason;
}

/** Foreign packages that a package uses without declaring them: they would be missing once it is installed alone. */
export function undeclaredDependencies(
  files: readonly SourceFile[],
  declared: (packageName: string) => ReadonlySet<string>,
): Violation[] {
  return files.flatMap(({ path, text }) => {
    const [, owner] = /^packages\/([^/]+)\/src\//.exec(path) ?? [];
    if (owner === undefined || isTestFile(path)) return [];
    return importsOf(text)
      .map(({ specifier }) => dependencyName(specifier))
      .filter((name): name is string => name !== undefined && !declared(owner).has(name))
      .map((name) => ({ path, problem: `uses ${name}, which packages/${owner}/package.json does not name` }));
  });
}

function dependencyName(specifier: string): string | undefined {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return undefined;
  const parts = specifier.split('/');
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0];
}
