/** Codec of TFTP packets: golden bytes, what sloppy clients send, and totality of the decoder. */
import fc from 'fast-check';
import {
  decodeTftpPacket,
  encodeDataHeader,
  encodeTftpError,
  encodeTftpPacket,
  type TftpPacket,
} from './packet';

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));
const text = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)) });
const name = text.filter((value) => value !== '');
const options = fc.array(fc.tuple(name, text), { maxLength: 8 });
const uint16 = fc.integer({ min: 0, max: 65535 });
const packet: fc.Arbitrary<TftpPacket> = fc.oneof(
  fc.record({ kind: fc.constantFrom('RRQ' as const, 'WRQ' as const), filename: name, mode: name, options }),
  fc.record({ kind: fc.constant('DATA' as const), block: uint16, data: fc.uint8Array({ maxLength: 600 }) }),
  fc.record({ kind: fc.constant('ACK' as const), block: uint16 }),
  fc.record({ kind: fc.constant('ERROR' as const), code: uint16, message: text }),
  fc.record({ kind: fc.constant('OACK' as const), options }),
);

describe('decodeTftpPacket', () => {
  it('reads what EDK2 sends', () => {
    const rrq = bytes('\0\x01ipxe.efi\0octet\0tsize\x000\0blksize\x001468\0windowsize\x004\0');
    expect(decodeTftpPacket(rrq)).toEqual({
      kind: 'RRQ',
      filename: 'ipxe.efi',
      mode: 'octet',
      options: [
        ['tsize', '0'],
        ['blksize', '1468'],
        ['windowsize', '4'],
      ],
    });
  });

  it.each([
    [
      'a last string without NUL',
      '\0\x01a\0octet',
      { kind: 'RRQ', filename: 'a', mode: 'octet', options: [] },
    ],
    [
      'an option without value',
      '\0\x01a\0octet\0tsize\0',
      { kind: 'RRQ', filename: 'a', mode: 'octet', options: [] },
    ],
    ['a request without mode', '\0\x01a\0', { kind: 'malformed', about: 'RRQ', problem: 'no mode' }],
    ['a request of four bytes', '\0\x01\0\0', { kind: 'malformed', about: 'RRQ', problem: 'no file name' }],
    ['an error without text', '\0\x05\0\x08', { kind: 'ERROR', code: 8, message: '' }],
    ['an error of three bytes', '\0\x05\0', { kind: 'malformed', about: 'ERROR', problem: 'no error code' }],
    ['a padded ACK', '\0\x04\0\x07\0\0\0\0', { kind: 'ACK', block: 7 }],
    ['an ACK of two bytes', '\0\x04', { kind: 'malformed', about: 'ACK', problem: 'no block number' }],
    ['one byte', '\0', { kind: 'malformed', problem: '1 bytes are too few for an opcode' }],
    ['an unknown opcode', '\0\x07ab', { kind: 'malformed', problem: 'opcode 7 is none of 1 to 6' }],
  ])('takes %s', (_what, wire, expected) => {
    expect(decodeTftpPacket(bytes(wire))).toEqual(expected);
  });

  it('refuses a request of more than 2 KiB and reads at most 32 options', () => {
    const long = bytes(`\0\x01${'a'.repeat(3000)}\0octet\0`);
    expect(decodeTftpPacket(long)).toMatchObject({ kind: 'malformed', about: 'RRQ' });
    const many = bytes(`\0\x01a\0octet\0${'x\x001\0'.repeat(100)}`);
    const read = decodeTftpPacket(many);
    expect('options' in read && read.options.length).toBe(32);
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 7 }), fc.uint8Array({ maxLength: 700 }), (opcode, rest) => {
        expect(decodeTftpPacket(Uint8Array.from([0, opcode, ...rest])).kind).toBeDefined();
        expect(decodeTftpPacket(rest).kind).toBeDefined();
      }),
    );
  });
});

describe('encodeTftpPacket', () => {
  it('is undone by decoding', () => {
    fc.assert(
      fc.property(packet, (value) => {
        const wire = encodeTftpPacket(value);
        if (wire.length <= 2048) expect(decodeTftpPacket(wire)).toEqual(value);
      }),
    );
  });

  it('spells errors with their code and fixed text, at most 64 bytes', () => {
    expect(Buffer.from(encodeTftpError('file-not-found')).toString('latin1')).toBe(
      '\0\x05\0\x01file not found\0',
    );
    expect(encodeTftpError('illegal-operation').length).toBeLessThanOrEqual(64);
  });

  it('makes the header of DATA alone', () => {
    expect([...encodeDataHeader(0xfffe)]).toEqual([0, 3, 0xff, 0xfe]);
  });

  it('refuses what the wire cannot carry', () => {
    expect(() => encodeDataHeader(65536)).toThrow('TFTP block must be a whole number from 0 to 65535');
    const request = { kind: 'RRQ' as const, filename: 'a\0b', mode: 'octet', options: [] };
    expect(() => encodeTftpPacket(request)).toThrow('U+0');
  });
});
