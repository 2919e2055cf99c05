/**
 * Which Debian archive the build scripts ask. On a Debian 12 host it is the host's own apt configuration, with the
 * mirrors its owner chose. On any other host (Ubuntu, newer Debian) it is a private apt state that knows Debian 12
 * only, kept in the cache folder, so that ramdisk and image are the same everywhere and the host's apt is untouched.
 */
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './run-command';

export const DEBIAN_CODENAME = 'bookworm';
const BOOTSTRAP = '/usr/bin/mmdebstrap';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const UPDATE_TIMEOUT_MS = 5 * 60_000;

/**
 * Debian's public archive as one-line sources: what every installed machine uses, and what a host asks that is no Debian 12 itself.
 * Its addresses are those that the bootstrap program uses when nobody names a mirror, so that they age with Debian and not with us.
 * @throws Error that says which package is missing.
 */
export function publicSources(): string[] {
  const program = existsSync(BOOTSTRAP) ? readFileSync(BOOTSTRAP, 'utf8') : '';
  const mirror = /\$mirror\s*=\s*'(https?:[^']+\/debian)'/.exec(program)?.[1];
  const security = /\$secmirror\s*=\s*'(https?:[^']+\/debian-security)'/.exec(program)?.[1];
  if (mirror === undefined || security === undefined) {
    throw new Error(`${BOOTSTRAP} does not tell Debian's public archive: install the package mmdebstrap`);
  }
  return [
    `deb ${mirror} ${DEBIAN_CODENAME} main`,
    `deb ${mirror} ${DEBIAN_CODENAME}-updates main`,
    `deb ${security} ${DEBIAN_CODENAME}-security main`,
  ];
}

/** Host names in one-line sources. */
export function hostsOf(sources: readonly string[]): string[] {
  return sources.flatMap((line) => /https?:\/\/([^/\s]+)/.exec(line)?.[1] ?? []);
}

export interface AptState {
  /** Options to put before every apt-get or apt-cache command. */
  readonly options: readonly string[];
  /** Changes whenever the lists or the sources change, so that answers of apt can be kept meanwhile. */
  readonly stamp: string;
  /** The same archive as one-line sources, for a bootstrap of a root file system. */
  readonly sources: readonly string[];
}

function hostIsDebian12(): boolean {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return (
    /^ID=debian$/m.test(release) && new RegExp(`^VERSION_CODENAME=${DEBIAN_CODENAME}$`, 'm').test(release)
  );
}

/** One-line sources out of `apt-get indextargets`; foreign archives (vendors' own) are left out. */
export function sourcesFromIndexTargets(listing: string): string[] {
  const lines = new Set<string>();
  for (const line of listing.split('\n')) {
    const [kind, origin, uri, release, component] = line.split('|');
    const isDebian = kind === 'Packages' && origin === 'Debian' && uri !== undefined;
    if (isDebian && release?.startsWith(DEBIAN_CODENAME) === true) {
      lines.add(`deb [signed-by=${KEYRING}] ${uri} ${release} ${component ?? 'main'}`);
    }
  }
  return [...lines];
}

/** How old the lists of the private state may be. */
const UPDATE_AFTER_MS = 24 * 3_600_000;

async function stampOf(...paths: string[]): Promise<string> {
  const times = paths.map(async (path) =>
    stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ),
  );
  return `${paths.join(' ')} ${(await Promise.all(times)).join(' ')}`;
}

async function hostState(): Promise<AptState | undefined> {
  const format = '$(CREATED_BY)|$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)';
  const listing = await runCommand('apt-get', ['indextargets', '--format', format]).catch(() => '');
  const sources = sourcesFromIndexTargets(listing);
  const stamp = await stampOf(
    '/var/lib/apt/lists',
    '/etc/apt',
    '/etc/apt/sources.list.d',
    '/etc/apt/preferences.d',
  );
  return sources.length === 0 ? undefined : { options: [], sources, stamp };
}

async function privateState(cacheDir: string): Promise<AptState> {
  const root = join(cacheDir, 'apt');
  const lists = join(root, 'lists');
  if (!existsSync(KEYRING)) {
    throw new Error(`${KEYRING} is missing: install the package debian-archive-keyring`);
  }
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(root, 'archives', 'partial'), { recursive: true });
  const sources = publicSources().map((line) => line.replace('deb ', `deb [signed-by=${KEYRING}] `));
  await writeFile(join(root, 'sources.list'), `${sources.join('\n')}\n`);
  await writeFile(join(root, 'status'), '');
  const settings = {
    'Dir::Etc::SourceList': join(root, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::State::Lists': lists,
    'Dir::State::status': join(root, 'status'),
    'Dir::Cache': root,
    'APT::Architecture': 'amd64',
    'APT::Architectures': 'amd64',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  const updated = join(root, 'updated');
  const age =
    Date.now() -
    (await stat(updated).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    ));
  if (age > UPDATE_AFTER_MS) {
    const sandbox = ['-o', 'APT::Sandbox::User=root'];
    const update = runCommand('apt-get', [...options, ...sandbox, 'update'], {
      timeoutMs: UPDATE_TIMEOUT_MS,
    });
    // Without the network the lists of the last run still serve; a first run without network fails at the download.
    await update.then(
      async () => writeFile(updated, ''),
      () => undefined,
    );
  }
  return { options, sources, stamp: await stampOf(lists) };
}

const states = new Map<string, Promise<AptState>>();

async function findState(cacheDir: string, forcePrivate: boolean): Promise<AptState> {
  const host = !forcePrivate && hostIsDebian12() ? await hostState() : undefined;
  return host ?? (await privateState(cacheDir));
}

/** The archive to ask on this host, found once per process; `forcePrivate` is for tests of the foreign-host path. */
export async function aptState(cacheDir: string, forcePrivate = false): Promise<AptState> {
  const key = `${cacheDir} ${forcePrivate}`;
  const state = states.get(key) ?? findState(cacheDir, forcePrivate);
  states.set(key, state);
  return state;
}
