/** Where a figure comes from: commit, date, machine, load. A figure without these is a rumour. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

export const ROOT = join(__dirname, '..', '..', '..');

export interface Provenance {
  readonly commit: string;
  readonly date: string;
  readonly machine: string;
  readonly loadBefore: string;
  readonly loadAfter: string;
}

/** @returns a function to be called after the measurement */
export function beginProvenance(): () => Provenance {
  const loadBefore = load();
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  return () => ({ commit: commit(), date: `${date} UTC`, machine: machine(), loadBefore, loadAfter: load() });
}

function load(): string {
  return (loadavg()[0] ?? 0).toFixed(1);
}

function git(...args: string[]): string {
  return execFileSync('git', ['-C', ROOT, ...args], { encoding: 'utf8' }).trim();
}

/** "+" when a source differs from the commit: the figure then belongs to no commit. */
function commit(): string {
  const changed = git('status', '--porcelain', '--', 'packages', 'scripts', 'proto');
  return git('rev-parse', '--short', 'HEAD') + (changed === '' ? '' : '+');
}

function machine(): string {
  const cores = cpus();
  const model = cores[0]?.model.replace(/\s+/g, ' ').trim() ?? 'unknown processor';
  const gibibytes = Math.round(totalmem() / 1024 ** 3);
  return `${cores.length} cores of ${model}, ${gibibytes} GiB, Linux ${release()}, Node ${process.versions.node}`;
}
