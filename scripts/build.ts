/**
 * Bundles every program into one CommonJS file under dist/bin: one file to copy, and a start that reads one file instead of hundreds.
 * Run by hand (`pnpm run build`) and by the quickstart and the process tests, which import `buildPrograms`.
 */
import { cp, mkdir, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const ROOT = join(__dirname, '..');
const DIST = join(ROOT, 'dist');

/** Program → the package whose src/main.ts it is. */
export const PROGRAMS = {
  lpmos: 'cli',
  'lpmos-control-plane': 'control-plane',
  'lpmos-regional-daemon': 'regional-daemon',
  'lpmos-boot-agent': 'boot-agent',
  'lpmos-simulator': 'simulator',
} as const;

export type ProgramName = keyof typeof PROGRAMS;

export function programPath(name: ProgramName, dist = DIST): string {
  return join(dist, 'bin', `${name}.cjs`);
}

/** Builds all programs; takes about a second. @param dist a folder of its own for who must not disturb others @returns sizes in bytes */
export async function buildPrograms(dist = DIST): Promise<Record<ProgramName, number>> {
  await rm(dist, { recursive: true, force: true });
  await mkdir(join(dist, 'bin'), { recursive: true });
  const names = Object.keys(PROGRAMS) as ProgramName[];
  await Promise.all(names.map((name) => bundle(name, dist)));
  await copyEtcdProtocol(dist);
  const sizes = await Promise.all(
    names.map(async (name) => [name, (await stat(programPath(name, dist))).size] as const),
  );
  return Object.fromEntries(sizes) as Record<ProgramName, number>;
}

async function bundle(name: ProgramName, dist: string): Promise<void> {
  await build({
    entryPoints: [join(ROOT, 'packages', PROGRAMS[name], 'src', 'main.ts')],
    outfile: programPath(name, dist),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    minifySyntax: true,
    legalComments: 'none',
    logLevel: 'error',
    banner: { js: '#!/usr/bin/env node' },
  });
}

/** The etcd client reads its .proto files at start from ../proto beside its own folder, which a bundle must keep. */
async function copyEtcdProtocol(dist: string): Promise<void> {
  const fromStore = createRequire(join(ROOT, 'packages', 'store', 'package.json'));
  const proto = join(dirname(fromStore.resolve('etcd3/package.json')), 'proto');
  await cp(proto, join(dist, 'proto'), { recursive: true });
}

if (require.main === module) {
  void buildPrograms().then((sizes) => {
    for (const [name, bytes] of Object.entries(sizes)) {
      process.stdout.write(`${name.padEnd(24)} ${(bytes / 1024).toFixed(0).padStart(6)} KiB\n`);
    }
  });
}
