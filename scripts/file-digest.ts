/**
 * SHA-256 of files and of named sets of inputs, as the build scripts use them for cache keys and manifests.
 * Invariant: the digest of a set does not depend on the order in which it was collected.
 */
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Lower-case hex SHA-256 of a file's bytes. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

export function sha256OfText(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** One digest for a set of named digests. */
export function digestOfInputs(inputs: Readonly<Record<string, string>>): string {
  const lines = Object.keys(inputs)
    .sort()
    .map((name) => `${name}=${inputs[name]}\n`);
  return sha256OfText(lines.join(''));
}

/** Digest of the files of one folder, so that a change to a recipe is a change of the inputs. */
export async function digestOfFolder(folder: string): Promise<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  const inputs: Record<string, string> = {};
  for (const entry of entries) {
    if (entry.isFile()) inputs[entry.name] = await sha256OfFile(join(folder, entry.name));
  }
  return digestOfInputs(inputs);
}

/** The parsed JSON file, or undefined when it is absent or broken (a broken cache entry is no cache entry). */
export function readJsonFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
