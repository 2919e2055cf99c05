/**
 * Real firmware from power-on to a running boot agent: the rows of the firmware matrix that every test run boots, with the region as DHCP
 * server, as proxy beside somebody else's server, and on a wire that loses frames. `pnpm run matrix` boots all rows and prints their seconds.
 * Not responsible for installations (first-machine, uefi-disk) or Secure Boot (secure-boot).
 */
import { describeWhen } from '../integration/harness/it-when';
import { bootCell, REPORT_MS } from './harness/boot-cell';
import { FIRMWARE_CELLS } from './harness/firmware-cells';
import type { FirmwareCell } from './harness/firmware-cells';
import { BUILD_MS, startLab } from './harness/lab';
import type { Lab } from './harness/lab';
import type { LabSettings } from './harness/lab-protocol';
import { missingForLab } from './harness/prerequisites';

const MINUTE = 60_000;
/** DHCP and TFTP of firmware, DHCP and HTTP of iPXE: the chain with the most to lose. */
const ON_A_LOSSY_WIRE = 'uefi/server/virtio/virtio';
const WIRES: readonly (readonly [
  name: string,
  Pick<LabSettings, 'link' | 'lossPercent'>,
  (cell: FirmwareCell) => boolean,
])[] = [
  ['as server', { link: 'server' }, ({ link, always }) => always && link === 'server'],
  ['as proxy', { link: 'proxy' }, ({ link, always }) => always && link === 'proxy'],
  [
    'on a wire that loses 5 % of all frames',
    { link: 'server', lossPercent: 5 },
    ({ name }) => name === ON_A_LOSSY_WIRE,
  ],
];

describeWhen(missingForLab())('the firmware matrix', () => {
  describe.each(WIRES)('the region %s', (_wire, settings, isBooted) => {
    const cells = FIRMWARE_CELLS.filter(isBooted);
    let lab: Lab;
    /** Cells that began and did not pass; their logs are kept. */
    let open = 0;

    beforeAll(
      async () => {
        lab = await startLab(settings);
      },
      BUILD_MS + 5 * MINUTE,
    );
    afterAll(async () => {
      await lab?.stop({ keep: open > 0 });
    }, MINUTE);

    it.each(cells.map((cell) => [cell.name, cell] as const))(
      '%s: from power-on to the hardware report',
      async (_name, cell) => {
        open += 1;
        try {
          const { problems } = await bootCell(lab, cell);
          expect(problems).toEqual([]);
          open -= 1;
        } catch (thrown) {
          (thrown as Error).message += `\n\nLogs, consoles and disks are kept in ${lab.dir}`;
          throw thrown;
        }
      },
      REPORT_MS + 3 * MINUTE,
    );
  });
});
