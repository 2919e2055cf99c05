/**
 * The shell of the ramdisk: Debian's static busybox, taken out of its package, with a link for each of its applets.
 * The package is never installed on the host: busybox-static and the udhcpc package exclude each other there, and an
 * initramfs built from the dynamic busybox dies in its loader before the first line.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../run-command';
import type { CpioEntry } from '@lpmos/netboot';

/** Without these /init cannot do its work; a busybox built otherwise must not pass unnoticed. */
const NEEDED_APPLETS = [
  'sh',
  'mount',
  'modprobe',
  'ip',
  'udhcpc',
  'tee',
  'mkfifo',
  'stty',
  'reboot',
  'xargs',
  'usleep',
];

export async function collectBusybox(unpackedDir: string): Promise<CpioEntry[]> {
  const program = join(unpackedDir, 'bin/busybox');
  const applets = (await runCommand(program, ['--list']))
    .split('\n')
    .filter((name) => /^[\w[.-]+$/.test(name));
  const missing = NEEDED_APPLETS.filter((name) => !applets.includes(name));
  if (missing.length > 0) throw new Error(`busybox-static lacks ${missing.join(', ')}`);
  const links = applets
    .filter((name) => name !== 'busybox')
    .map((name): CpioEntry => ({ kind: 'symlink', name: `bin/${name}`, target: 'busybox' }));
  return [{ kind: 'file', name: 'bin/busybox', mode: 0o755, content: await readFile(program) }, ...links];
}
