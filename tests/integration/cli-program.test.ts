/** The bundled program as users start it: help, version, exit codes of a real process. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { COMMANDS, commandWords } from '@lpmos/cli';
import { startScriptedControlPlane } from './harness/scripted-control-plane';

let folder: string;
let bundle: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'lpmos-cli-'));
  bundle = join(folder, 'lpmos.cjs');
  await build({
    entryPoints: [join(__dirname, '../../packages/cli/src/main.ts')],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    outfile: bundle,
    logLevel: 'silent',
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

function run(...args: string[]): Promise<{ exitCode: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [bundle, ...args], { timeout: 20_000, env: {} }, (error, stdout, stderr) => {
      resolve({ exitCode: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
    });
  });
}

it('--help names every command with an example and every exit code', async () => {
  const { exitCode, stdout } = await run('--help');
  expect(exitCode).toBe(0);
  for (const spec of COMMANDS) expect(stdout).toContain(`lpmos ${commandWords(spec).join(' ')}`);
  for (const code of ['0', '8', '11', '20', '21', '22', '24', '25', '130'])
    expect(stdout).toMatch(new RegExp(`^  ${code} `, 'm'));
});

it('each command has help with its examples', async () => {
  const helps = await Promise.all(COMMANDS.map((spec) => run(...commandWords(spec), '--help')));
  helps.forEach((help, index) => {
    expect(help.exitCode).toBe(0);
    for (const example of COMMANDS[index]?.examples ?? []) expect(help.stdout).toContain(example);
  });
});

it('replays and examines from the bundle as well', async () => {
  const saved = join(folder, 'case.json');
  const boot = {
    ...{ base_url: 'http://10.77.0.1', agent_endpoint: '10.77.0.1:8082', kernel_arguments: 'quiet' },
    ...{ kernel_url: 'http://10.77.0.1/vmlinuz', initrd_urls: [], retry_seconds: 15, retry_attempts: 20 },
  };
  const link = {
    ...{ name: 'boot', mode: 'server', subnet: '10.77.0.0/24', service_address: '10.77.0.1' },
    ...{ unknown_clients: 'lease', relayed_only: false, dns_servers: [], lease_seconds: 3600 },
    ...{ pool: { first: '10.77.0.100', last: '10.77.0.199' }, loaders: { bios: 'undionly.kpxe' } },
    ...{ script_url: 'http://10.77.0.1/boot/menu.ipxe', boot },
  };
  writeFileSync(
    saved,
    JSON.stringify({ schema_version: 1, mac: '52:54:00:12:34:56', region_id: 'dc1', links: [link] }),
  );
  expect(await run('explain', '--from', saved)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/decision: silent[^]*DHCPOFFER/) as string,
  });
  expect(await run('doctor', '--interface', 'nowhere0')).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('--interface must be') as string,
  });
});

it.each([
  ['task create', 'see lpmos task create --help'],
  ['task bogus', 'see lpmos task --help'],
  ['bogus', 'see lpmos --help'],
  ['doctor --bogus', 'see lpmos doctor --help'],
])('says where the words of "lpmos %s" are explained', async (words, hint) => {
  const { exitCode, stderr } = await run(...words.split(' '));
  expect([exitCode, stderr]).toEqual([2, expect.stringContaining(hint)]);
});

it('--version prints the version', async () => {
  expect((await run('--version')).stdout).toMatch(/^lpmos \d+\.\d+\.\d+\n$/);
});

/** A port that was free a moment ago: nothing listens there. */
async function closedUrl(): Promise<string> {
  const plane = await startScriptedControlPlane();
  await plane.close();
  return plane.url;
}

it('says why a control plane cannot be reached', async () => {
  const { stderr } = await run('region', 'list', '--url', await closedUrl());
  expect(stderr).toContain('ECONNREFUSED');
});

it.each([
  [['nonsense'], 2],
  [['task'], 2],
  [[], 2],
  [['task', 'show'], 2],
  [['task', 'show', 'x', 'y'], 2],
  [['region', 'list', '--url', 'http://127.0.0.1:1'], 11],
  [['region', 'list', '--url', 'ftp://x'], 2],
  [['region', 'list', '--token-file', '/nonexistent'], 2],
])('%j ends with %d, with words on stderr and none on stdout', async (args, code) => {
  const { exitCode, stdout, stderr } = await run(...args);
  expect({ exitCode, stdout }).toEqual({ exitCode: code, stdout: '' });
  expect(stderr).not.toBe('');
});
