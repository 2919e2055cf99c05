/** What a machine downloads before the agent runs, from the manifest of the built ramdisk and the files themselves. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { atMost, rounded } from './harness/benchmark';
import type { Benchmark } from './harness/benchmark';
import { ROOT } from './harness/provenance';

const FOLDER = join(ROOT, '.cache', 'ramdisk');

interface Manifest {
  readonly kernel_version: string;
  readonly node_version: string;
}

export const ramdiskSize: Benchmark = {
  name: 'ramdisk-size',
  question: 'How large are kernel and initramfs?',
  run() {
    const manifestFile = join(FOLDER, 'manifest.json');
    if (!existsSync(manifestFile)) {
      throw new Error(
        'the ramdisk is not built; npm run quickstart builds it, or tsx scripts/ramdisk/build.ts',
      );
    }
    const manifest = JSON.parse(readFileSync(manifestFile, 'utf8')) as Manifest;
    const megabytes = (file: string): number => statSync(join(FOLDER, file)).size / 1e6;
    const [kernel, initramfs] = [megabytes('vmlinuz'), megabytes('initramfs.img')];
    return Promise.resolve({
      targets: [atMost('kernel and initramfs', 42, kernel + initramfs, 'MB')],
      tables: [
        {
          title: '',
          columns: ['file', 'MB', 'holds'],
          rows: [
            ['vmlinuz', rounded(kernel), `Debian's generic kernel ${manifest.kernel_version}`],
            [
              'initramfs.img',
              rounded(initramfs),
              `network and storage drivers, Node ${manifest.node_version}, the agent, busybox`,
            ],
          ],
        },
      ],
      remarks: ['The site initramfs (certificate and public key) adds some kilobytes.'],
    });
  },
};
