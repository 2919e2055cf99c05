/**
 * The foreign peers of the TFTP tests: clients by the words that make each of them fetch one file, and dnsmasq as the server
 * against which a rule's test runs too, so that a wrong test is found.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { missingClient, runClient, until, type ClientRun } from './netboot-foreign-clients';

export interface Fetch {
  readonly address: string;
  readonly port: number;
  readonly name: string;
  /** Local path of the copy. */
  readonly to: string;
}

export interface ForeignTftpClient {
  readonly label: string;
  readonly program: string;
  readonly debianPackage: string;
  fetch(what: Fetch): Promise<ClientRun>;
  /** For a network that doubles packets, where the client's own fault would spoil a transfer with options. */
  fetchPlainly?(what: Fetch): Promise<ClientRun>;
}

const curl =
  (...more: readonly string[]) =>
  ({ address, port, name, to }: Fetch) =>
    runClient('curl', ['-sS', ...more, '-o', to, `tftp://${address}:${port}/${name}`]);

export const FOREIGN_TFTP_CLIENTS: readonly ForeignTftpClient[] = [
  {
    label: 'curl',
    program: 'curl',
    debianPackage: 'curl',
    // It repeats a lost request after a fifth of the time to connect, which is five minutes when nothing is said.
    fetch: curl('--connect-timeout', '15'),
    // A second OACK that comes after DATA 1 sets curl 7.88 back to block 0: it then writes a second DATA 1 again and calls the file whole.
    fetchPlainly: curl('--connect-timeout', '15', '--tftp-no-options'),
  },
  {
    label: 'atftp',
    program: 'atftp',
    debianPackage: 'atftp',
    fetch: ({ address, port, name, to }) =>
      runClient('atftp', ['--option', 'timeout 1', '-g', '-r', name, '-l', to, address, String(port)]),
  },
  {
    label: 'tftp-hpa',
    program: 'tftp',
    debianPackage: 'tftp-hpa',
    fetch: ({ address, port, name, to }) =>
      runClient('tftp', ['-m', 'binary', address, String(port), '-c', 'get', name, to]),
  },
  {
    label: 'busybox',
    program: 'busybox',
    debianPackage: 'busybox-static',
    fetch: ({ address, port, name, to }) =>
      runClient('busybox', ['tftp', '-g', '-r', name, '-l', to, address, String(port)]),
  },
];

/** What a client left behind; empty when it made no file, as curl and atftp do for zero bytes. */
export function copyAt(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

/** The last words of tftp-hpa and busybox go to a terminal, and some exit with 0 all the same. */
export function saysFailure(run: ClientRun): boolean {
  return run.code !== 0 || /error|timed? ?out|fail/i.test(run.output);
}

export interface ReferenceServer {
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** Its port cannot be chosen, so it needs the privilege for 69; every process has a loopback address of its own for it. */
export function missingReference(): string | undefined {
  if (process.getuid?.() !== 0) return 'dnsmasq as the reference for TFTP: port 69 needs root';
  return missingClient('dnsmasq', 'dnsmasq-base');
}

export async function startDnsmasq(
  folder: string,
  files: Readonly<Record<string, Uint8Array>>,
): Promise<ReferenceServer> {
  mkdirSync(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) writeFileSync(`${folder}/${name}`, bytes);
  const address = `127.69.${(process.pid >> 8) & 0xff}.${process.pid & 0xff || 1}`;
  const child = spawn(
    'dnsmasq',
    [
      ...['--keep-in-foreground', '--log-facility=-', '--conf-file=/dev/null', '--pid-file=', '--user=root'],
      ...[
        '--port=0',
        '--enable-tftp',
        `--tftp-root=${folder}`,
        `--listen-address=${address}`,
        '--bind-interfaces',
      ],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await until('dnsmasq serves TFTP', () => said.includes('TFTP root is') || child.exitCode !== null);
  if (child.exitCode !== null) throw new Error(`dnsmasq did not start: ${said}`);
  return {
    address,
    port: 69,
    async stop() {
      const gone = once(child, 'close');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
