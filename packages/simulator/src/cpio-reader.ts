/**
 * Reads cpio archives in the "newc" form (magic 070701 or 070702), the form the Linux kernel unpacks as initramfs; gzip is taken
 * off first. Like the kernel it goes on over concatenated archives and the zero bytes between them.
 * Only regular files are handed out. Input is untrusted: every length is checked and what it may unpack to is bounded.
 */
import { gunzipSync } from 'node:zlib';

/** A site initramfs holds a few certificates; this keeps a hostile one from filling the memory. */
const LARGEST_UNPACKED_BYTES = 64 * 1024 * 1024;
const HEADER_BYTES = 110;
const TRAILER = 'TRAILER!!!';
const LONGEST_NAME = 4096;
const FILE_TYPE_MASK = 0o170000;
const REGULAR_FILE = 0o100000;

export class CpioError extends Error {
  constructor(problem: string) {
    super(`Not a usable initramfs: ${problem}`);
    this.name = 'CpioError';
  }
}

/**
 * The regular files of an initramfs by absolute name (`/lpmos/site/ca.pem`); a later file wins over an earlier one.
 * @throws CpioError naming the offset.
 */
export function readInitramfs(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const archive = unpack(bytes);
  const files = new Map<string, Uint8Array>();
  let offset = 0;
  while (offset < archive.length) {
    if (archive[offset] === 0) {
      offset += 1;
      continue;
    }
    const entry = readEntry(archive, offset);
    offset = entry.next;
    if (entry.name !== TRAILER && (entry.mode & FILE_TYPE_MASK) === REGULAR_FILE) {
      files.set(absoluteName(entry.name), entry.data);
    }
  }
  return files;
}

interface Entry {
  readonly name: string;
  readonly mode: number;
  readonly data: Uint8Array;
  readonly next: number;
}

function readEntry(archive: Uint8Array, offset: number): Entry {
  const header = ascii(slice(archive, offset, HEADER_BYTES, 'header'));
  if (!/^07070[12][0-9a-fA-F]{104}$/.test(header)) throw new CpioError(`no newc header at offset ${offset}`);
  const field = (index: number): number => Number.parseInt(header.slice(6 + index * 8, 14 + index * 8), 16);
  const mode = field(1);
  const size = field(6);
  const nameSize = field(11);
  if (nameSize < 1 || nameSize > LONGEST_NAME) {
    throw new CpioError(`name of ${nameSize} bytes at offset ${offset}`);
  }
  const name = ascii(slice(archive, offset + HEADER_BYTES, nameSize - 1, 'name'));
  const start = align4(offset + HEADER_BYTES + nameSize);
  return { name, mode, data: slice(archive, start, size, `data of ${name}`), next: align4(start + size) };
}

function unpack(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes, { maxOutputLength: LARGEST_UNPACKED_BYTES });
  } catch (thrown) {
    throw new CpioError(`gzip: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
  }
}

function slice(archive: Uint8Array, start: number, length: number, what: string): Uint8Array {
  if (start + length > archive.length) {
    throw new CpioError(
      `${what} at offset ${start} needs ${length} bytes, ${archive.length - start} are left`,
    );
  }
  return archive.subarray(start, start + length);
}

function absoluteName(name: string): string {
  return `/${name.replace(/^(?:\.?\/)+/, '')}`;
}

function ascii(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function align4(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
