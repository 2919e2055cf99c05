/**
 * A lab wire that loses frames: the kernel's packet filter drops a share of all that passes the lab's bridges, each way by itself, so that a
 * request and its answer are lost independently. Not responsible for who is on the wire. Ends with the lab's network namespace.
 */
import { runCommand } from '../run-command';

/** From machines to the region's own services, from them to machines, and between two ports of a bridge. */
const HOOKS = ['input', 'output', 'forward'] as const;

function frameLossRules(percent: number): string {
  const chains = HOOKS.flatMap((hook) => [
    `chain ${hook} {`,
    `type filter hook ${hook} priority 0`,
    dropShare(percent),
    '}',
  ]);
  return ['table bridge loss {', ...chains, '}', ''].join('\n');
}

/** The rule of nftables that loses a share of what passes it. */
export function dropShare(percent: number): string {
  return `numgen random mod 1000 < ${Math.round(percent * 10)} counter drop`;
}

/** @param percent of all frames, above 0 and below 100 @throws Error when nft is not there */
export async function loseFrames(percent: number): Promise<void> {
  if (!(percent > 0 && percent < 100))
    throw new Error(`a loss of ${percent} %: it must be above 0 and below 100`);
  await runCommand('nft', [frameLossRules(percent)], { timeoutMs: 10_000 });
}
