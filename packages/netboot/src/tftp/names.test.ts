/** Names on the wire to keys of the table, and netascii. */
import { createFileTable, findFile, normaliseName } from './names';
import { toNetascii } from './netascii';

const latin = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');

describe('normaliseName', () => {
  it.each([
    ['ipxe.efi', 'ipxe.efi'],
    ['/ipxe.efi', 'ipxe.efi'],
    ['\\boot\\x64\\wdsnbp.com', 'boot/x64/wdsnbp.com'],
    ['./a//b/./c', 'a/b/c'],
    ['pxelinux.cfg/01-52-54-00-12-34-56', 'pxelinux.cfg/01-52-54-00-12-34-56'],
    ['a..b/...', 'a..b/...'],
  ])('makes %s to %s', (asked, name) => {
    expect(normaliseName(asked)).toEqual({ name });
  });

  it.each(['../x', 'a/../../x', '..\\x', '/', './/', '', 'a\u0001b', 'caf\u00e9', 'x'.repeat(256)])(
    'refuses %j',
    (asked) => expect(normaliseName(asked)).toHaveProperty('problem'),
  );
});

describe('findFile', () => {
  const files = createFileTable({ 'ipxe.efi': Uint8Array.of(1), README: Uint8Array.of(2) });
  it('takes the name as asked, else in lower case, and nothing else', () => {
    expect(findFile(files, 'IPXE.EFI')?.bytes).toEqual(Uint8Array.of(1));
    expect(findFile(files, 'README')?.bytes).toEqual(Uint8Array.of(2));
    expect(findFile(files, 'readme')).toBeUndefined();
    expect(findFile(files, 'constructor')).toBeUndefined();
    expect(files.names()).toEqual(['ipxe.efi', 'README']);
  });
});

describe('toNetascii', () => {
  it.each([
    ['a\nb', 'a\r\nb'],
    ['a\r\nb', 'a\r\0\r\nb'],
    ['\r', '\r\0'],
    ['', ''],
  ])('turns %j into %j', (from, to) => {
    expect(latin(toNetascii(Buffer.from(from)))).toBe(to);
  });
});
