/**
 * Builds what the lab boots and installs (programs, ramdisk, image; minutes the first time, a moment from the cache) and prints where
 * it lies as one line of JSON. A process of its own, because it needs the host's network, which the lab does not have.
 */
import { buildPrograms } from '../../../scripts/build';
import { buildMachineArtefacts } from '../../../scripts/quickstart/artefacts';
import { createSteps } from '../../../scripts/quickstart/steps';

async function build(): Promise<void> {
  const steps = createSteps((text) => void process.stderr.write(text));
  await buildPrograms();
  process.stdout.write(`${JSON.stringify(await buildMachineArtefacts(steps))}\n`);
}

void build().catch((thrown: unknown) => {
  process.stderr.write(`build: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
  process.exit(1);
});
