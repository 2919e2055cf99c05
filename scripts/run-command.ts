/**
 * Runs one program with an argument list and a deadline, for the build and lab scripts.
 * Never a shell string: a path with a space or a quote is an argument like any other.
 * A failure names the program, its exit code and the last lines it wrote, so that nobody has to run it again by hand.
 */
import { execFile } from 'node:child_process';

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds after which the program is killed; builds unpack hundreds of megabytes, so the default is generous. */
  readonly timeoutMs?: number;
  /** Whole value of the program's standard input. */
  readonly input?: string;
}

const DEFAULT_TIMEOUT_MS = 5 * 60_000;
/** A listing of a Debian root file system is some megabytes; more than this is a programming error. */
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;
const ERROR_TAIL_LINES = 15;

function tail(text: string): string {
  return text.trimEnd().split('\n').slice(-ERROR_TAIL_LINES).join('\n');
}

/** Resolves to standard output; rejects with the program's name, exit code and last error lines. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  return new Promise<string>((resolve, reject) => {
    const child = execFile(
      command,
      [...args],
      {
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        env: { PATH: SEARCH_PATH, LC_ALL: 'C.UTF-8', ...options.env },
        timeout: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
        killSignal: 'SIGKILL',
        maxBuffer: MAX_OUTPUT_BYTES,
      },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(describeFailure(command, args, error, stderr || stdout), { cause: error }));
      },
    );
    child.stdin?.on('error', () => undefined); // the program may end before it read all of its input
    child.stdin?.end(options.input ?? '');
  });
}

/** Debian keeps mke2fs, depmod and friends in sbin, which an ordinary user does not have on the path. */
const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function describeFailure(
  command: string,
  args: readonly string[],
  error: Error & { code?: unknown; killed?: boolean },
  output: string,
): string {
  if (error.code === 'ENOENT') return `${command} is not installed`;
  const ending = error.killed === true ? 'did not end in time' : `ended with ${String(error.code)}`;
  return `${command} ${args.slice(0, 6).join(' ')} ${ending}:\n${tail(output)}`;
}
