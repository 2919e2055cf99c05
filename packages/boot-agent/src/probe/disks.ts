/**
 * The disks of a machine from sysfs: which there are, what they are and what is on them. Identity is disk-identity.ts,
 * contents are disk-contents.ts.
 * Invariant: what is no physical disk (loop, ram, optical, zram, md, device mapper) or has no size is never offered for writing.
 */
import type { Disk } from '@lpmos/core';
import { HARDWARE_LIMITS } from '@lpmos/proto';
import type { HostReader } from '../host-reader';
import { probeDiskContents } from './disk-contents';
import { identifyDisk } from './disk-identity';

const BLOCK = '/sys/block';
const NOT_DISKS = /^(?:loop|ram|zram|sr|fd|md|dm-|nbd|mtdblock|drbd|rbd|mmcblk\d+(?:boot|rpmb|gp))/;
/** /sys/block/X/size counts these whatever the disk's own sectors are. */
const SYSFS_SECTOR = 512;
const VPD_BYTES = 256;

export async function probeDisks(reader: HostReader): Promise<Disk[]> {
  const disks: Disk[] = [];
  for (const name of await reader.listDir(BLOCK)) {
    if (NOT_DISKS.test(name) || disks.length >= HARDWARE_LIMITS.disks) continue;
    const disk = await probeDisk(reader, name);
    if (disk !== undefined) disks.push(disk);
  }
  return disks;
}

/** Bytes of a disk or partition as the kernel says now; 0 when it is gone. */
export async function sizeOfBlockDevice(reader: HostReader, name: string): Promise<number> {
  const sectors = Number((await reader.readFile(`${BLOCK}/${name}/size`)) ?? 0);
  return Number.isSafeInteger(sectors * SYSFS_SECTOR) ? sectors * SYSFS_SECTOR : 0;
}

export async function logicalSectorSize(reader: HostReader, name: string): Promise<number> {
  const size = Number((await reader.readFile(`${BLOCK}/${name}/queue/logical_block_size`)) ?? SYSFS_SECTOR);
  return size === 4096 ? 4096 : SYSFS_SECTOR;
}

async function probeDisk(reader: HostReader, name: string): Promise<Disk | undefined> {
  const at = `${BLOCK}/${name}`;
  const sizeBytes = await sizeOfBlockDevice(reader, name);
  // Hidden: a single path of a multipath NVMe namespace, which has a node of its own.
  if (sizeBytes === 0 || (await reader.readFile(`${at}/hidden`)) === '1') return undefined;
  const names = identifyDisk({
    name,
    model: await reader.readFile(`${at}/device/model`),
    vendor: await reader.readFile(`${at}/device/vendor`),
    serial: (await reader.readFile(`${at}/serial`)) ?? (await reader.readFile(`${at}/device/serial`)),
    wwid: (await reader.readFile(`${at}/wwid`)) ?? (await reader.readFile(`${at}/device/wwid`)),
    vpd80: await reader.readBytes(`${at}/device/vpd_pg80`, 0, VPD_BYTES),
  });
  const rotational = (await reader.readFile(`${at}/queue/rotational`)) === '1';
  const device = `/dev/${name}`;
  return {
    device,
    size_gb: Math.round(sizeBytes / 1e8) / 10,
    size_bytes: sizeBytes,
    type: names.transport === 'nvme' ? 'NVMe' : rotational ? 'HDD' : 'SSD',
    model: names.model,
    serial: names.serial,
    wwn: names.wwn,
    by_id: names.byId.slice(0, HARDWARE_LIMITS.byId),
    removable: (await reader.readFile(`${at}/removable`)) === '1' || (await isUsb(reader, at)),
    contents: await probeDiskContents({
      readAt: async (offset, length) => reader.readBytes(device, offset, length),
      sizeBytes,
      sectorSize: await logicalSectorSize(reader, name),
    }),
  };
}

/** Drives behind USB say "not removable", although somebody will unplug them. */
async function isUsb(reader: HostReader, at: string): Promise<boolean> {
  return (await reader.realPath(at))?.includes('/usb') === true;
}
