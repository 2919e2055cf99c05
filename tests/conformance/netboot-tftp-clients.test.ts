/** TFTP against foreign clients: curl, atftp, tftp-hpa, busybox. Every transfer is compared byte by byte. */
import { readFileSync } from 'node:fs';
import { itWhen } from '../integration/harness/it-when';
import { createFileTable, createTftpServer, type BootEvent, type TftpServer } from '@lpmos/netboot';
import {
  missingClient,
  patternBytes,
  runClient,
  scratchFolder,
  systemClock,
  until,
} from './harness/netboot-foreign-clients';

const SIZES = [0, 1, 511, 512, 513, 1024, 1468, 2936, 65_537];
const WRAP_BYTES = 40 * 1024 * 1024;
const files = createFileTable(
  Object.fromEntries([...SIZES, WRAP_BYTES].map((size) => [`files/${size}.bin`, patternBytes(size)])),
);
const scratch = scratchFolder();
const events: BootEvent[] = [];
let server: TftpServer;
let port: number;

beforeAll(async () => {
  const onEvent = (event: BootEvent) => events.push(event);
  server = createTftpServer({ address: '127.0.0.1', port: 0, files, onEvent, clock: systemClock });
  ({ port } = await server.start());
});
afterAll(async () => {
  await server.stop();
  scratch.remove();
});

type Fetch = (name: string, to: string) => Promise<{ code: number; output: string }>;
interface Client {
  readonly label: string;
  readonly program: string;
  readonly debianPackage: string;
  readonly fetch: Fetch;
}

const curl =
  (...more: string[]): Fetch =>
  (name, to) =>
    runClient('curl', ['-sS', ...more, '-o', to, `tftp://127.0.0.1:${port}/${name}`]);
const atftp =
  (...more: string[]): Fetch =>
  (name, to) =>
    runClient('atftp', [...more, '-g', '-r', name, '-l', to, '127.0.0.1', String(port)]);

const CLIENTS: readonly Client[] = [
  { label: 'curl', program: 'curl', debianPackage: 'curl', fetch: curl() },
  { label: 'curl without options', program: 'curl', debianPackage: 'curl', fetch: curl('--tftp-no-options') },
  {
    label: 'curl blksize 1468',
    program: 'curl',
    debianPackage: 'curl',
    fetch: curl('--tftp-blksize', '1468'),
  },
  { label: 'atftp', program: 'atftp', debianPackage: 'atftp', fetch: atftp() },
  {
    label: 'atftp blksize 1024, windowsize 8',
    program: 'atftp',
    debianPackage: 'atftp',
    fetch: atftp('--option', 'blksize 1024', '--option', 'windowsize 8', '--option', 'tsize 0'),
  },
  {
    label: 'tftp-hpa',
    program: 'tftp',
    debianPackage: 'tftp-hpa',
    fetch: (name, to) =>
      runClient('tftp', ['-m', 'binary', '127.0.0.1', String(port), '-c', 'get', name, to]),
  },
  {
    label: 'busybox',
    program: 'busybox',
    debianPackage: 'busybox-static',
    fetch: (name, to) =>
      runClient('busybox', ['tftp', '-g', '-r', name, '-l', to, '127.0.0.1', String(port)]),
  },
  {
    label: 'busybox blksize 1468',
    program: 'busybox',
    debianPackage: 'busybox-static',
    fetch: (name, to) =>
      runClient('busybox', ['tftp', '-b', '1468', '-g', '-r', name, '-l', to, '127.0.0.1', String(port)]),
  },
];

function downloaded(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    // curl and atftp create no file for zero bytes.
    return Buffer.alloc(0);
  }
}

describe.each(CLIENTS)('$label', ({ label, program, debianPackage, fetch }) => {
  const test = itWhen(missingClient(program, debianPackage));

  test.each(SIZES)('TF2: fetches %i bytes', async (size) => {
    const to = scratch.path(`${label.replaceAll(' ', '-')}-${size}`);
    const run = await fetch(`files/${size}.bin`, to);
    expect(run).toEqual({ code: 0, output: expect.not.stringMatching(/error|timeout/i) });
    expect(downloaded(to).equals(patternBytes(size))).toBe(true);
  });

  test('TF20: is told that a file is missing', async () => {
    const run = await fetch('files/none.bin', scratch.path(`${label.replaceAll(' ', '-')}-none`));
    expect(`${run.code} ${run.output}`).toMatch(/not found|[1-9]\d* /i);
    expect(events).toContainEqual(
      expect.objectContaining({
        outcome: 'refused',
        request: expect.stringMatching(/^RRQ \/?files\/none.bin$/),
      }),
    );
  });
});

describe('a file of more blocks than the block number can count', () => {
  it.each(CLIENTS.filter(({ label }) => label === 'curl' || label === 'tftp-hpa' || label === 'busybox'))(
    'TF3: reaches $label whole at blksize 512',
    async ({ program, debianPackage, fetch }) => {
      if (missingClient(program, debianPackage) !== undefined) return;
      const to = scratch.path(`wrap-${program}`);
      const run = await fetch(`files/${WRAP_BYTES}.bin`, to);
      expect(run.code).toBe(0);
      expect(downloaded(to).equals(patternBytes(WRAP_BYTES))).toBe(true);
    },
    60_000,
  );
});

itWhen(missingClient('tftp', 'tftp-hpa'))('TF18: refuses a write and leaves no transfer behind', async () => {
  const from = scratch.path('upload');
  await runClient('sh', ['-c', `echo hello > ${from}`]);
  const run = await runClient('tftp', [
    '-m',
    'binary',
    '127.0.0.1',
    String(port),
    '-c',
    'put',
    from,
    'upload',
  ]);
  expect(run.output).toContain('this server is read-only');
  await until('every transfer has ended', () => server.sessions() === 0);
});
