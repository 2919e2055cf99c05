import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readInstalledFile, writeInstalledFile } from './installed-tree';

let base: string;
let root: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'lpmos-tree-'));
  root = join(base, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  mkdirSync(join(base, 'outside'));
  writeFileSync(join(base, 'outside/secret'), 'untouched');
});
afterEach(() => rmSync(base, { recursive: true, force: true }));

const file = (path: string) => ({ path, mode: 0o600, content: 'new\n' });

describe('files of an installed system', () => {
  it('are replaced, with modes and new directories', async () => {
    writeFileSync(join(root, 'etc/hostname'), 'old');
    await writeInstalledFile(root, file('/etc/hostname'));
    await writeInstalledFile(root, { ...file('/root/.ssh/authorized_keys'), directoryMode: 0o700 });
    expect(readFileSync(join(root, 'etc/hostname'), 'utf8')).toBe('new\n');
    expect(statSync(join(root, 'root/.ssh')).mode & 0o777).toBe(0o700);
    expect(statSync(join(root, 'root/.ssh/authorized_keys')).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(root, 'etc'))).toEqual(['hostname']);
  });

  it.each(['absolute', 'relative'])('are never written through an %s link of a parent', async (kind) => {
    symlinkSync(kind === 'absolute' ? join(base, 'outside') : '../../outside', join(root, 'etc/systemd'));
    await expect(writeInstalledFile(root, file('/etc/systemd/network/x'))).rejects.toThrow(
      '/etc/systemd, which is a symbolic link',
    );
    await expect(writeInstalledFile(root, file('/etc/systemd/secret'))).rejects.toThrow('symbolic link');
    await expect(readInstalledFile(root, '/etc/systemd/secret')).rejects.toThrow('symbolic link');
    expect(readdirSync(join(base, 'outside'))).toEqual(['secret']);
  });

  it('that are links themselves are replaced and not followed', async () => {
    symlinkSync(join(base, 'outside/secret'), join(root, 'etc/hosts'));
    symlinkSync(join(base, 'outside/secret'), join(root, 'etc/.hosts.lpmos-new'));
    expect(await readInstalledFile(root, '/etc/hosts')).toBeUndefined();
    await writeInstalledFile(root, file('/etc/hosts'));
    expect(readFileSync(join(root, 'etc/hosts'), 'utf8')).toBe('new\n');
    expect(readFileSync(join(base, 'outside/secret'), 'utf8')).toBe('untouched');
  });

  it.each(['../outside/x', '/etc/../../outside/x', '/', ''])('have no path such as "%s"', async (path) => {
    await expect(writeInstalledFile(root, file(path))).rejects.toThrow('is no path of a file');
  });
});
