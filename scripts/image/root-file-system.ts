/**
 * The root file system of the demo image: a minimal Debian 12 from the archive that apt-state names, with our overlay
 * and the generic kernel, as a tar file. The bootstrap runs as root, or in a user namespace with subordinate ids.
 * Invariant: nothing of the build machine (mirror, host name, resolver, paths, keys) is in the result; checked, not hoped.
 */
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { aptState, DEBIAN_CODENAME, publicSources } from '../apt-state';
import { moduleNames } from '../ramdisk/modules';
import { runCommand } from '../run-command';

export const IMAGE_PACKAGES = [
  'linux-image-amd64',
  'initramfs-tools',
  'zstd',
  'systemd',
  'systemd-sysv',
  'systemd-resolved',
  'systemd-timesyncd',
  'dbus',
  'udev',
  'kmod',
  'e2fsprogs',
  'logsave',
  'iproute2',
  'iputils-ping',
  'openssh-server',
  'curl',
  'less',
  'procps',
] as const;

/** Never unpacked, also by later upgrades on the machine: what a headless server has no use for. */
const EXCLUDED_PATHS = [
  '/usr/share/doc/*',
  '/usr/share/man/*',
  '/usr/share/info/*',
  '/usr/share/locale/*',
  '/usr/share/lintian/*',
  ...[
    'sound',
    'drivers/media',
    'drivers/staging',
    'drivers/iio',
    'drivers/bluetooth',
    'drivers/isdn',
    'drivers/comedi',
    'drivers/net/wireless',
    'drivers/net/wwan',
    'drivers/net/can',
    'drivers/net/hamradio',
    'drivers/nfc',
    'drivers/pcmcia',
    'drivers/parport',
    'drivers/platform/surface',
    'drivers/usb/gadget',
    'drivers/usb/misc',
    'drivers/mtd',
    'drivers/infiniband',
    'drivers/power',
    'drivers/input/touchscreen',
    'drivers/input/joystick',
    'drivers/input/tablet',
    'drivers/gpu/drm/amd',
    'drivers/gpu/drm/i915',
    'drivers/gpu/drm/nouveau',
    'drivers/gpu/drm/radeon',
    'drivers/gpu/drm/gma500',
    'fs/ocfs2',
    'fs/gfs2',
    'fs/reiserfs',
    'fs/jfs',
    'fs/f2fs',
    'fs/afs',
    'fs/ceph',
    'net/bluetooth',
    'net/mac80211',
    'net/wireless',
    'net/can',
    'net/nfc',
    'net/rxrpc',
    'net/tipc',
  ].map((folder) => `/lib/modules/*/kernel/${folder}/*`),
] as const;

const BOOTSTRAP_TIMEOUT_MS = 20 * 60_000;

async function writeOverlay(folder: string): Promise<void> {
  await cp(join(__dirname, 'overlay'), folder, { recursive: true });
  const names = ['virtio_pci', ...moduleNames('disk', 'file-system')].join('\n');
  await writeFile(join(folder, 'usr/lib/lpmos/initramfs-modules'), `${names}\n`);
  await mkdir(join(folder, 'etc/apt'), { recursive: true });
  await writeFile(join(folder, 'etc/apt/sources.list'), `${publicSources().join('\n')}\n`);
}

/** Arguments of the bootstrap; the settings of initramfs-tools come first, so that it does its slow work once. */
export function bootstrapArguments(options: {
  readonly overlay: string;
  /** The script that finishes the file system. */
  readonly customize: string;
  readonly sources: readonly string[];
  readonly target: string;
  readonly isRoot: boolean;
}): string[] {
  const early =
    'mkdir -p "$1/etc/initramfs-tools" && cp -r "$OVERLAY/etc/initramfs-tools/conf.d" "$1/etc/initramfs-tools/"';
  return [
    `--mode=${options.isRoot ? 'root' : 'unshare'}`,
    '--variant=minbase',
    '--architectures=amd64',
    '--format=tar',
    '--quiet',
    // customize.sh empties apt's folders; the bootstrap's own way asks apt once more, which fails under a subordinate id.
    '--skip=cleanup/apt',
    `--include=${IMAGE_PACKAGES.join(',')}`,
    ...EXCLUDED_PATHS.map((path) => `--dpkgopt=path-exclude=${path}`),
    `--setup-hook=${early}`,
    `--customize-hook=${options.customize}`,
    DEBIAN_CODENAME,
    options.target,
    ...options.sources,
  ];
}

/**
 * Writes the tar file into the work folder and returns its path. What goes in is handed over in a folder of its own that everybody may
 * read: as an ordinary user the hooks run under a subordinate id, to which the user's home may well be closed.
 */
export async function buildRootTar(options: { workDir: string; cacheDir: string }): Promise<string> {
  const handedOver = await mkdtemp(join(tmpdir(), 'lpmos-image-'));
  try {
    await chmod(handedOver, 0o755);
    const overlay = join(handedOver, 'overlay');
    const customize = join(handedOver, 'customize.sh');
    await writeOverlay(overlay);
    await cp(join(__dirname, 'customize.sh'), customize);
    const target = join(options.workDir, 'root.tar');
    const { sources } = await aptState(options.cacheDir);
    const isRoot = process.getuid?.() === 0;
    await runCommand('mmdebstrap', bootstrapArguments({ overlay, customize, sources, target, isRoot }), {
      env: { OVERLAY: overlay, DEBIAN_FRONTEND: 'noninteractive', SOURCE_DATE_EPOCH: '0' },
      timeoutMs: BOOTSTRAP_TIMEOUT_MS,
    });
    return target;
  } finally {
    await rm(handedOver, { recursive: true, force: true });
  }
}
