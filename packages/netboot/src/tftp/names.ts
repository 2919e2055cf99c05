/**
 * From the file name on the wire to a key of the published table. Names are keys, never paths: nothing here or
 * behind it touches a file system, so there is nothing to escape from.
 * Normalised: `\` is `/`, leading and doubled `/` and `./` vanish. Refused: `..`, control and non-ASCII characters.
 * Case rule: the name as asked, else the same in lower case (DOS-minded loaders ask in capitals); publish lower case.
 */

export interface PublishedFile {
  readonly bytes: Uint8Array;
}

/** What a TFTP server publishes. A replaced file is a new object: a running transfer keeps the old bytes. */
export interface FileTable {
  get(name: string): PublishedFile | undefined;
  names(): readonly string[];
}

/** Longest published name; also keeps log lines short. */
const MAX_NAME_LENGTH = 255;

export type NormalisedName = { readonly name: string } | { readonly problem: string };

export function normaliseName(asked: string): NormalisedName {
  if (asked.length > MAX_NAME_LENGTH) return { problem: `the name is longer than ${MAX_NAME_LENGTH}` };
  if (!/^[\x20-\x7e]*$/.test(asked)) return { problem: 'the name has characters outside printable ASCII' };
  const segments = asked
    .replaceAll('\\', '/')
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.');
  if (segments.includes('..')) return { problem: 'the name has a ".." segment' };
  if (segments.length === 0) return { problem: 'the name is empty' };
  return { name: segments.join('/') };
}

export function findFile(files: FileTable, name: string): PublishedFile | undefined {
  return files.get(name) ?? files.get(name.toLowerCase());
}

/** A table from literal bytes: loaders read at start, and tests. */
export function createFileTable(files: Readonly<Record<string, Uint8Array>>): FileTable {
  const table = new Map(Object.entries(files).map(([name, bytes]) => [name, { bytes }]));
  return { get: (name) => table.get(name), names: () => [...table.keys()] };
}
