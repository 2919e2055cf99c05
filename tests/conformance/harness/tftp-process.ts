/** Starts the TFTP server of netboot-tftp-server.ts as a process, in a network namespace where one is named. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { until } from './netboot-foreign-clients';
import type { TftpServerStatus } from './netboot-tftp-server';

export interface TftpProcess {
  readonly port: number;
  status(): Promise<TftpServerStatus>;
  stop(): Promise<void>;
}

export interface TftpProcessOptions {
  readonly address: string;
  readonly port: number;
  /** Name to size. */
  readonly files: Readonly<Record<string, number>>;
  readonly limits?: Readonly<Record<string, number>>;
  readonly namespace?: string;
}

const PROGRAM = resolve(__dirname, 'netboot-tftp-server.ts');
const START_WITHIN_MS = 30_000;

export async function startTftpProcess({ namespace, ...settings }: TftpProcessOptions): Promise<TftpProcess> {
  const inside = namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace];
  const words = [...inside, process.execPath, '--import', 'tsx', PROGRAM, JSON.stringify(settings)];
  const child = spawn(words[0] ?? '', words.slice(1), { stdio: 'pipe' });
  const lines: string[] = [];
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const next = async () => {
    await until(
      'the server said something',
      () => lines.length > 0 || child.exitCode !== null,
      START_WITHIN_MS,
    );
    const line = lines.shift();
    if (line === undefined) throw new Error(`the TFTP server ended: ${errors}`);
    return line;
  };
  const { port } = JSON.parse(await next()) as { port: number };
  return {
    port,
    async status() {
      child.stdin.write('\n');
      return JSON.parse(await next()) as TftpServerStatus;
    },
    async stop() {
      const gone = once(child, 'close');
      child.stdin.end();
      await gone;
    },
  };
}
