/**
 * One child process of a stack: started with its own environment, its output in a log file, ready when it says so, and surely gone at the end.
 * A process that ends before it is ready fails with its last lines, so that nobody has to look for the log first.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { createInterface } from 'node:readline';

export interface ProcessOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Looks at each line of output; returns a value when the process is ready. */
  readonly readyWhen: (line: string) => boolean;
  readonly readyMs: number;
  /** Sees every line of output, before and after readiness. */
  readonly onLine?: (line: string) => void;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface RunningChild {
  readonly name: string;
  readonly pid: number;
  /** The line that said ready. */
  readonly readyLine: string;
  /** Milliseconds from spawn to ready. */
  readonly readyAfterMs: number;
  readonly exited: Promise<ChildExit>;
  /** SIGTERM, then SIGKILL when it takes too long. */
  stop(): Promise<ChildExit>;
  /** The power cut: SIGKILL. */
  kill(): Promise<ChildExit>;
}

const STOP_MS = 8_000;
const TAIL_LINES = 15;
const living = new Set<ChildProcess>();

// Whatever ends this process, its children end with it; only SIGKILL of this process itself leaves them behind.
process.on('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** @throws Error naming the process and its last output when it is not ready in time. */
export async function startChild(options: ProcessOptions): Promise<RunningChild> {
  const startedAt = performance.now();
  const child = spawn(options.command, [...options.args], {
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  living.add(child);
  const log = createWriteStream(options.logFile, { flags: 'a' });
  const tail: string[] = [];
  let ready: (line: string) => void = () => undefined;
  const onLine = (line: string): void => {
    log.write(`${line}\n`);
    tail.push(line);
    if (tail.length > TAIL_LINES) tail.shift();
    options.onLine?.(line);
    if (options.readyWhen(line)) ready(line);
  };
  for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', onLine);
  const exited = new Promise<ChildExit>((resolve) => {
    child.once('error', (error) => {
      onLine(error.message);
      resolve({ code: 127, signal: null });
    });
    child.once('close', (code, signal) => resolve({ code, signal }));
  }).finally(() => {
    living.delete(child);
    log.end();
  });
  const readyLine = await untilReady(options, exited, tail, (callback) => {
    ready = callback;
  }).catch((thrown: unknown) => {
    child.kill('SIGKILL');
    throw thrown;
  });
  return {
    name: options.name,
    pid: child.pid ?? 0,
    readyLine,
    readyAfterMs: performance.now() - startedAt,
    exited,
    stop: () => endChild(child, exited),
    kill: async () => {
      child.kill('SIGKILL');
      return exited;
    },
  };
}

async function untilReady(
  options: ProcessOptions,
  exited: Promise<ChildExit>,
  tail: readonly string[],
  onReady: (callback: (line: string) => void) => void,
): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const failure = (what: string): Error =>
    new Error(`${options.name} ${what}. Its last lines (all in ${options.logFile}):\n${tail.join('\n')}`);
  try {
    return await Promise.race([
      new Promise<string>((resolve) => onReady(resolve)),
      exited.then(({ code, signal }) => {
        throw failure(`ended with ${signal ?? `code ${code}`} before it was ready`);
      }),
      new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(failure(`was not ready after ${options.readyMs} ms`)),
          options.readyMs,
        );
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

async function endChild(child: ChildProcess, exited: Promise<ChildExit>): Promise<ChildExit> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  try {
    return await exited;
  } finally {
    clearTimeout(timer);
  }
}
