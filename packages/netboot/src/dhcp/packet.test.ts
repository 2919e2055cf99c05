import fc from 'fast-check';
import { encodePacket } from './encode-packet';
import { CAPTURES } from './fixtures/captures';
import { bytesHex, hexBytes } from './fixtures/lab';
import { OPTION } from './option-codes';
import { readAddress, u8 } from './options';
import type { DhcpPacket } from './packet';
import { MINIMUM_FRAME, OPTIONS_OFFSET, decodePacket } from './packet';

function decoded(bytes: Uint8Array): DhcpPacket {
  const result = decodePacket(bytes);
  if (result.kind !== 'packet') throw new Error(`malformed at ${result.offset}: ${result.problem}`);
  return result.packet;
}

/** A minimal request with the given bytes after the cookie. */
function frame(options: string, fields: { sname?: string; file?: string } = {}): Uint8Array {
  const area = hexBytes(options);
  const bytes = new Uint8Array(OPTIONS_OFFSET + area.length);
  bytes.set([1, 1, 6, 0]);
  bytes.set(hexBytes('525400000001'), 28);
  bytes.set(hexBytes(fields.sname ?? ''), 44);
  bytes.set(hexBytes(fields.file ?? ''), 108);
  bytes.set(hexBytes('63825363'), 236);
  bytes.set(area, OPTIONS_OFFSET);
  return bytes;
}

const octet = fc.integer({ min: 0, max: 255 });
const dotted = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
const fieldText = (maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.integer({ min: 1, max: 255 }), { maxLength }).map((codes) => String.fromCharCode(...codes));

const anyPacket: fc.Arbitrary<DhcpPacket> = fc
  .record({
    op: octet,
    htype: octet,
    hops: octet,
    xid: fc.nat(0xffffffff),
    secs: fc.nat(0xffff),
    flags: fc.nat(0xffff),
    ciaddr: dotted,
    yiaddr: dotted,
    siaddr: dotted,
    giaddr: dotted,
    chaddr: fc.uint8Array({ maxLength: 16 }),
    sname: fieldText(63),
    file: fieldText(127),
    options: fc.uniqueArray(
      fc.tuple(
        octet.filter((code) => ![OPTION.pad, OPTION.end, OPTION.overload].some((other) => other === code)),
        fc.uint8Array({ maxLength: 700 }),
      ),
      { maxLength: 8, selector: ([code]) => code },
    ),
  })
  .map((record) => ({ ...record, hlen: record.chaddr.length, options: new Map(record.options) }));

describe('decodePacket', () => {
  it.each(CAPTURES.map((capture) => [capture.name, capture] as const))(
    'reads the captured frame of %s',
    (_, capture) => {
      const packet = decoded(hexBytes(capture.frame));
      expect(Array.from(packet.options.keys())).toEqual(capture.optionCodes);
      expect(packet.flags).toBe(capture.flags);
      expect(bytesHex(packet.chaddr)).toHaveLength(12);
    },
  );

  it.each(CAPTURES.map((capture) => [capture.name, capture] as const))(
    'writes %s back byte for byte',
    (_, capture) => {
      // Only the padding after the end option is the sender's taste.
      const trimmed = (hex: string): string => hex.replace(/\s+/g, '').replace(/(00)+$/, '');
      expect(trimmed(bytesHex(encodePacket(decoded(hexBytes(capture.frame)))))).toBe(trimmed(capture.frame));
    },
  );

  it.each([
    ['nothing', new Uint8Array(), 0],
    ['a 10-byte datagram', new Uint8Array(10), 10],
    ['another cookie', frame('ff').fill(0, 236, 240), 236],
    ['hlen 17', frame('ff').fill(17, 2, 3), 2],
    ['an option without a length', frame('350101 0c'), 243],
    ['an option that is longer than the frame', frame('350101 0c05616263'), 243],
    ['overload 0', frame('350101 340100 ff'), 240],
    ['overload of two bytes', frame('350101 34020101 ff'), 240],
    ['overload twice', frame('350101 340101 340101 ff'), 240],
    ['a lying option in file', frame('350101 340101 ff', { file: '0cff' }), 108],
  ])('refuses %s and says where', (_, bytes, offset) => {
    expect(decodePacket(bytes)).toMatchObject({ kind: 'malformed', offset });
  });

  it('reads past padding and stops at the end option', () => {
    const packet = decoded(frame('00 00 350101 00 3204c0000201 ff 0c0161'));
    expect([...packet.options.keys()]).toEqual([53, 50]);
  });

  it('accepts options that end with the frame (262 bytes of perfdhcp, no end option of old clients)', () => {
    expect([...decoded(frame('350101')).options.keys()]).toEqual([53]);
  });

  it('joins an option that came in pieces (RFC 3396)', () => {
    const packet = decoded(frame('350101 3d020152 3d025400 ff'));
    expect(bytesHex(packet.options.get(61) ?? new Uint8Array())).toBe('01525400');
  });

  it('reads options out of file, then sname (overload 3), and takes them for no text', () => {
    const packet = decoded(frame('350101 340103 ff', { file: '3d0101 ff', sname: '3d0102 3204c0000201 ff' }));
    expect(bytesHex(packet.options.get(61) ?? new Uint8Array())).toBe('0102');
    expect(readAddress(packet.options, 50)).toBe('192.0.2.1');
    expect([packet.file, packet.sname, packet.options.has(52)]).toEqual(['', '', false]);
  });

  it('never throws, whatever the bytes', () => {
    const frames = CAPTURES.map((capture) => hexBytes(capture.frame));
    const mutated = fc
      .tuple(fc.constantFrom(...frames), fc.array(fc.tuple(fc.nat(), octet), { maxLength: 12 }), fc.nat(600))
      .map(([bytes, edits, length]) => {
        const copy = bytes.slice(0, length < 240 ? bytes.length : length);
        for (const [at, value] of edits) copy[at % copy.length] = value;
        return copy;
      });
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 700 }), mutated), (bytes) => {
        expect(['packet', 'malformed']).toContain(decodePacket(bytes).kind);
      }),
      { numRuns: 3000 },
    );
  });
});

