/**
 * Real firmware from power-on to a running boot agent: the rows of the firmware matrix that every test run boots, with the region as DHCP
 * server and as proxy beside somebody else's server. `pnpm run matrix` boots all rows and prints their seconds.
 * Not responsible for installations (first-machine, uefi-disk) or Secure Boot (secure-boot).
 */
import { describeWhen } from '../integration/harness/it-when';
import { bootCell, REPORT_MS } from './harness/boot-cell';
import { FIRMWARE_CELLS } from './harness/firmware-cells';
import { BUILD_MS, startLab } from './harness/lab';
import type { Lab } from './harness/lab';
import type { LinkOfLab } from './harness/lab-protocol';
import { missingForLab } from './harness/prerequisites';

const MINUTE = 60_000;
const LINKS: readonly LinkOfLab[] = ['server', 'proxy'];

describeWhen(missingForLab())('the firmware matrix', () => {
  describe.each(LINKS)('the region as %s', (link) => {
    const cells = FIRMWARE_CELLS.filter((cell) => cell.link === link && cell.always);
    let lab: Lab;
    /** Cells that began and did not pass; their logs are kept. */
    let open = 0;

    beforeAll(
      async () => {
        lab = await startLab({ link });
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
