/**
 * Decides how QEMU runs the processor: KVM only where a Linux guest really reached its userland with it, else TCG.
 * That /dev/kvm opens proves nothing: nested and software KVM run the firmware and then hang at the kernel's entry.
 * Invariant: the probe ends within its deadline, whatever the guest does.
 */
import { accessSync, constants } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import { extractPackage, fetchPackages } from '../debian-packages';
import { encodeCpio } from '@lpmos/netboot';

export interface Accelerator {
  readonly kind: 'kvm' | 'tcg';
  /** One sentence for the person who wonders why it is slow. */
  readonly reason: string;
}

/** A guest under working KVM prints its word in about one second; TCG is chosen rather than waited for. */
const PROBE_DEADLINE_MS = 8_000;
const DEFAULT_CACHE_DIR = join(__dirname, '..', '..', '.cache');
const WORD = 'lpmos-guest-reached-userland';

/** QEMU arguments: TCG with one thread per processor and a translation cache as large as a booting kernel profits from. */
export function acceleratorArguments(kind: Accelerator['kind']): string[] {
  return kind === 'kvm'
    ? ['-accel', 'kvm', '-cpu', 'host']
    : ['-accel', 'tcg,thread=multi,tb-size=256', '-cpu', 'qemu64'];
}

function deviceIsOpenable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

async function guestPrintsWord(kernel: string, initramfs: string): Promise<boolean> {
  const args = [
    '-machine',
    'pc',
    '-nodefaults',
    '-display',
    'none',
    '-m',
    '256',
    '-serial',
    'stdio',
    '-no-reboot',
  ];
  const boot = ['-kernel', kernel, '-initrd', initramfs, '-append', 'console=ttyS0 quiet panic=-1'];
  const child = spawn('qemu-system-x86_64', [...args, ...acceleratorArguments('kvm'), ...boot], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return new Promise<boolean>((resolve) => {
    const finish = (answer: boolean): void => {
      clearTimeout(deadline);
      child.kill('SIGKILL');
      resolve(answer);
    };
    const deadline = setTimeout(() => finish(false), PROBE_DEADLINE_MS);
    let output = '';
    child.on('error', () => finish(false));
    child.on('exit', () => finish(output.includes(WORD)));
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString('latin1');
      if (output.includes(WORD)) finish(true);
    });
  });
}

async function staticBusybox(cacheDir: string, folder: string): Promise<Uint8Array> {
  const [busybox] = await fetchPackages({ names: ['busybox-static'], cacheDir });
  if (busybox === undefined) throw new Error('the package busybox-static is needed to probe KVM');
  await extractPackage(busybox, join(folder, 'busybox'));
  return readFile(join(folder, 'busybox', 'bin/busybox'));
}

/** `kernel` is the ramdisk's vmlinuz. Costs the whole deadline where KVM opens and does not work. */
export async function probeAccelerator(options: {
  readonly kernel: string;
  /** A static busybox for the guest; default: Debian's, from the packages fetched for the ramdisk. */
  readonly busybox?: string | undefined;
  /** Where fetched packages are kept; default: `.cache` of the repository. */
  readonly cacheDir?: string;
}): Promise<Accelerator> {
  if (!deviceIsOpenable('/dev/kvm'))
    return { kind: 'tcg', reason: '/dev/kvm is absent or may not be opened' };
  const folder = await mkdtemp(join(tmpdir(), 'lpmos-kvm-probe-'));
  try {
    const content =
      options.busybox === undefined
        ? await staticBusybox(options.cacheDir ?? DEFAULT_CACHE_DIR, folder)
        : await readFile(options.busybox);
    const init = new TextEncoder().encode(`#!/busybox sh\n/busybox echo ${WORD}\n/busybox reboot -f\n`);
    const initramfs = join(folder, 'probe.cpio');
    const archive = encodeCpio([
      { kind: 'directory', name: 'dev', mode: 0o755 },
      { kind: 'character-device', name: 'dev/console', mode: 0o600, major: 5, minor: 1 },
      { kind: 'file', name: 'busybox', mode: 0o755, content },
      { kind: 'file', name: 'init', mode: 0o755, content: init },
    ]);
    await writeFile(initramfs, archive);
    return (await guestPrintsWord(options.kernel, initramfs))
      ? { kind: 'kvm', reason: 'a Linux guest reached its userland with KVM' }
      : {
          kind: 'tcg',
          reason: `/dev/kvm opens, but no Linux guest started with it in ${PROBE_DEADLINE_MS / 1000} s`,
        };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
