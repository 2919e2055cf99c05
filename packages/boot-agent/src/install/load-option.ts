/**
 * EFI_LOAD_OPTION, the value of a Boot#### variable, for a program on a partition: encoded and read back. Pure.
 * UEFI specification 2.10, sections 3.1.3 (load options), 10.3.5.1 (hard drive path) and 10.3.5.4 (file path). The path is the short form
 * that begins with the partition: firmware finds the disk by the partition's GUID, on whichever controller it is.
 * Bytes are those of efibootmgr, which a test compares.
 */

export interface DiskLoader {
  /** What the firmware's menu shows. */
  readonly description: string;
  readonly partition: {
    /** Counted from 1. */
    readonly number: number;
    readonly startSector: bigint;
    readonly sectors: bigint;
    /** The partition's own GUID as its 16 bytes stand in the table. */
    readonly guid: Uint8Array;
  };
  /** From the root of the partition, with backslashes: `\EFI\BOOT\BOOTX64.EFI`. */
  readonly file: string;
}

export interface LoadOption {
  readonly active: boolean;
  readonly description: string;
  /** Device path list without optional data. */
  readonly path: Uint8Array;
}

const ACTIVE = 1;
const MEDIA = 4;
const HARD_DRIVE = { subtype: 1, length: 42 } as const;
const FILE_PATH_SUBTYPE = 4;
const NODE_HEADER = 4;
const GUID_BYTES = 16;
const GPT_FORMAT = 2;
const GUID_SIGNATURE = 2;
const END_OF_PATH = Buffer.of(0x7f, 0xff, NODE_HEADER, 0);
/** Attributes (4 bytes) and length of the path list (2). */
const OPTION_HEADER = 6;

export function encodeLoadOption(loader: DiskLoader): Buffer {
  const path = Buffer.concat([hardDriveNode(loader.partition), fileNode(loader.file), END_OF_PATH]);
  const header = Buffer.alloc(OPTION_HEADER);
  header.writeUInt32LE(ACTIVE, 0);
  header.writeUInt16LE(path.length, 4);
  return Buffer.concat([header, ucs2(loader.description), path]);
}

/** @returns undefined for bytes that are no load option; variables are written by anybody. */
export function decodeLoadOption(bytes: Uint8Array): LoadOption | undefined {
  const option = Buffer.from(bytes);
  if (option.length < OPTION_HEADER) return undefined;
  const pathLength = option.readUInt16LE(4);
  for (let at = OPTION_HEADER; at + 2 <= option.length; at += 2) {
    if (option.readUInt16LE(at) !== 0) continue;
    const pathStart = at + 2;
    if (pathStart + pathLength > option.length) return undefined;
    return {
      active: (option.readUInt32LE(0) & ACTIVE) !== 0,
      description: option.toString('utf16le', OPTION_HEADER, at),
      path: option.subarray(pathStart, pathStart + pathLength),
    };
  }
  return undefined;
}

function hardDriveNode({ number, startSector, sectors, guid }: DiskLoader['partition']): Buffer {
  if (guid.length !== GUID_BYTES) throw new RangeError(`a GUID has ${GUID_BYTES} bytes, not ${guid.length}`);
  const node = Buffer.alloc(HARD_DRIVE.length);
  node.set([MEDIA, HARD_DRIVE.subtype]);
  node.writeUInt16LE(HARD_DRIVE.length, 2);
  node.writeUInt32LE(number, 4);
  node.writeBigUInt64LE(startSector, 8);
  node.writeBigUInt64LE(sectors, 16);
  node.set(guid, 24);
  node.set([GPT_FORMAT, GUID_SIGNATURE], 40);
  return node;
}

function fileNode(file: string): Buffer {
  const name = ucs2(file);
  const header = Buffer.from([MEDIA, FILE_PATH_SUBTYPE, 0, 0]);
  header.writeUInt16LE(NODE_HEADER + name.length, 2);
  return Buffer.concat([header, name]);
}

function ucs2(text: string): Buffer {
  return Buffer.from(`${text}\0`, 'utf16le');
}
