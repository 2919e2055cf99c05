/**
 * What the foreign-client tests of netboot share: finding a client, running it, and bytes that show every misplacement.
 * A missing client has a reason with the way to get it; nothing is skipped in silence.
 */
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** Every block differs from its neighbours and from itself one wrap of the block number earlier. */
export function patternBytes(sizeBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  for (let index = 0; index < sizeBytes; index += 1)
    bytes[index] = (index ^ (index >> 8) ^ (index >> 17)) & 0xff;
  return bytes;
}

/** Why the tests of a client must be left out, and how to get it; undefined when it is here. */
export function missingClient(program: string, debianPackage: string): string | undefined {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return undefined;
  } catch {
    return `no ${program} here; install it with "apt-get install ${debianPackage}"`;
  }
}

export interface ClientRun {
  readonly code: number;
  readonly output: string;
}

/** Runs a client to its end, at most a minute. */
export function runClient(program: string, args: readonly string[]): Promise<ClientRun> {
  return new Promise((resolve) => {
    const child = execFile(
      program,
      [...args],
      { timeout: 60_000, maxBuffer: 1 << 26, env: { ...process.env, LC_ALL: 'C' } },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
        resolve({ code, output: `${stdout}${stderr}` });
      },
    );
    // A client that never reads its input may be gone before it is closed.
    child.stdin?.on('error', () => undefined).end();
  });
}

/** A folder that is gone after the test file. */
export function scratchFolder(): { readonly path: (name: string) => string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'lpmos-netboot-'));
  return {
    path: (name) => join(folder, name),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Waits until something is true; a deadline in words when it never is. */
export async function until(what: string, isTrue: () => boolean, deadlineMs = 20_000): Promise<void> {
  const end = performance.now() + deadlineMs;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`after ${deadlineMs} ms still not: ${what}`);
    await delay(5);
  }
}

export const systemClock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
