/** iproute2's `ip` run to its end; what it complains of is thrown. */
import { spawnSync } from 'node:child_process';

const WITHIN_MS = 30_000;

export function ip(args: readonly string[]): void {
  const done = spawnSync('ip', args, { encoding: 'utf8', timeout: WITHIN_MS });
  if (done.status !== 0) throw new Error(`ip ${args.join(' ')}: ${done.stderr}`);
}
