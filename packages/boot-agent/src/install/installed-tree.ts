/**
 * Files of a freshly installed system, written without trusting it: no symbolic link of the image is ever followed, because a link
 * /etc -> / or /root -> ../.. would lead into the ramdisk. Nothing else runs on this tree, so looking before acting is no race.
 * Invariant: every parent is a real directory below the root; the file itself is replaced, not opened.
 */
import { constants } from 'node:fs';
import { chmod, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface InstalledFile {
  /** Relative to the root of the installed system, without `..`. */
  readonly path: string;
  readonly mode: number;
  readonly content: string;
  /** Mode that the directory of the file must have; left as it is when absent. */
  readonly directoryMode?: number;
}

const NEW_DIRECTORY_MODE = 0o755;
const LARGEST_READ_BYTES = 64 * 1024;

/** @throws Error naming the path when a parent is no real directory. */
export async function writeInstalledFile(root: string, file: InstalledFile): Promise<void> {
  const names = namesOf(file.path);
  const name = names.pop() ?? '';
  const directory = await enter(root, names, true);
  if (directory === undefined) throw new Error(`${file.path}: no such directory`);
  if (file.directoryMode !== undefined) await chmod(directory, file.directoryMode);
  const fresh = join(directory, `.${name}.lpmos-new`);
  await rm(fresh, { force: true });
  const handle = await open(
    fresh,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    file.mode,
  );
  try {
    await handle.chmod(file.mode);
    await handle.writeFile(file.content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await refuseDirectory(join(directory, name), file.path);
  // rename replaces a link itself; it does not follow it.
  await rename(fresh, join(directory, name));
}

/** Text of a regular file, undefined when there is none; a link counts as none. */
export async function readInstalledFile(root: string, path: string): Promise<string | undefined> {
  const names = namesOf(path);
  const name = names.pop() ?? '';
  const directory = await enter(root, names, false);
  if (directory === undefined) return undefined;
  const facts = await lstat(join(directory, name)).catch(() => undefined);
  if (facts?.isFile() !== true) return undefined;
  const handle = await open(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const bytes = Buffer.alloc(LARGEST_READ_BYTES);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    return bytes.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function enter(root: string, names: readonly string[], create: boolean): Promise<string | undefined> {
  let at = root;
  for (const name of names) {
    at = join(at, name);
    const facts = await lstat(at).catch(() => undefined);
    if (facts === undefined) {
      if (!create) return undefined;
      await mkdir(at, { mode: NEW_DIRECTORY_MODE });
    } else if (!facts.isDirectory()) {
      const kind = facts.isSymbolicLink() ? 'a symbolic link' : 'no directory';
      throw new Error(
        `/${names.join('/')} of the image leads through ${at.slice(root.length)}, which is ${kind}`,
      );
    }
  }
  return at;
}

function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  if (names.length === 0 || names.includes('..') || names.includes('.'))
    throw new Error(`${path} is no path of a file`);
  return names;
}

async function refuseDirectory(path: string, name: string): Promise<void> {
  const facts = await lstat(path).catch(() => undefined);
  if (facts?.isDirectory() === true) throw new Error(`${name} of the image is a directory`);
}
