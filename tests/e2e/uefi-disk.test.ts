/**
 * A UEFI machine through a whole installation and back to its disk: with the network imposed as first boot device for good, and with the
 * order in its own variables, which the agent changes. Two power-ons each here; `pnpm run matrix` makes ten.
 * Not responsible for BIOS (first-machine) and for how firmware reaches the agent (firmware-matrix).
 */
import { describeWhen } from '../integration/harness/it-when';
import { lifeOf, LIVES } from './harness/firmware-lives';
import { BUILD_MS, startLab } from './harness/lab';
import type { Lab } from './harness/lab';
import { DISK_BOOT_MS, LIFE_MS } from './harness/machine-life';
import { missingForLab } from './harness/prerequisites';

const MINUTE = 60_000;
const DISK_BOOTS = 2;

describeWhen(missingForLab())('an installed UEFI machine', () => {
  let lab: Lab;
  let open = 0;

  beforeAll(
    async () => {
      lab = await startLab({ link: 'server' });
    },
    BUILD_MS + 5 * MINUTE,
  );
  afterAll(async () => {
    await lab?.stop({ keep: open > 0 });
  }, MINUTE);

  it.each(LIVES.map((life) => [life.name, life] as const))(
    '%s: boots its disk at every further power-on and is not installed again',
    async (_name, life) => {
      open += 1;
      try {
        const { problems } = await lifeOf(lab, life, DISK_BOOTS);
        expect(problems).toEqual([]);
        open -= 1;
      } catch (thrown) {
        (thrown as Error).message += `\n\nLogs, consoles and disks are kept in ${lab.dir}`;
        throw thrown;
      }
    },
    LIFE_MS + DISK_BOOTS * DISK_BOOT_MS + 2 * MINUTE,
  );
});