describe('encodePacket', () => {
  it('is undone by decodePacket, for every packet', () => {
    fc.assert(
      fc.property(anyPacket, (packet) => {
        const result = decoded(encodePacket(packet));
        expect({ ...result, options: new Set(result.options) }).toEqual({
          ...packet,
          options: new Set(packet.options),
        });
      }),
      { numRuns: 500 },
    );
  });

  it('puts 53 first and 82 last, keeps the order of the others and pads to 300 bytes', () => {
    const options = new Map([
      [OPTION.relayAgentInformation, Uint8Array.of(1, 1, 7)],
      [OPTION.clientIdentifier, Uint8Array.of(1, 2)],
      [OPTION.subnetMask, Uint8Array.of(255, 255, 255, 0)],
      [OPTION.messageType, u8(2)],
    ]);
    const bytes = encodePacket({ ...decoded(frame('ff')), options });
    expect(bytes).toHaveLength(MINIMUM_FRAME);
    expect(bytesHex(bytes.subarray(OPTIONS_OFFSET)).replace(/0+$/, '')).toBe(
      '3501023d02010201' + '04ffffff005203010107ff',
    );
  });

  it('splits a value of 300 bytes (RFC 3396)', () => {
    const value = Uint8Array.from({ length: 300 }, (_, index) => index % 256);
    const bytes = encodePacket({ ...decoded(frame('ff')), options: new Map([[43, value]]) });
    expect([...bytes.subarray(240, 242)]).toEqual([43, 255]);
    expect([...bytes.subarray(497, 499)]).toEqual([43, 45]);
    expect(decoded(bytes).options.get(43)).toEqual(value);
  });

  it('moves whole options into empty file and sname when the frame is short, and leaves a boot file where it is', () => {
    const long = (length: number): Uint8Array => new Uint8Array(length).fill(7);
    const options = new Map([
      [OPTION.messageType, u8(5)],
      [OPTION.bootfileName, long(200)],
      [OPTION.domainName, long(100)],
      [OPTION.vendorSpecific, long(50)],
      [OPTION.relayAgentInformation, long(60)],
    ]);
    const empty = { ...decoded(frame('ff')), options };
    const bytes = encodePacket(empty, { maxBytes: 548 });
    expect(bytes.length).toBeLessThanOrEqual(548);
    expect(new Set(decoded(bytes).options)).toEqual(new Set(options));
    expect([...bytes.subarray(240, 246)]).toEqual([53, 1, 5, 52, 1, 3]);
    expect(bytes.at(-1)).toBe(255);
    expect(bytes.at(-63)).toBe(82);
    const withFile = decoded(encodePacket({ ...empty, file: 'undionly.kpxe' }, { maxBytes: 660 }));
    expect(withFile.file).toBe('undionly.kpxe');
    expect(() => encodePacket({ ...empty, file: 'undionly.kpxe' }, { maxBytes: 548 })).toThrow(
      /does not fit/,
    );
  });

  it.each([
    ['a file of 128 characters', { file: 'x'.repeat(128) }, /file must be at most 127/],
    ['a NUL in sname', { sname: 'a\0b' }, /sname must be/],
    ['an address that is none', { yiaddr: '10.77.0' }, /no IPv4 address/],
    ['chaddr of another length than hlen', { chaddr: new Uint8Array(5) }, /chaddr must have hlen/],
  ])('refuses %s', (_, fields, message) => {
    expect(() => encodePacket({ ...decoded(frame('ff')), ...fields })).toThrow(message);
  });
});
