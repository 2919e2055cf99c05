/** The files that a region advertises: what is wrong with any of them is said at once. */
import type { RegionalDaemonConfig } from './config';
import { readBootFiles } from './machine-doors';
import { temporaryFolder } from './testing/region-fixtures';

const folder = temporaryFolder();
const configOf = (change: Partial<RegionalDaemonConfig>): RegionalDaemonConfig =>
  ({ loaderDir: folder(), uefiChain: 'ipxe', ...change }) as RegionalDaemonConfig;

describe('the files that a region advertises', () => {
  it('are refused with the problems of loaders and of the signed chain together', async () => {
    const wrong = configOf({
      loaders: { arm64: '/none/arm.efi' },
      ...{ uefiChain: 'grub', shimFile: '/none/shim', grubFile: '/none/grub' },
    });
    await expect(readBootFiles(wrong, [])).rejects.toMatchObject({
      code: 'invalid_argument',
      message: expect.stringMatching(/arm64: \/none\/arm\.efi.*shim_file: .*grub_file: /s) as string,
      fields: [{ path: 'arm64' }, { path: 'shim_file' }, { path: 'grub_file' }],
    });
  });

  it('need no signed loaders where nobody has chosen them', async () => {
    const read = await readBootFiles(configOf({ shimFile: '/none/shim', grubFile: '/none/grub' }), []);
    expect(read.grubFiles).toBeUndefined();
  });
});
