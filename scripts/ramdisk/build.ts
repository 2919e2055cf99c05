/**
 * Builds the boot ramdisk: Debian's generic kernel, and an initramfs with drivers, busybox, Node and the boot agent.
 * It is the same for every site; what belongs to a site (the region's CA, the grant key) is a second initramfs that the
 * regional daemon appends. See docs/architecture.md.
 * Invariant: same inputs, same bytes; and a finished folder is complete, because its manifest is written last.
 */
import { mkdir, mkdtemp, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { extractPackage, fetchPackages, kernelPackageName, type DebianPackage } from '../debian-packages';
import { digestOfFolder, digestOfInputs, readJsonFile, sha256OfFile } from '../file-digest';
import { runCommand } from '../run-command';
import { collectBusybox } from './busybox-files';
import { encodeCpio, withParents, type CpioEntry } from '@lpmos/netboot';
import { collectKernelFiles } from './kernel-files';
import { collectNodeRuntime } from './node-runtime';

export interface RamdiskOptions {
  /** The boot agent as one CommonJS file. */
  readonly agentBundle: string;
  /** Receives vmlinuz, initramfs.img and manifest.json. */
  readonly outDir: string;
  readonly onProgress?: (message: string) => void;
  /** Where fetched packages are kept; default: `.cache` of the repository. */
  readonly cacheDir?: string;
}

interface FileFacts {
  readonly sha256: string;
  readonly size_bytes: number;
}

export interface RamdiskManifest {
  readonly schema_version: 1;
  readonly input_digest: string;
  readonly kernel_version: string;
  readonly node_version: string;
  readonly vmlinuz: FileFacts;
  readonly initramfs: FileFacts;
  readonly inputs: Readonly<Record<string, string>>;
}

const DEFAULT_CACHE_DIR = join(__dirname, '..', '..', '.cache');
/**
 * Measured on kernel + 62 modules + Node 20: level 10 gives 34.6 MB, 19 gives 30.4 MB. A machine unpacks both equally
 * fast, so the half minute that 19 costs here, once, buys four megabytes on the wire for every boot of every machine.
 */
const ZSTD_LEVEL = '-19';

/**
 * A second initramfs is appended to this one. The kernel finds an archive only at a multiple of four bytes, and while
 * iPXE on BIOS pads between the files, the kernel's own EFI loader does not.
 */
const INITRAMFS_ALIGNMENT = 512;

interface Inputs {
  readonly kernel: DebianPackage;
  readonly busybox: DebianPackage;
  readonly digests: Readonly<Record<string, string>>;
}

async function firstLine(command: string): Promise<string> {
  return (await runCommand(command, ['--version'])).split('\n')[0] ?? '';
}

async function collectInputs(options: RamdiskOptions, cacheDir: string): Promise<Inputs> {
  const kernelName = await kernelPackageName(cacheDir);
  const packages = await fetchPackages({ names: [kernelName, 'busybox-static'], cacheDir });
  const [kernel, busybox] = packages;
  if (kernel === undefined || busybox === undefined) throw new Error('kernel or busybox package is missing');
  const digests = {
    [`${kernel.name} ${kernel.version}`]: kernel.sha256,
    [`${busybox.name} ${busybox.version}`]: busybox.sha256,
    [`node ${process.version}`]: await sha256OfFile(process.execPath),
    agent: await sha256OfFile(options.agentBundle),
    recipe: await digestOfFolder(__dirname),
    strip: await firstLine('strip'),
    zstd: await firstLine('zstd'),
  };
  return { kernel, busybox, digests };
}

async function factsOf(path: string): Promise<FileFacts> {
  return { sha256: await sha256OfFile(path), size_bytes: (await stat(path)).size };
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    (facts) => facts.size,
    () => -1,
  );
}

/** The manifest of an earlier build of exactly these inputs whose files are all there. */
async function finishedBuild(outDir: string, inputDigest: string): Promise<RamdiskManifest | undefined> {
  const manifest = readJsonFile(join(outDir, 'manifest.json')) as RamdiskManifest | undefined;
  if (manifest?.input_digest !== inputDigest) return undefined;
  const complete =
    (await sizeOf(join(outDir, 'vmlinuz'))) === manifest.vmlinuz.size_bytes &&
    (await sizeOf(join(outDir, 'initramfs.img'))) === manifest.initramfs.size_bytes;
  return complete ? manifest : undefined;
}

