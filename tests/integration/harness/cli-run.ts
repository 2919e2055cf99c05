/** One run of the command line in this process, with a terminal made of strings. */
import { readFile } from 'node:fs/promises';
import { runCli } from '@lpmos/cli';

export interface CliRunOptions {
  readonly args: readonly string[];
  readonly url?: string;
  readonly tty?: boolean;
  /** What the person types when asked. */
  readonly answer?: string;
  readonly token?: string;
  readonly signal?: AbortSignal;
}

export interface CliRunResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly questions: readonly string[];
}

export async function runLpmos(options: CliRunOptions): Promise<CliRunResult> {
  let stdout = '';
  let stderr = '';
  const questions: string[] = [];
  const tty = options.tty === true;
  const exitCode = await runCli({
    args: options.args,
    environment: { url: options.url, token: options.token, tokenFile: undefined, noColor: true },
    signal: options.signal ?? new AbortController().signal,
    nowMs: () => Date.now(),
    readFile: (path) => readFile(path, 'utf8'),
    terminal: {
      stdout: { write: (text) => void (stdout += text), isTTY: tty, columns: 100 },
      stderr: { write: (text) => void (stderr += text), isTTY: tty, columns: 100 },
      canAsk: tty,
      color: false,
      ask: (question) => {
        questions.push(question);
        return Promise.resolve(options.answer ?? '');
      },
    },
  });
  return { exitCode, stdout, stderr, questions };
}
