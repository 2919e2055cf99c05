/**
 * A whole installation on a UEFI machine whose variables are a folder, read afterwards by efibootmgr: it sees one entry that leads to the
 * installed disk, first in the order, and none where the task forbids it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canMountLoop, makeTestImage, prepareBench } from '@lpmos/boot-agent';
import type { Bench, BenchMessage } from '@lpmos/boot-agent';
import { describeWhen } from './harness/it-when';

const VARIABLES = '/sys/firmware/efi/efivars';
const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
/** Boot0000 of OVMF, "UEFI PXEv4", cut to what matters: active, a name, an end node. */
const PXE = Buffer.concat([
  Buffer.of(1, 0, 0, 0, 4, 0),
  Buffer.from('PXE\0', 'utf16le'),
  Buffer.of(0x7f, 0xff, 4, 0),
]);
const image = makeTestImage();
const result = (message: BenchMessage) => (message.$case === 'result' ? message.value : undefined);

function missing(): string | undefined {
  if (!canMountLoop()) return 'no loop mounts here, so no image is installed';
  try {
    execFileSync('efibootmgr', ['--version'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'no efibootmgr on this host; as root: apt-get install efibootmgr';
  }
}

function efibootmgr(bench: Bench): string {
  const env = { ...process.env, EFIVARFS_PATH: `${join(bench.machine.root, VARIABLES)}/` };
  return execFileSync('efibootmgr', ['-v'], { env, encoding: 'utf8', stdio: 'pipe' });
}

async function install(bench: Bench, keepBootOrder: boolean): Promise<void> {
  const ended = bench.start();
  await bench.order({ install: { keepBootOrder } });
  expect(await bench.region.next('result', result)).toMatchObject({ success: true });
  expect(await ended).toBe(0);
}

/** GUID of the first partition, as sfdisk reads it from the disk. */
function espGuid(bench: Bench): string {
  return execFileSync('sfdisk', ['--part-uuid', bench.disk, '1'], { encoding: 'utf8' }).trim().toLowerCase();
}

describeWhen(missing())('the boot order after an installation', () => {
  let bench: Bench;
  const put = (name: string, value: Buffer): void =>
    bench.machine.write(`${VARIABLES}/${name}-${GLOBAL}`, Buffer.concat([Buffer.of(7, 0, 0, 0), value]));
  beforeEach(async () => {
    bench = await prepareBench(image);
    put('Boot0000', PXE);
    put('BootOrder', Buffer.of(0, 0));
  });
  afterEach(async () => bench.stop());

  it('has the installed disk first, in one entry that efibootmgr understands', async () => {
    await install(bench, false);
    const seen = efibootmgr(bench);
    expect(seen).toContain('BootOrder: 0001,0000');
    expect(seen).toContain(
      `Boot0001* LPMOS installed system\tHD(1,GPT,${espGuid(bench)},0x800,0x800)/File(\\EFI\\BOOT\\BOOTX64.EFI)`,
    );
    expect(bench.console()).toContain('UEFI boot order: /dev/vda is first now (Boot0001)');
  });

  it('stays as it is when the task says so', async () => {
    await install(bench, true);
    expect(efibootmgr(bench)).not.toContain('LPMOS');
    expect(readFileSync(join(bench.machine.root, VARIABLES, `BootOrder-${GLOBAL}`)).toString('hex')).toBe(
      '070000000000',
    );
  });
});
