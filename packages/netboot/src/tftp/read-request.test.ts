/** What each datagram on the well-known port earns: a transfer, one ERROR, or silence. */
import { EXAMPLE_MAC } from '@lpmos/core/testing';
import { createFileTable } from './names';
import { MAX_NETASCII_BYTES } from './netascii';
import { encodeTftpPacket, type TftpPacket } from './packet';
import { answerDatagram, answerFound, type MissingFile } from './read-request';

const files = createFileTable({ 'a.efi': Uint8Array.of(7), big: new Uint8Array(MAX_NETASCII_BYTES + 1) });
const ask = (packet: TftpPacket) => answerDatagram(encodeTftpPacket(packet), files);
const read = (filename: string, mode = 'octet') => ask({ kind: 'RRQ', filename, mode, options: [] });

describe('answerDatagram', () => {
  it.each(['octet', 'OCTET', 'Octet', 'netascii', 'NetASCII'])('starts a transfer in mode %s', (mode) => {
    const answer = read('/A.EFI', mode);
    expect(answer).toMatchObject({ kind: 'transfer', name: 'A.EFI', mode: mode.toLowerCase() });
  });

  it.each([
    ['a way out', read('../a.efi'), 'file-not-found', 'the name has a ".." segment'],
    ['mode mail', read('a.efi', 'mail'), 'illegal-operation', 'mode "mail" is not served; use octet'],
    [
      'a big file as text',
      read('big', 'netascii'),
      'illegal-operation',
      'the file is too large for netascii; use octet',
    ],
    [
      'a write',
      ask({ kind: 'WRQ', filename: 'a.efi', mode: 'octet', options: [] }),
      'access-violation',
      'writing is not possible on a boot server',
    ],
    [
      'a request without mode',
      answerDatagram(Uint8Array.of(0, 1, 97, 0), files),
      'illegal-operation',
      'no mode',
    ],
  ])('refuses %s', (_what, answer, error, reason) => {
    expect(answer).toMatchObject({ kind: 'refuse', error, reason });
  });

  it('says of a name that is not in the table that it is missing, and answers once it was looked for', () => {
    const missing = read('/B.efi') as MissingFile;
    expect(missing).toMatchObject({ kind: 'missing', name: 'B.efi', mode: 'octet' });
    expect(answerFound(missing, undefined)).toMatchObject({
      kind: 'refuse',
      error: 'file-not-found',
      reason: 'no file of the name "B.efi" is published',
    });
    const bytes = Uint8Array.of(1);
    expect(answerFound(missing, { bytes })).toMatchObject({ kind: 'transfer', bytes, name: 'B.efi' });
    const about = { mac: EXAMPLE_MAC };
    expect(answerFound(missing, { refused: 'not yours', about })).toMatchObject({
      ...{ kind: 'refuse', error: 'file-not-found', reason: 'not yours', about },
    });
    const text = { ...missing, mode: 'netascii' as const };
    expect(answerFound(text, { bytes: new Uint8Array(MAX_NETASCII_BYTES + 1) }).kind).toBe('refuse');
  });

  it.each<[string, Uint8Array]>([
    ['ERROR', encodeTftpPacket({ kind: 'ERROR', code: 0, message: 'x' })],
    ['ACK', encodeTftpPacket({ kind: 'ACK', block: 0 })],
    ['DATA', encodeTftpPacket({ kind: 'DATA', block: 1, data: new Uint8Array(9000) })],
    ['OACK', encodeTftpPacket({ kind: 'OACK', options: [] })],
    ['nothing', new Uint8Array(0)],
    ['noise', Uint8Array.of(9, 9, 9)],
  ])('meets %s with silence', (_what, datagram) => {
    expect(answerDatagram(datagram, files).kind).toBe('ignore');
  });
});
