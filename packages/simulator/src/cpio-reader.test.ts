import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { CpioError, readInitramfs } from './cpio-reader';

const CA = Buffer.from('-----BEGIN CERTIFICATE-----\nabc\n');

/** By the real cpio, so that our reader does not judge itself. */
function archiveOf(files: Readonly<Record<string, Uint8Array>>): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'lpmos-cpio-'));
  try {
    mkdirSync(join(folder, 'lpmos/site'), { recursive: true });
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
    symlinkSync('ca.pem', join(folder, 'lpmos/site/link.pem'));
    const find = execFileSync('find', ['.', '-print0'], { cwd: folder });
    const words = ['--null', '--create', '--format=newc', '--quiet'];
    return execFileSync('cpio', words, { cwd: folder, input: find });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const archive = archiveOf({ 'lpmos/site/ca.pem': CA, 'lpmos/site/empty': Buffer.alloc(0) });

it('reads regular files, and nothing but them, with and without gzip', () => {
  for (const bytes of [archive, gzipSync(archive)]) {
    const files = readInitramfs(bytes);
    expect([...files.keys()].sort()).toEqual(['/lpmos/site/ca.pem', '/lpmos/site/empty']);
    expect(Buffer.from(files.get('/lpmos/site/ca.pem') ?? [])).toEqual(CA);
  }
});

it('reads concatenated archives like the kernel; the later file wins', () => {
  const later = archiveOf({ 'lpmos/site/ca.pem': Buffer.from('other') });
  const files = readInitramfs(Buffer.concat([archive, Buffer.alloc(512), later]));
  expect(Buffer.from(files.get('/lpmos/site/ca.pem') ?? []).toString()).toBe('other');
});

it('refuses a cut archive and says where', () => {
  const at = archive.indexOf(CA);
  expect(() => readInitramfs(archive.subarray(0, at + 3))).toThrow(/data of .*ca\.pem.* are left/);
  expect(() => readInitramfs(gzipSync(archive).subarray(0, 40))).toThrow(CpioError);
});

it('meets any bytes with files or a CpioError', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { maxLength: 8 }), (changes) => {
      const bytes = Buffer.from(archive);
      for (const [index, value] of changes) bytes[index] = value;
      try {
        readInitramfs(bytes);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(CpioError);
      }
    }),
  );
});
