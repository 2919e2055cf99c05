/**
 * The port through which the agent sees and touches its machine: files of sysfs and procfs, raw device reads, busybox commands.
 * Probes take it, so that a fixture tree is a machine. Not here: what the bytes mean (probe/), what is written (install/).
 * Invariant: every read is bounded and every command has a deadline; a missing file is `undefined`, never a throw.
 */
import { execFile } from 'node:child_process';
import { access, open, readdir, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';

export interface CommandResult {
  /** Exit code; -1 when the command could not be started or its deadline passed. */
  readonly code: number;
  readonly output: string;
}

export interface HostReader {
  /** Text of a small file, trimmed of NULs and blanks at its ends; undefined when it cannot be read. */
  readFile(path: string): Promise<string | undefined>;
  /** At most `length` bytes from `offset`; shorter at the end of the file, undefined when it cannot be read. */
  readBytes(path: string, offset: number, length: number): Promise<Uint8Array | undefined>;
  /** Sorted names, none when there is no such directory. */
  listDir(path: string): Promise<string[]>;
  exists(path: string): Promise<boolean>;
  /** The target of a symbolic link as it is written. */
  readLink(path: string): Promise<string | undefined>;
  /** The path without symbolic links, as this machine names it. */
  realPath(path: string): Promise<string | undefined>;
  /** Where `path` of the machine is for this process: the same in a ramdisk, below a root in tests. */
  hostPath(path: string): string;
  run(argv: readonly [string, ...string[]], deadlineMs: number): Promise<CommandResult>;
}

/** procfs and sysfs files are small; a larger one is cut. /proc/cpuinfo of 1024 threads is about 1.5 MB. */
const LARGEST_TEXT_BYTES = 4 * 1024 * 1024;
const LARGEST_OUTPUT_BYTES = 64 * 1024;
const CHUNK_BYTES = 64 * 1024;

/** The machine this process runs on. `root` is put before every path. */
export function createNodeHostReader(options: { readonly root?: string } = {}): HostReader {
  const root = options.root ?? '';
  const at = (path: string): string => (root === '' ? path : join(root, path));
  return {
    hostPath: at,
    run: runCommand,
    async readFile(path) {
      const bytes = await readUpTo(at(path), 0, LARGEST_TEXT_BYTES);
      return bytes === undefined ? undefined : bytes.toString('utf8').replace(/^[\s\0]+|[\s\0]+$/g, '');
    },
    readBytes: async (path, offset, length) => readUpTo(at(path), offset, length),
    listDir: async (path) =>
      readdir(at(path)).then(
        (names) => names.sort(),
        () => [],
      ),
    exists: async (path) =>
      access(at(path)).then(
        () => true,
        () => false,
      ),
    readLink: async (path) => readlink(at(path)).catch(() => undefined),
    async realPath(path) {
      const real = await realpath(at(path)).catch(() => undefined);
      const base = root === '' ? '' : await realpath(root).catch(() => root);
      return real?.slice(base.length);
    },
  };
}

/** sysfs files claim 4096 bytes and hold fewer, procfs files claim none: so read until the end, not the stated size. */
async function readUpTo(path: string, offset: number, length: number): Promise<Buffer | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const parts: Buffer[] = [];
      let done = 0;
      while (done < length) {
        const part = Buffer.alloc(Math.min(CHUNK_BYTES, length - done));
        // Position is null for streams such as procfs files read from their start: pread works on both, so it is always given.
        const { bytesRead } = await file.read(part, 0, part.length, offset + done);
        if (bytesRead === 0) break;
        parts.push(part.subarray(0, bytesRead));
        done += bytesRead;
      }
      return Buffer.concat(parts);
    } finally {
      await file.close();
    }
  } catch {
    return undefined;
  }
}

async function runCommand(argv: readonly [string, ...string[]], deadlineMs: number): Promise<CommandResult> {
  const [command, ...args] = argv;
  return new Promise((resolve) => {
    execFile(
      command,
      args,
      { timeout: deadlineMs, killSignal: 'SIGKILL', maxBuffer: LARGEST_OUTPUT_BYTES, encoding: 'utf8' },
      (error, stdout, stderr) => {
        const output = `${stdout}${stderr}`.trim();
        if (error === null) return resolve({ code: 0, output });
        const code = typeof error.code === 'number' ? error.code : -1;
        resolve({ code, output: output || error.message });
      },
    );
  });
}
