/**
 * Where everything lies in the image: partitions and their GPT description, and the patches that make GRUB's two BIOS
 * stages find each other. Pure: numbers and bytes in, text and bytes out.
 * Invariant: partition 1 is for GRUB on BIOS, 2 for UEFI, 3 the root and the last one, so that it can grow.
 */
export const SECTOR_BYTES = 512;
const MIB_SECTORS = 2048;

export const ROOT_PARTITION_LABEL = 'lpmos-root';

/** FAT32 needs some 33 MiB at least, and firmware exists that reads nothing else; empty space costs nothing in gzip. */
export const ESP_MIB = 48;
const BIOS_BOOT_MIB = 1;
/** The backup of the partition table takes 33 sectors at the end. */
const TAIL_MIB = 1;

export interface DiskLayout {
  readonly biosBootSector: number;
  readonly espSector: number;
  readonly rootSector: number;
  readonly rootSectors: number;
  readonly totalBytes: number;
}

export function planLayout(rootMiB: number): DiskLayout {
  const biosBootSector = MIB_SECTORS;
  const espSector = biosBootSector + BIOS_BOOT_MIB * MIB_SECTORS;
  const rootSector = espSector + ESP_MIB * MIB_SECTORS;
  const rootSectors = rootMiB * MIB_SECTORS;
  const totalBytes = (rootSector + rootSectors + TAIL_MIB * MIB_SECTORS) * SECTOR_BYTES;
  return { biosBootSector, espSector, rootSector, rootSectors, totalBytes };
}

/** Input of sfdisk. The root's type is "Linux root (x86-64)", by which systemd recognises and grows it. */
export function partitionScript(layout: DiskLayout): string {
  const types = {
    biosBoot: '21686148-6449-6E6F-744E-656564454649',
    esp: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
    root: '4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709',
  };
  const line = (start: number, size: number, type: string, name: string): string =>
    `start=${start}, size=${size}, type=${type}, name="${name}"`;
  return [
    'label: gpt',
    'unit: sectors',
    `first-lba: ${MIB_SECTORS}`,
    '',
    line(layout.biosBootSector, BIOS_BOOT_MIB * MIB_SECTORS, types.biosBoot, 'lpmos-bios'),
    line(layout.espSector, ESP_MIB * MIB_SECTORS, types.esp, 'lpmos-efi'),
    line(layout.rootSector, layout.rootSectors, types.root, ROOT_PARTITION_LABEL),
    '',
  ].join('\n');
}

/** Offsets in GRUB's boot.img and in the first sector of its core image (grub-core/boot/i386/pc). */
const BOOT_IMG_CORE_SECTOR = 0x5c;
const BOOT_IMG_DRIVE_CHECK = 0x66;
const BOOT_CODE_BYTES = 440;
const CORE_BLOCKLIST = SECTOR_BYTES - 12;
/** Real-mode segment right behind the first core sector at 0x8000. */
const CORE_LOAD_SEGMENT = 0x820;
const NOP = 0x90;

/** Boot code for the first sector of the disk; the partition table behind byte 440 is not part of it. */
export function patchBootSector(bootImg: Uint8Array, coreSector: number): Uint8Array {
  const code = Uint8Array.from(bootImg.subarray(0, BOOT_CODE_BYTES));
  new DataView(code.buffer).setBigUint64(BOOT_IMG_CORE_SECTOR, BigInt(coreSector), true);
  // As grub-bios-setup does for hard disks: some firmware passes a wrong drive number, the check repairs it.
  code.fill(NOP, BOOT_IMG_DRIVE_CHECK, BOOT_IMG_DRIVE_CHECK + 2);
  return code;
}

/** The core image padded to sectors, its first sector told where the rest lies. */
export function patchCoreImage(core: Uint8Array, coreSector: number): Uint8Array {
  const sectors = Math.ceil(core.length / SECTOR_BYTES);
  if (sectors > BIOS_BOOT_MIB * MIB_SECTORS)
    throw new Error('the GRUB core image does not fit its partition');
  const padded = new Uint8Array(sectors * SECTOR_BYTES);
  padded.set(core);
  const view = new DataView(padded.buffer);
  view.setBigUint64(CORE_BLOCKLIST, BigInt(coreSector + 1), true);
  view.setUint16(CORE_BLOCKLIST + 8, sectors - 1, true);
  view.setUint16(CORE_BLOCKLIST + 10, CORE_LOAD_SEGMENT, true);
  return padded;
}
