/** The folder of published files: what is served, and above all what is not. */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDirectoryAssets, type AssetSource } from './asset-files';

const folder = mkdtempSync(join(tmpdir(), 'lpmos-assets-'));
const root = join(folder, 'root');
let source: AssetSource;

beforeAll(async () => {
  mkdirSync(join(root, 'deep/er'), { recursive: true });
  mkdirSync(join(folder, 'outside'));
  writeFileSync(join(root, 'vmlinuz'), 'kernel');
  writeFileSync(join(root, 'deep/er/file'), 'deep');
  writeFileSync(join(root, '.hidden'), 'secret');
  writeFileSync(join(folder, 'outside/canary'), 'canary');
  symlinkSync(join(folder, 'outside/canary'), join(root, 'link'));
  symlinkSync(join(folder, 'outside'), join(root, 'linked-folder'));
  symlinkSync('vmlinuz', join(root, 'link-inside'));
  execFileSync('mkfifo', [join(root, 'fifo')]);
  source = await createDirectoryAssets({ root, digests: new Map([['deep/er/file', 'abc123']]) });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(name: string): Promise<string | undefined> {
  const asset = await source.open(name);
  if (asset === undefined) return undefined;
  const buffer = Buffer.alloc(asset.sizeBytes + 5);
  const bytes = await asset.read(buffer, 0);
  await asset.close();
  return buffer.toString('latin1', 0, bytes);
}

it('serves regular files, also in folders', async () => {
  expect(await read('vmlinuz')).toBe('kernel');
  expect(await read('deep/er/file')).toBe('deep');
});

it.each([
  '../outside/canary',
  'deep/../../outside/canary',
  '/etc/passwd',
  'link',
  'link-inside',
  'linked-folder/canary',
  'deep',
  'fifo',
  '.hidden',
  'none',
  'vmlinuz/x',
  '',
  'a\0b',
  'a\\b',
  `${'d/'.repeat(40)}x`,
  'x'.repeat(300),
])('does not serve %j', async (name) => {
  expect(await read(name)).toBeUndefined();
});

it('takes the digest for the ETag where it knows one, and says that it never changes', async () => {
  const asset = await source.open('deep/er/file');
  expect(asset).toMatchObject({ etag: '"abc123"', immutable: true, sizeBytes: 4 });
  await asset?.close();
});

it('gives another ETag to another file of the same name and size, and keeps the opened one', async () => {
  writeFileSync(join(root, 'swap'), 'old');
  const old = await source.open('swap');
  writeFileSync(join(root, 'swap.new'), 'new');
  renameSync(join(root, 'swap.new'), join(root, 'swap'));
  const fresh = await source.open('swap');
  expect(fresh?.etag).not.toBe(old?.etag);
  const buffer = Buffer.alloc(3);
  await old?.read(buffer, 0);
  expect(buffer.toString()).toBe('old');
  expect(await old?.unchanged()).toBe(true);
  await Promise.all([old?.close(), fresh?.close()]);
});

it('notices that an opened file was truncated', async () => {
  writeFileSync(join(root, 'shrink'), 'long enough');
  const asset = await source.open('shrink');
  truncateSync(join(root, 'shrink'), 2);
  expect(await asset?.unchanged()).toBe(false);
  await asset?.close();
});

it('follows its own folder when that is switched to another release', async () => {
  for (const release of ['1', '2']) {
    mkdirSync(join(folder, release));
    writeFileSync(join(folder, release, 'file'), `of release ${release}`);
  }
  const current = join(folder, 'current');
  symlinkSync('1', current);
  const released = await createDirectoryAssets({ root: current });
  const text = async () => {
    const asset = await released.open('file');
    const bytes = Buffer.alloc(asset?.sizeBytes ?? 0);
    await asset?.read(bytes, 0);
    await asset?.close();
    return bytes.toString();
  };
  expect(await text()).toBe('of release 1');
  symlinkSync('2', join(folder, 'next'));
  renameSync(join(folder, 'next'), current);
  rmSync(join(folder, '1'), { recursive: true });
  expect(await text()).toBe('of release 2');
  rmSync(current);
  expect(await released.open('file')).toBeUndefined();
});

it('says which folder is missing', async () => {
  await expect(createDirectoryAssets({ root: '/nowhere/at/all' })).rejects.toThrow(
    'the folder /nowhere/at/all cannot be read; create it or name another one',
  );
});
