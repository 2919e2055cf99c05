/**
 * The device node of a partition by its GPT label. The kernel is told to read the new table; then the node is waited for, and its
 * start must be the one in the table, because nodes of the old table may linger.
 */
import type { Gpt, GptPartition } from '../disk/gpt';
import type { HostReader } from '../host-reader';
import { InstallFailure } from './failure';

const COMMAND_MS = 30_000;
const NODE_WAIT_MS = 15_000;
const LOOK_EVERY_MS = 100;
const SYSFS_SECTOR = 512;

export function partitionByLabel(gpt: Gpt, label: string): GptPartition {
  const found = gpt.partitions.filter((part) => part.label === label);
  const [partition] = found;
  if (partition !== undefined && found.length === 1) return partition;
  const labels = gpt.partitions.map((part) => part.label || '(none)').join(', ');
  const count = found.length === 0 ? 'no partition' : `${found.length} partitions`;
  throw new InstallFailure(
    'personalisation',
    `the image has ${count} labelled ${label} (labels: ${labels}); fix the image`,
  );
}

/** `sda` + 1 is `sda1`, `nvme0n1` + 1 is `nvme0n1p1`. */
export function partitionName(disk: string, number: number): string {
  return /\d$/.test(disk) ? `${disk}p${number}` : `${disk}${number}`;
}

/** Makes the kernel see the table on `device` and gives the node of `partition`, as a path of the machine. */
export async function appearPartition(options: {
  readonly reader: HostReader;
  readonly device: string;
  readonly partition: GptPartition;
  readonly nowMs: () => number;
}): Promise<string> {
  const { reader, device, partition, nowMs } = options;
  const disk = device.replace('/dev/', '');
  const name = partitionName(disk, partition.number);
  const deadline = nowMs() + NODE_WAIT_MS;
  for (;;) {
    // Busy while somebody still looks at the old partitions, so it is asked again.
    const { code, output } = await reader.run(['blockdev', '--rereadpt', device], COMMAND_MS);
    const start = Number(await reader.readFile(`/sys/block/${disk}/${name}/start`)) * SYSFS_SECTOR;
    if (code === 0 && start === partition.startBytes && (await reader.exists(`/dev/${name}`)))
      return `/dev/${name}`;
    if (nowMs() >= deadline) {
      const seen = code === 0 ? `/dev/${name} does not appear` : output;
      throw new InstallFailure(
        'personalisation',
        `the kernel does not take the new partition table of ${device}: ${seen}`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}
