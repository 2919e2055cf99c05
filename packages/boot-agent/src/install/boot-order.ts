/**
 * Puts the disk that was just installed first in the boot order of a UEFI machine, so that a machine that tries the network first no longer
 * waits for it. Reads and writes variables of efivarfs, where each is a file: four bytes of attributes, then the value, in one write.
 * What to write is boot-order-plan.ts, the bytes are load-option.ts.
 * Never fails an installation: a machine whose variables cannot be written still boots its disk, by way of the network.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import type { Disk } from '@lpmos/core';
import { partitionGuid } from '../disk/gpt';
import type { Gpt, GptPartition } from '../disk/gpt';
import type { HostReader } from '../host-reader';
import { planBootOrder, ENTRY_NAME } from './boot-order-plan';
import type { BootVariables, VariableWrite } from './boot-order-plan';
import { reasonOf } from './failure';
import { encodeLoadOption } from './load-option';
import { appearPartition } from './partition-device';

const VARIABLES = '/sys/firmware/efi/efivars';
/** EFI_GLOBAL_VARIABLE. */
const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
/** Non-volatile, seen by boot services and by the running system: what every Boot variable has. */
const ATTRIBUTES = Buffer.of(7, 0, 0, 0);
const ESP_TYPE = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
/** The largest entries have a vendor's data behind the path. */
const LARGEST_VARIABLE = 64 * 1024;
const MOUNT_POINT = '/mnt/esp';
const COMMAND_MS = 30_000;
/** Suffixes of loaders by the processor that Node was built for (UEFI 2.10 section 3.5.1.1). */
const SUFFIX: Readonly<Record<string, string>> = {
  x64: 'x64',
  ia32: 'ia32',
  arm64: 'aa64',
  riscv64: 'riscv64',
};

export type BootOrderOutcome =
  | { readonly kind: 'done'; readonly message: string }
  /** Nothing to do here: BIOS, or the task forbids it. */
  | { readonly kind: 'skipped'; readonly message: string }
  | { readonly kind: 'warning'; readonly message: string };

export interface BootOrderOptions {
  readonly reader: HostReader;
  readonly disk: Disk;
  readonly gpt: Gpt;
  readonly nowMs: () => number;
  /** Name of the processor as Node says it. */
  readonly processor: string;
}

/** Never throws. */
export async function putDiskFirst(options: BootOrderOptions): Promise<BootOrderOutcome> {
  const { reader, gpt, disk } = options;
  if (!(await reader.exists('/sys/firmware/efi')))
    return skipped('this machine has BIOS, which keeps its own order');
  try {
    const names = await reader.listDir(VARIABLES);
    if (names.length === 0) throw new Error(`${VARIABLES} is empty or not mounted`);
    const partition = gpt.partitions.find(({ typeGuid }) => typeGuid === ESP_TYPE);
    if (partition === undefined) throw new Error('the image has no EFI system partition');
    const option = encodeLoadOption({
      description: ENTRY_NAME,
      partition: {
        number: partition.number,
        startSector: BigInt(partition.startBytes / gpt.sectorSize),
        sectors: BigInt(partition.sizeBytes / gpt.sectorSize),
        guid: partitionGuid(gpt, partition),
      },
      file: await findLoader(options, partition),
    });
    const plan = planBootOrder(await readVariables(reader, names), option);
    if (plan === undefined) throw new Error('all numbers of boot entries are taken');
    for (const write of plan.writes) await writeVariable(reader, write);
    const done = plan.writes.length === 0 ? 'is first already' : 'is first now';
    return { kind: 'done', message: `UEFI boot order: ${disk.device} ${done} (${plan.entry})` };
  } catch (thrown) {
    return {
      kind: 'warning',
      message: `the UEFI boot order stays as it is: ${reasonOf(thrown)}; the machine boots its disk by way of the network`,
    };
  }
}

function skipped(message: string): BootOrderOutcome {
  return { kind: 'skipped', message };
}

async function readVariables(reader: HostReader, names: readonly string[]): Promise<BootVariables> {
  const value = async (name: string): Promise<Uint8Array | undefined> =>
    (await reader.readBytes(`${VARIABLES}/${name}`, 0, LARGEST_VARIABLE))?.subarray(ATTRIBUTES.length);
  const entries = new Map<number, Uint8Array>();
  for (const name of names) {
    const number = /^Boot([0-9A-F]{4})-(.*)$/i.exec(name);
    if (number?.[2] !== GLOBAL) continue;
    // One that cannot be read is taken all the same: its number is not free.
    entries.set(Number.parseInt(number[1] ?? '', 16), (await value(name)) ?? new Uint8Array());
  }
  const orderName = `BootOrder-${GLOBAL}`;
  const order = await value(orderName);
  // Written from nothing it would lose every entry that stands in it.
  if (order === undefined && names.includes(orderName)) throw new Error('BootOrder cannot be read');
  return { order, entries };
}

/** Read back, because some firmware takes a write and keeps the old value. */
async function writeVariable(reader: HostReader, { name, value }: VariableWrite): Promise<void> {
  const path = `${VARIABLES}/${name}-${GLOBAL}`;
  const bytes = Buffer.concat([ATTRIBUTES, value]);
  await writeFile(reader.hostPath(path), bytes);
  const kept = await reader.readBytes(path, 0, LARGEST_VARIABLE);
  if (kept === undefined || !bytes.equals(kept)) throw new Error(`the firmware did not keep ${name}`);
}

/**
 * shim of the installed distribution when there is one, else the file that every disk has for firmware without entries. A partition that
 * cannot be looked at is taken to have that.
 */
async function findLoader(options: BootOrderOptions, partition: GptPartition): Promise<string> {
  const { reader, disk, nowMs } = options;
  const suffix = SUFFIX[options.processor] ?? 'x64';
  const fallback = `\\EFI\\BOOT\\BOOT${suffix.toUpperCase()}.EFI`;
  try {
    const device = await appearPartition({ reader, device: disk.device, partition, nowMs });
    await mkdir(reader.hostPath(MOUNT_POINT), { recursive: true });
    const mount = ['mount', '-t', 'vfat', '-o', 'ro,nosuid,nodev,noexec', device, MOUNT_POINT] as const;
    if ((await reader.run(mount, COMMAND_MS)).code !== 0) return fallback;
    try {
      return (await vendorLoader(reader, `shim${suffix}.efi`)) ?? fallback;
    } finally {
      await reader.run(['umount', MOUNT_POINT], COMMAND_MS);
    }
  } catch {
    return fallback;
  }
}

async function vendorLoader(reader: HostReader, shim: string): Promise<string | undefined> {
  for (const vendor of await reader.listDir(`${MOUNT_POINT}/EFI`)) {
    if (vendor.toLowerCase() === 'boot' || !/^[\w.+-]{1,64}$/.test(vendor)) continue;
    const files = await reader.listDir(`${MOUNT_POINT}/EFI/${vendor}`);
    const file = files.find((name) => name.toLowerCase() === shim);
    if (file !== undefined) return `\\EFI\\${vendor}\\${file}`;
  }
  return undefined;
}
