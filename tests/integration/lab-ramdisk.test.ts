/**
 * The pure parts of the ramdisk build: the archive format against the cpio program as a foreign reader, the closure of
 * kernel modules, and what is read from other programs' output. Nothing is booted here; that is tests/e2e.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePrintUris } from '../../scripts/debian-packages';
import { sourcesFromIndexTargets } from '../../scripts/apt-state';
import { encodeCpio, withParents, type CpioEntry } from '@lpmos/netboot';
import { moduleNames, selectModules } from '../../scripts/ramdisk/modules';
import { parseLdd } from '../../scripts/ramdisk/node-runtime';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const ENTRIES: CpioEntry[] = [
  { kind: 'file', name: 'lpmos/agent.cjs', mode: 0o644, content: bytes('hello') },
  { kind: 'symlink', name: 'bin/sh', target: 'busybox' },
  { kind: 'file', name: 'bin/busybox', mode: 0o755, content: bytes('#!') },
  { kind: 'file', name: 'empty', mode: 0o600, content: bytes('') },
];

describe('encodeCpio', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'lpmos-cpio-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('writes what the cpio program reads back', () => {
    const archive = encodeCpio(withParents(ENTRIES));
    execFileSync('cpio', ['--extract', '--quiet'], { cwd: folder, input: archive });
    expect(readFileSync(join(folder, 'lpmos/agent.cjs'), 'utf8')).toBe('hello');
    expect(readlinkSync(join(folder, 'bin/sh'))).toBe('busybox');
    expect(statSync(join(folder, 'bin/busybox')).mode & 0o7777).toBe(0o755);
    expect(statSync(join(folder, 'empty')).size).toBe(0);
    expect(statSync(join(folder, 'lpmos')).isDirectory()).toBe(true);
  });

  it('lists a device node with its numbers, owned by root, at time zero', () => {
    const device = {
      kind: 'character-device',
      name: 'dev/console',
      mode: 0o600,
      major: 5,
      minor: 1,
    } as const;
    const file = join(folder, 'archive');
    writeFileSync(file, encodeCpio(withParents([device])));
    const listing = execFileSync('cpio', ['-itv', '--quiet', '--numeric-uid-gid', '-F', file], {
      encoding: 'utf8',
      env: { PATH: '/usr/bin:/bin', TZ: 'UTC', LC_ALL: 'C' },
    });
    expect(listing).toMatch(/^crw------- +1 0 +0 +5, +1 Jan +1 +1970 dev\/console$/m);
  });

  it('gives the same bytes whatever the order of the entries', () => {
    const forward = encodeCpio(withParents(ENTRIES));
    const backward = encodeCpio(withParents([...ENTRIES].reverse()));
    expect(Buffer.compare(forward, backward)).toBe(0);
    expect(forward.length % 512).toBe(0);
  });

  it.each(['/etc/passwd', '../outside', 'a//b', '', 'TRAILER!!!', 'a/./b'])('refuses the name %j', (name) => {
    expect(() => encodeCpio([{ kind: 'directory', name, mode: 0o755 }])).toThrow(/plain relative path/);
  });

  it('refuses a name that is given twice', () => {
    const [first] = ENTRIES;
    if (first === undefined) throw new Error('no entry');
    expect(() => encodeCpio([first, first])).toThrow(/given twice/);
  });
});

describe('selectModules', () => {
  const dep = [
    'kernel/drivers/nvme/host/nvme.ko: kernel/drivers/nvme/host/nvme-core.ko',
    'kernel/drivers/nvme/host/nvme-core.ko:',
    'kernel/arch/x86/crypto/crc32c-intel.ko:',
  ].join('\n');

  it('takes a module with what it needs, whichever way its name is spelled', () => {
    expect(selectModules(['nvme', 'crc32c_intel'], dep, '')).toEqual([
      'kernel/arch/x86/crypto/crc32c-intel.ko',
      'kernel/drivers/nvme/host/nvme-core.ko',
      'kernel/drivers/nvme/host/nvme.ko',
    ]);
  });

  it('needs no file for a driver that is built in, and names one that does not exist', () => {
    expect(selectModules(['virtio_pci'], dep, 'kernel/drivers/virtio/virtio_pci.ko\n')).toEqual([]);
    expect(() => selectModules(['nvme', 'tg4'], dep, '')).toThrow(/no module tg4/);
  });

  it('lists every module once', () => {
    const names = moduleNames('platform', 'network', 'disk', 'file-system');
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(
      expect.arrayContaining(['ext4', 'ahci', 'nvme', 'mlx5_core', 'megaraid_sas', 'efivarfs']),
    );
  });
});

describe('output of other programs', () => {
  it('reads the libraries out of ldd, the loader included', () => {
    const output = [
      '\tlinux-vdso.so.1 (0x00007ffd)',
      '\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)',
      '\t/lib64/ld-linux-x86-64.so.2 (0x00007f)',
    ].join('\n');
    expect(parseLdd(output)).toEqual(['/lib/x86_64-linux-gnu/libm.so.6', '/lib64/ld-linux-x86-64.so.2']);
    expect(() => parseLdd('\tlibicu.so.74 => not found')).toThrow(/libicu/);
  });

  it('reads the digest of a package and refuses one without SHA-256', () => {
    const digest = 'ab'.repeat(32);
    const line = `'http://mirror/pool/b/busybox_1.deb' busybox-static_1%3a1.35_amd64.deb 928188 SHA256:${digest}\n`;
    expect(parsePrintUris(line).get('busybox-static')).toEqual({
      url: 'http://mirror/pool/b/busybox_1.deb',
      fileName: 'busybox-static_1%3a1.35_amd64.deb',
      sha256: digest,
    });
    expect(parsePrintUris("'http://mirror/x.deb' x_1_amd64.deb 10 MD5Sum:00\n").size).toBe(0);
  });

  it('takes Debian 12 archives as sources and leaves out all others', () => {
    const listing = [
      'Packages|Debian|http://mirror/debian/|bookworm|main',
      'Packages|Debian|http://mirror/debian/|trixie|main',
      'Packages|Node Source|https://elsewhere/|bookworm|main',
      'Translations|Debian|http://mirror/debian/|bookworm|main',
    ].join('\n');
    expect(sourcesFromIndexTargets(listing)).toEqual([
      'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror/debian/ bookworm main',
    ]);
  });
});

it.each([
  'ramdisk/init',
  'ramdisk/dhcp-lease',
  'image/customize.sh',
  'image/overlay/usr/lib/lpmos/check-in',
  'image/overlay/etc/initramfs-tools/hooks/lpmos',
])('%s is a script that a shell can read', (name) => {
  const script = join(__dirname, '../../scripts', name);
  expect(() => execFileSync('sh', ['-n', script], { stdio: 'pipe' })).not.toThrow();
});
