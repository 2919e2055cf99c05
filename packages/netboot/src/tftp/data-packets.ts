/**
 * The DATA packets of a file, by absolute block number. Usually a header and a slice of the file, sent as two pieces so that
 * nothing is copied. Loaders are different: a hall of machines reads the same file with the same block size, so their
 * packets are laid out once, header and data together, and each block of each transfer then is one piece (a tenth less
 * processor time with windows). Bounded: only large enough files, small enough in sum, and block sizes that firmware asks for.
 */
import { encodeDataHeader } from './packet';

/** The pieces of the packet of a block; they must not be written to. */
export type DataPackets = (block: number) => readonly Uint8Array[];

/** RFC 1350's own, and what iPXE, EDK2, PXELINUX, GRUB and U-Boot ask for: each costs a copy of the files it is used for. */
const LAID_OUT_BLOCK_SIZES: ReadonlySet<number> = new Set([512, 1024, 1408, 1432, 1456, 1468]);
/** Below this a transfer is over before the layout pays. */
const LEAST_BYTES = 32 * 1024;
/** Loaders have 70 KB to 3 MB; what is larger is no loader and may change. */
const MOST_BYTES = 4 * 1024 * 1024;
const HEADER_BYTES = 4;

/** One for all transfers of a server. A layout lives as long as the file's bytes. */
export function createDataPackets(): (bytes: Uint8Array, blksize: number) => DataPackets {
  const layouts = new WeakMap<Uint8Array, Map<number, DataPackets>>();
  return (bytes, blksize) => {
    if (!isLaidOut(bytes, blksize)) return inTwoPieces(bytes, blksize);
    const ofFile = layouts.get(bytes) ?? new Map<number, DataPackets>();
    layouts.set(bytes, ofFile);
    const known = ofFile.get(blksize) ?? inOnePiece(bytes, blksize);
    ofFile.set(blksize, known);
    return known;
  };
}

function isLaidOut(bytes: Uint8Array, blksize: number): boolean {
  return bytes.length >= LEAST_BYTES && bytes.length <= MOST_BYTES && LAID_OUT_BLOCK_SIZES.has(blksize);
}

function inTwoPieces(bytes: Uint8Array, blksize: number): DataPackets {
  return (block) => {
    const offset = (block - 1) * blksize;
    return [encodeDataHeader(block & 0xffff), bytes.subarray(offset, offset + blksize)];
  };
}

/** Blocks are laid out when they are first sent, so that a request alone costs nothing. */
function inOnePiece(bytes: Uint8Array, blksize: number): DataPackets {
  const blocks = Math.floor(bytes.length / blksize) + 1;
  const stride = HEADER_BYTES + blksize;
  const layout = Buffer.allocUnsafeSlow(blocks * HEADER_BYTES + bytes.length);
  const ready = new Uint8Array(blocks);
  return (block) => {
    const start = (block - 1) * stride;
    if (ready[block - 1] === 0) {
      const offset = (block - 1) * blksize;
      layout.set(encodeDataHeader(block & 0xffff), start);
      layout.set(bytes.subarray(offset, offset + blksize), start + HEADER_BYTES);
      ready[block - 1] = 1;
    }
    return [layout.subarray(start, start + stride)];
  };
}
