/**
 * The Node runtime of the ramdisk: the very program that runs this build, stripped of its symbols, with exactly the
 * shared libraries that the dynamic loader names for it.
 * Invariant: the agent runs on the Node version that its tests ran on.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../run-command';
import type { CpioEntry } from '@lpmos/netboot';

/** Paths in the output of ldd: `name => /path (0x…)`, or `/path (0x…)` for the loader itself. */
export function parseLdd(output: string): string[] {
  const paths: string[] = [];
  for (const line of output.split('\n')) {
    if (line.includes('not found')) throw new Error(`node needs a library that is not here: ${line.trim()}`);
    const path = /(?:=>\s+|^\s*)(\/\S+)\s+\(0x/.exec(line)?.[1];
    if (path !== undefined) paths.push(path);
  }
  return paths;
}

/** /usr/lib and /lib are one folder on Debian; the loader's search path in the ramdisk is the plain one. */
function ramdiskPath(path: string): string {
  return path.replace(/^\/usr\//, '/').slice(1);
}

export async function collectNodeRuntime(nodePath: string, workDir: string): Promise<CpioEntry[]> {
  const stripped = join(workDir, 'node');
  await runCommand('strip', ['-o', stripped, nodePath]);
  const entries: CpioEntry[] = [
    { kind: 'file', name: 'bin/node', mode: 0o755, content: await readFile(stripped) },
  ];
  for (const path of parseLdd(await runCommand('ldd', [nodePath]))) {
    entries.push({ kind: 'file', name: ramdiskPath(path), mode: 0o755, content: await readFile(path) });
  }
  return entries;
}
