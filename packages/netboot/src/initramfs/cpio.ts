/**
 * Writes a cpio archive in the "newc" format, the one the Linux kernel unpacks as an initramfs
 * (Documentation/driver-api/early-userspace/buffer-format.rst). Pure: entries in, bytes out.
 * Not responsible for compression or for collecting files.
 * Invariant: the same entries, in any order, give the same bytes: names sorted, times and owners zero, inode numbers
 * counted in that order. Parents come before children because a parent's name is a prefix of its child's.
 */
export type CpioEntry =
  | { readonly kind: 'directory'; readonly name: string; readonly mode: number }
  | { readonly kind: 'file'; readonly name: string; readonly mode: number; readonly content: Uint8Array }
  | { readonly kind: 'symlink'; readonly name: string; readonly target: string }
  | {
      readonly kind: 'character-device';
      readonly name: string;
      readonly mode: number;
      readonly major: number;
      readonly minor: number;
    };

const FILE_TYPE = { directory: 0o040000, file: 0o100000, symlink: 0o120000, 'character-device': 0o020000 };
const TRAILER = 'TRAILER!!!';
/** The kernel's unpacker refuses longer names (PATH_MAX). */
const MAX_NAME_BYTES = 4095;

interface Fields {
  readonly inode: number;
  readonly mode: number;
  readonly links: number;
  readonly major: number;
  readonly minor: number;
  readonly size: number;
}

function header(name: Uint8Array, fields: Fields): Uint8Array {
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const values = [
    fields.inode,
    fields.mode,
    0,
    0,
    fields.links,
    0,
    fields.size,
    0,
    0,
    fields.major,
    fields.minor,
    name.length + 1,
    0,
  ];
  const text = '070701' + values.map((value) => value.toString(16).toUpperCase().padStart(8, '0')).join('');
  return new TextEncoder().encode(text);
}

function padding(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}

function record(name: string, fields: Omit<Fields, 'size'>, content: Uint8Array): Uint8Array[] {
  const nameBytes = new TextEncoder().encode(name);
  const head = header(nameBytes, { ...fields, size: content.length });
  const nameEnd = head.length + nameBytes.length + 1;
  return [head, nameBytes, new Uint8Array(1), padding(nameEnd), content, padding(content.length)];
}

function contentOf(entry: CpioEntry): Uint8Array {
  if (entry.kind === 'file') return entry.content;
  return entry.kind === 'symlink' ? new TextEncoder().encode(entry.target) : new Uint8Array(0);
}

function checkName(name: string): void {
  const parts = name.split('/');
  const bad = parts.some((part) => part === '' || part === '.' || part === '..') || name.includes('\0');
  if (bad || name === TRAILER || name.length > MAX_NAME_BYTES) {
    throw new Error(`cpio entry "${name}": the name must be a plain relative path without . or ..`);
  }
}

function compareNames(left: CpioEntry, right: CpioEntry): number {
  return left.name < right.name ? -1 : Number(left.name > right.name);
}

function encodeEntry(entry: CpioEntry, inode: number): Uint8Array[] {
  const permissions = entry.kind === 'symlink' ? 0o777 : entry.mode;
  const device = entry.kind === 'character-device' ? entry : { major: 0, minor: 0 };
  const fields = {
    inode,
    mode: FILE_TYPE[entry.kind] | permissions,
    links: entry.kind === 'directory' ? 2 : 1,
    major: device.major,
    minor: device.minor,
  };
  return record(entry.name, fields, contentOf(entry));
}

/** Entries for every folder above the given ones that is not named itself. */
export function withParents(entries: readonly CpioEntry[]): CpioEntry[] {
  const byName = new Map<string, CpioEntry>(entries.map((entry) => [entry.name, entry]));
  for (const { name } of entries) {
    const parts = name.split('/');
    for (let depth = 1; depth < parts.length; depth += 1) {
      const parent = parts.slice(0, depth).join('/');
      if (!byName.has(parent)) byName.set(parent, { kind: 'directory', name: parent, mode: 0o755 });
    }
  }
  return [...byName.values()];
}

/** The archive, ending with its trailer and padded to 512 bytes as cpio itself does. Throws on a bad or double name. */
export function encodeCpio(entries: readonly CpioEntry[]): Uint8Array {
  const sorted = [...entries].sort(compareNames);
  sorted.forEach((entry, index) => {
    checkName(entry.name);
    if (sorted[index + 1]?.name === entry.name) throw new Error(`cpio entry "${entry.name}" is given twice`);
  });
  const chunks = sorted.flatMap((entry, index) => encodeEntry(entry, index + 1));
  const end = { inode: 0, mode: 0, links: 1, major: 0, minor: 0 };
  chunks.push(...record(TRAILER, end, new Uint8Array(0)));
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const archive = new Uint8Array(Math.ceil(length / 512) * 512);
  let offset = 0;
  for (const chunk of chunks) {
    archive.set(chunk, offset);
    offset += chunk.length;
  }
  return archive;
}
