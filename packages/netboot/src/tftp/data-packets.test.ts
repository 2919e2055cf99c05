/** Packets are the same, laid out or not, whichever block is asked for first. */
import fc from 'fast-check';
import { createDataPackets } from './data-packets';
import { encodeTftpPacket } from './packet';

const bytesOf = (length: number) =>
  Uint8Array.from({ length }, (_none, index) => (index * 31 + (index >> 9)) & 0xff);

describe('data packets', () => {
  it.each([
    ['laid out', 64 * 1024 + 7, 1468, 1],
    ['laid out, with an empty last block', 512 * 100, 512, 1],
    ['of an odd block size', 64 * 1024, 1000, 2],
    ['of a small file', 3000, 1468, 2],
    ['of an empty file', 0, 512, 2],
  ])('are what the codec makes: %s', (_what, size, blksize, pieces) => {
    const bytes = bytesOf(size);
    const last = Math.floor(size / blksize) + 1;
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: last }), { minLength: 1, maxLength: 60 }), (blocks) => {
        const packetOf = createDataPackets()(bytes, blksize);
        for (const block of [...blocks, ...blocks, last]) {
          const data = bytes.slice((block - 1) * blksize, block * blksize);
          expect(packetOf(block)).toHaveLength(pieces);
          expect(Buffer.concat(packetOf(block))).toEqual(
            Buffer.from(encodeTftpPacket({ kind: 'DATA', block, data })),
          );
        }
      }),
      { numRuns: 20 },
    );
  });

  it('wrap their block number', () => {
    const packetOf = createDataPackets()(new Uint8Array(4 * 1024 * 1024), 512);
    expect(Buffer.from(packetOf(8192)[0] ?? []).subarray(0, 4)).toEqual(Buffer.from([0, 3, 0x20, 0]));
    const large = createDataPackets()(new Uint8Array(40 * 1024 * 1024), 512);
    expect(Buffer.from(large(65537)[0] ?? [])).toEqual(Buffer.from([0, 3, 0, 1]));
  });

  it('are shared by the transfers of one file and block size, and by no others', () => {
    const packets = createDataPackets();
    const [one, other] = [bytesOf(64 * 1024), bytesOf(64 * 1024)];
    expect(packets(one, 1468)).toBe(packets(one, 1468));
    expect(packets(one, 1468)).not.toBe(packets(one, 512));
    expect(packets(one, 1468)).not.toBe(packets(other, 1468));
  });
});
