/** MAC addresses in every notation, and everything that is none. */
import fc from 'fast-check';
import { macFromBytes, macToBytes, parseMacAddress, readMacAddress } from './mac-address';

describe('readMacAddress', () => {
  it.each(['00:1A:2b:3c:4d:5e', '00-1a-2b-3c-4d-5e', '001a.2b3c.4d5e', '001a2b-3c4d5e', '001A2B3C4D5E'])(
    'normalises %s',
    (text) => expect(readMacAddress(text)).toBe('00:1a:2b:3c:4d:5e'),
  );

  it.each([
    '',
    '00:1a:2b:3c:4d',
    '00:1a:2b:3c:4d:5e:6f',
    '00:1a-2b:3c:4d:5e',
    '0:1a:2b:3c:4d:5e',
    'zz:1a:2b:3c:4d:5e',
    '01:00:5e:00:00:01',
    'ff:ff:ff:ff:ff:ff',
    '00:00:00:00:00:00',
    ' 00:1a:2b:3c:4d:5e',
    `${'0'.repeat(100_000)}`,
  ])('refuses %.30s', (text) => expect(readMacAddress(text)).toBeUndefined());

  it('names the field and the rule', () => {
    expect(() => parseMacAddress('nonsense', 'target_mac')).toThrow(
      /target_mac must be a unicast MAC address such as/,
    );
  });

  it('survives the way to bytes and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        const mac = macFromBytes(bytes);
        if (mac !== undefined) expect(macToBytes(mac)).toEqual(bytes);
        else expect((bytes[0] ?? 0) % 2 === 1 || bytes.every((byte) => byte === 0)).toBe(true);
      }),
    );
  });
});