async function fixedEntries(options: RamdiskOptions, label: string): Promise<CpioEntry[]> {
  const recipe = async (name: string): Promise<Uint8Array> => readFile(join(__dirname, name));
  const text = (content: string): Uint8Array => new TextEncoder().encode(content);
  const emptyFolders = ['dev', 'proc', 'sys', 'run', 'mnt', 'tmp', 'var', 'lpmos/site'];
  return [
    ...emptyFolders.map((name): CpioEntry => ({ kind: 'directory', name, mode: 0o755 })),
    // The kernel opens /dev/console for /init before anything is mounted on /dev.
    { kind: 'character-device', name: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'character-device', name: 'dev/null', mode: 0o666, major: 1, minor: 3 },
    { kind: 'file', name: 'init', mode: 0o755, content: await recipe('init') },
    { kind: 'file', name: 'lpmos/dhcp-lease', mode: 0o755, content: await recipe('dhcp-lease') },
    { kind: 'file', name: 'lpmos/agent.cjs', mode: 0o644, content: await readFile(options.agentBundle) },
    { kind: 'file', name: 'lpmos/version', mode: 0o644, content: text(`${label}\n`) },
    { kind: 'file', name: 'etc/passwd', mode: 0o644, content: text('root:x:0:0:root:/:/bin/sh\n') },
    { kind: 'file', name: 'etc/group', mode: 0o644, content: text('root:x:0:\n') },
    { kind: 'file', name: 'etc/hosts', mode: 0o644, content: text('127.0.0.1 localhost\n::1 localhost\n') },
    { kind: 'file', name: 'etc/nsswitch.conf', mode: 0o644, content: text('hosts: files dns\n') },
  ];
}

async function assemble(
  options: RamdiskOptions,
  inputs: Inputs,
  label: string,
  workDir: string,
): Promise<string> {
  const report = options.onProgress ?? ((): void => undefined);
  report(`ramdisk: unpacking ${inputs.kernel.name} and ${inputs.busybox.name}`);
  const kernelDir = join(workDir, 'kernel');
  const busyboxDir = join(workDir, 'busybox');
  await extractPackage(inputs.kernel, kernelDir);
  await extractPackage(inputs.busybox, busyboxDir);
  report('ramdisk: choosing kernel modules, stripping Node');
  const kernel = await collectKernelFiles(kernelDir, join(workDir, 'modules'));
  const entries = [
    ...kernel.entries,
    ...(await collectNodeRuntime(process.execPath, workDir)),
    ...(await collectBusybox(busyboxDir)),
    ...(await fixedEntries(options, label)),
  ];
  const archive = join(workDir, 'initramfs.cpio');
  await writeFile(archive, encodeCpio(withParents(entries)));
  report('ramdisk: compressing');
  // Two workers always, not one per processor: the number of workers is part of what decides the bytes.
  await runCommand('zstd', ['-q', ZSTD_LEVEL, '-T2', '-f', archive, '-o', join(workDir, 'initramfs.img')]);
  const image = join(workDir, 'initramfs.img');
  await truncate(image, Math.ceil((await stat(image)).size / INITRAMFS_ALIGNMENT) * INITRAMFS_ALIGNMENT);
  await rename(kernel.imagePath, join(workDir, 'vmlinuz'));
  return kernel.version;
}

/** Builds the ramdisk, or finds it built from exactly these inputs before. Returns its manifest. */
export async function buildRamdisk(options: RamdiskOptions): Promise<RamdiskManifest> {
  const cacheDir = options.cacheDir ?? DEFAULT_CACHE_DIR;
  const inputs = await collectInputs(options, cacheDir);
  const inputDigest = digestOfInputs(inputs.digests);
  const finished = await finishedBuild(options.outDir, inputDigest);
  if (finished !== undefined) return finished;

  await mkdir(options.outDir, { recursive: true });
  const workDir = await mkdtemp(join(options.outDir, '.build-'));
  try {
    const label = `${inputDigest.slice(0, 12)}, Node ${process.version}`;
    const kernelVersion = await assemble(options, inputs, label, workDir);
    const manifest: RamdiskManifest = {
      schema_version: 1,
      input_digest: inputDigest,
      kernel_version: kernelVersion,
      node_version: process.version,
      vmlinuz: await factsOf(join(workDir, 'vmlinuz')),
      initramfs: await factsOf(join(workDir, 'initramfs.img')),
      inputs: inputs.digests,
    };
    await rm(join(options.outDir, 'manifest.json'), { force: true });
    for (const name of ['vmlinuz', 'initramfs.img'])
      await rename(join(workDir, name), join(options.outDir, name));
    await writeFile(join(workDir, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
    await rename(join(workDir, 'manifest.json'), join(options.outDir, 'manifest.json'));
    return manifest;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}
