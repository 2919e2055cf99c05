/** The product's own command line as a child process: the quickstart does what an operator does, with the operator's tool. */
import { spawn } from 'node:child_process';
import { programPath } from '../build';

/** Exit code of a program that Ctrl-C ended. */
export const INTERRUPTED = 130;

export interface CommandLine {
  /** Shows the command, runs it on this terminal. @returns its exit code */
  show(...words: string[]): Promise<number>;
  /** Runs it with `-o json`. @throws when it fails */
  json(...words: string[]): Promise<Record<string, unknown>>;
}

export function createCommandLine(options: {
  readonly url: string;
  readonly tokenFile: string;
}): CommandLine {
  const env = {
    PATH: process.env['PATH'] ?? '',
    TERM: process.env['TERM'] ?? 'dumb',
    LPMOS_URL: options.url,
    LPMOS_TOKEN_FILE: options.tokenFile,
  };
  const argv = (words: readonly string[]): string[] => [programPath('lpmos'), ...words];
  return {
    async show(...words) {
      process.stdout.write(`\n$ lpmos ${words.join(' ')}\n`);
      const child = spawn(process.execPath, argv(words), { stdio: 'inherit', env });
      return exitCode(child);
    },
    async json(...words) {
      const child = spawn(process.execPath, argv([...words, '-o', 'json']), {
        stdio: ['ignore', 'pipe', 'inherit'],
        env,
      });
      let text = '';
      child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
      const code = await exitCode(child);
      if (code !== 0) throw new Error(`lpmos ${words.join(' ')} ended with ${code}`);
      return JSON.parse(text) as Record<string, unknown>;
    },
  };
}

async function exitCode(child: ReturnType<typeof spawn>): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}
