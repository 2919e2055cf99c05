#!/usr/bin/env node
/**
 * The first step of `npm run quickstart` and `npm test` on a machine that has Node and nothing else: says what is missing, installs the Debian
 * packages (when it may) and the npm packages, generates the protocol code, then hands over to TypeScript.
 * Plain JavaScript without dependencies, because nothing else is there yet. Safe to run again: what is there is not touched.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const PNPM = 'pnpm@12.21.0';

/** Debian packages by what needs them. `quickstart` boots a machine; `test` also brings the foreign clients and servers it is held against. */
const PACKAGES = JSON.parse(readFileSync(join(root, 'scripts/packages.json'), 'utf8'));

const [task, ...args] = process.argv.slice(2);
if (task !== 'quickstart' && task !== 'test')
  fail(`unknown task "${task}"; use npm run quickstart or npm test`);

checkNode();
const simulate = task === 'quickstart' && args.includes('--simulate');
installDebianPackages([
  ...PACKAGES.always,
  ...(simulate ? [] : PACKAGES.machine),
  ...(task === 'test' ? PACKAGES.test : []),
]);
installNpmPackages();
generateProtocol();
const entry = join(root, 'scripts', task === 'test' ? 'run-tests.ts' : 'quickstart.ts');
const run = spawnSync(process.execPath, ['--import', 'tsx', entry, ...args], { stdio: 'inherit', cwd: root });
process.exit(run.status ?? 1);

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    fail(`Node 20.19 or newer is needed; this is ${process.version}`);
}

function installDebianPackages(wanted) {
  if (spawnSync('dpkg-query', ['--version']).status !== 0) {
    fail(`this needs Debian or Ubuntu (dpkg is not there). Elsewhere install by hand: ${wanted.join(' ')}`);
  }
  const missing = wanted.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  say(`installing ${missing.length} Debian packages: ${missing.join(' ')}`);
  const asRoot = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...words) => {
    const [command, ...rest] = [...asRoot, 'apt-get', '-q', '-o', 'Dpkg::Use-Pty=0', ...words];
    return spawnSync(command, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
  };
  let result = apt('install', '-y', '--no-install-recommends', ...missing);
  if (result.status !== 0) {
    apt('update');
    result = apt('install', '-y', '--no-install-recommends', ...missing);
  }
  if (result.status !== 0) {
    const why = `${result.stderr ?? ''}${result.error?.message ?? ''}`
      .trim()
      .split('\n')
      .slice(-5)
      .join('\n');
    fail(
      `could not install them:\n${why}\nRun as root: apt-get install -y --no-install-recommends ${missing.join(' ')}`,
    );
  }
}

function isInstalled(name) {
  const query = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status}', name], { encoding: 'utf8' });
  return query.status === 0 && query.stdout === 'installed';
}

function installNpmPackages() {
  const stamp = join(root, 'node_modules', '.modules.yaml');
  const lock = join(root, 'pnpm-lock.yaml');
  if (existsSync(stamp) && statSync(stamp).mtimeMs > statSync(lock).mtimeMs) return;
  say('installing npm packages (once)');
  run1('npx', ['--yes', PNPM, 'install', '--frozen-lockfile', '--prefer-offline', '--reporter=silent']);
}

function generateProtocol() {
  const source = join(root, 'proto/lpmos/agent/v1/agent.proto');
  const generated = join(root, 'packages/proto/src/gen/lpmos/agent/v1/agent.ts');
  if (existsSync(generated) && statSync(generated).mtimeMs > statSync(source).mtimeMs) return;
  say('generating the protocol code');
  run1(join(root, 'node_modules/.bin/buf'), ['generate']);
}

function run1(command, words) {
  const result = spawnSync(command, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (result.status !== 0)
    fail(
      `${command} ${words.join(' ')} failed:\n${result.stdout ?? ''}${result.stderr ?? ''}${result.error?.message ?? ''}`,
    );
}

function say(text) {
  process.stdout.write(`[setup] ${text}\n`);
}

function fail(text) {
  process.stderr.write(`lpmos: ${text}\n`);
  process.exit(2);
}
