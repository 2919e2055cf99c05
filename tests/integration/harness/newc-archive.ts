/** Writes cpio "newc" archives for tests: the other half of the simulator's reader, from the format's description. */

export function writeNewc(files: Readonly<Record<string, string | Uint8Array>>): Uint8Array {
  const entries = Object.entries(files).map(([name, data]) => entry(name, Buffer.from(data), 0o100644));
  return Buffer.concat([...entries, entry('TRAILER!!!', Buffer.alloc(0), 0)]);
}

export function entry(name: string, data: Buffer, mode: number): Buffer {
  const fields = [1, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`;
  return Buffer.concat([padded(Buffer.from(header, 'latin1')), padded(data)]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
