/**
 * Takes from an unpacked Debian kernel package what the ramdisk needs: the kernel image, the chosen modules with all
 * they depend on, and the index files that modprobe reads.
 * Invariant: module files are copied byte for byte. Stripping them would remove their signature, and a kernel locked
 * down by Secure Boot then loads none of them.
 */
import { copyFile, mkdir, readFile, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { runCommand } from '../run-command';
import type { CpioEntry } from '@lpmos/netboot';
import { moduleNames, selectModules } from './modules';

/** What busybox modprobe reads; depmod writes more (binary indexes for kmod), which would be dead weight. */
const INDEX_FILES = ['modules.dep', 'modules.alias', 'modules.softdep', 'modules.builtin', 'modules.order'];

export interface KernelFiles {
  readonly version: string;
  readonly imagePath: string;
  readonly entries: readonly CpioEntry[];
}

async function onlyFolder(folder: string): Promise<string> {
  const [name, ...others] = await readdir(folder);
  if (name === undefined || others.length > 0)
    throw new Error(`${folder}: exactly one kernel version expected`);
  return name;
}

/** How the kernel's build marks a module whose signature follows the code (kernel documentation, "Signed kernel module support"). */
const MODULE_SIGNATURE = '~Module signature appended~\n';

function assertModuleSigned(path: string, module: Buffer): void {
  if (module.toString('latin1', module.length - MODULE_SIGNATURE.length) !== MODULE_SIGNATURE)
    throw unsigned(path);
}

/** The kernel is a PE program too: entry 4 of its data directories is the certificate table (Microsoft PE/COFF, PE32+). */
function hasCertificates(image: Buffer): boolean {
  const header = image.readUInt32LE(0x3c);
  return image.readUInt32LE(header + 24 + 112 + 4 * 8 + 4) > 0;
}

/** A package such as linux-image-…-unsigned, or one that was stripped: with Secure Boot the machine would refuse it, silently or late. */
function unsigned(path: string): Error {
  return new Error(`${path} is not signed; take the kernel of Debian's linux-image-amd64 as it is`);
}

/** `unpackedDir` holds the unpacked package; `workDir` is scratch space. */
export async function collectKernelFiles(unpackedDir: string, workDir: string): Promise<KernelFiles> {
  const version = await onlyFolder(join(unpackedDir, 'lib/modules'));
  const folder = join('lib/modules', version);
  await runCommand('depmod', ['-b', unpackedDir, version]);
  const wanted = moduleNames('platform', 'network', 'disk', 'file-system');
  const modulesDep = await readFile(join(unpackedDir, folder, 'modules.dep'), 'utf8');
  const builtin = await readFile(join(unpackedDir, folder, 'modules.builtin'), 'utf8');
  const paths = selectModules(wanted, modulesDep, builtin);

  const files = [...paths, 'modules.builtin', 'modules.builtin.modinfo', 'modules.order'];
  for (const path of files) {
    const target = join(workDir, folder, path);
    await mkdir(dirname(target), { recursive: true });
    await copyFile(join(unpackedDir, folder, path), target);
  }
  await runCommand('depmod', ['-b', workDir, version]);

  const entries: CpioEntry[] = [];
  for (const path of [...paths, ...INDEX_FILES]) {
    const content = await readFile(join(workDir, folder, path));
    if (path.endsWith('.ko')) assertModuleSigned(path, content);
    entries.push({ kind: 'file', name: join(folder, path), mode: 0o644, content });
  }
  const imagePath = join(unpackedDir, 'boot', `vmlinuz-${version}`);
  if (!hasCertificates(await readFile(imagePath))) throw unsigned(imagePath);
  return { version, imagePath, entries };
}
