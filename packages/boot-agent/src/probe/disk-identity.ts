/**
 * What names a disk beyond one boot: model, serial, WWN and the names that udev would give it below /dev/disk/by-id. Pure.
 * Not here: reading sysfs (disks.ts) and choosing a disk (core).
 * Invariant: the same attributes always give the same identity; a grant is bound to it.
 */
export type Transport = 'nvme' | 'virtio' | 'ata' | 'scsi' | 'other';

/** sysfs attributes as read; undefined where the driver has none. */
export interface DiskAttributes {
  readonly name: string;
  readonly model: string | undefined;
  readonly vendor: string | undefined;
  /** /sys/block/X/serial (virtio) or device/serial (NVMe). */
  readonly serial: string | undefined;
  /** /sys/block/X/wwid (NVMe) or device/wwid (SCSI and ATA). */
  readonly wwid: string | undefined;
  /** VPD page 0x80: four bytes of header, then the serial. libata makes one for ATA disks. */
  readonly vpd80: Uint8Array | undefined;
}

export interface DiskNames {
  readonly transport: Transport;
  readonly model: string;
  readonly serial: string;
  readonly wwn: string;
  readonly byId: readonly string[];
}

export function identifyDisk(disk: DiskAttributes): DiskNames {
  const transport = transportOf(disk);
  const ata = ataOf(disk.wwid);
  const vendor = transport === 'scsi' ? (disk.vendor ?? '') : '';
  // The model of ATA disks is cut to 16 characters in sysfs; their T10 identifier holds all 40.
  const model = squeeze(ata?.model ?? `${vendor} ${disk.model ?? ''}`);
  const serial = (disk.serial ?? '').trim() || vpdSerial(disk.vpd80) || (ata?.serial ?? '');
  const wwn = wwnOf(transport, disk.wwid);
  return { transport, model, serial, wwn, byId: byIdNames({ transport, model, serial, wwn }) };
}

function transportOf(disk: DiskAttributes): Transport {
  if (disk.name.startsWith('nvme')) return 'nvme';
  if (disk.name.startsWith('vd')) return 'virtio';
  if (!disk.name.startsWith('sd')) return 'other';
  return disk.vendor?.trim() === 'ATA' ? 'ata' : 'scsi';
}

/** `t10.ATA     <model, 40 characters><serial, 20 characters>`; the kernel squeezes nothing, sysfs trims the end. */
function ataOf(wwid: string | undefined): { model: string; serial: string } | undefined {
  const match = /^t10\.ATA {5}(.{40})(.{1,20})$/.exec(wwid ?? '');
  return match === null ? undefined : { model: match[1]?.trim() ?? '', serial: match[2]?.trim() ?? '' };
}

function vpdSerial(page: Uint8Array | undefined): string {
  if (page === undefined || page.length < 4 || page[1] !== 0x80) return '';
  const length = ((page[2] ?? 0) << 8) | (page[3] ?? 0);
  return Buffer.from(page.subarray(4, 4 + length))
    .toString('latin1')
    .replaceAll('\0', '')
    .trim();
}

function wwnOf(transport: Transport, wwid: string | undefined): string {
  const text = (wwid ?? '').trim();
  if (text.startsWith('naa.')) return `0x${text.slice(4).toLowerCase()}`;
  if (transport === 'nvme' || text.startsWith('eui.')) return squeeze(text).replaceAll(' ', '_');
  return '';
}

/** Rules 60-persistent-storage of udev, for whole disks. */
function byIdNames(disk: Omit<DiskNames, 'byId'>): string[] {
  const full = [disk.model, disk.serial]
    .filter((part) => part !== '')
    .map(udevText)
    .join('_');
  const names: string[] = [];
  if (disk.transport === 'virtio' && disk.serial !== '') names.push(`virtio-${udevText(disk.serial)}`);
  if (disk.transport === 'ata' && disk.serial !== '') names.push(`ata-${full}`);
  if (disk.transport === 'nvme') {
    if (disk.wwn !== '') names.push(`nvme-${disk.wwn}`);
    if (disk.serial !== '') names.push(`nvme-${full}`);
  }
  if (disk.transport === 'scsi' && disk.wwn !== '') names.push(`scsi-3${disk.wwn.slice(2)}`);
  if (disk.transport !== 'nvme' && disk.wwn !== '') names.push(`wwn-${disk.wwn}`);
  return names;
}

const squeeze = (text: string): string => text.trim().replace(/\s+/g, ' ');

/** udev keeps letters, digits and #+-.:=@_ and replaces the rest. */
const udevText = (text: string): string =>
  squeeze(text)
    .replaceAll(' ', '_')
    .replace(/[^\w#+\-.:=@]/g, '_');
