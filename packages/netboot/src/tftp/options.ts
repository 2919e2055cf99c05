/**
 * Option negotiation of a read as one pure function (RFC 2347; blksize RFC 2348; timeout and tsize RFC 2349;
 * windowsize RFC 7440). Sends nothing: transfer.ts does, with what is returned here.
 * The OACK holds only what was asked for and understood, in the order asked: UEFI clients reject an unasked tsize.
 * An option that is wrong is left out and never an error (RFC 2347), and no value is ever larger than the one asked for.
 */
import type { TftpOptionList } from './packet';

export interface OptionLimits {
  /** Largest packet of the link in bytes; blocks are cut so that IPv4 never fragments. */
  readonly mtuBytes: number;
  readonly maxWindowsize: number;
}

export interface Negotiated {
  /** Bytes of data in a full block. */
  readonly blksize: number;
  /** Blocks in flight before an ACK must come. */
  readonly windowsize: number;
  /** How long to wait before the first re-send, where the client chose it. */
  readonly timeoutMs?: number;
  /** What the OACK says; empty means plain DATA without an OACK. */
  readonly oack: TftpOptionList;
}

/** RFC 1350 section 2. */
export const DEFAULT_BLKSIZE = 512;
/** RFC 2348: 8 to 65464. */
const MIN_BLKSIZE = 8;
const MAX_BLKSIZE = 65_464;
/** IPv4 header (20) + UDP header (8) + TFTP header (4). */
const HEADERS_BYTES = 32;
/** RFC 7440 section 3. */
const MAX_ASKED_WINDOW = 65_535;
/** RFC 2349: whole seconds from 1 to 255. */
const MAX_TIMEOUT_SECONDS = 255;

interface Known {
  readonly oackValue: string;
  readonly sets: Partial<Omit<Negotiated, 'oack'>>;
}
type Understand = (value: number, sizeBytes: number, limits: OptionLimits) => Known | undefined;

const OPTIONS: ReadonlyMap<string, Understand> = new Map<string, Understand>([
  [
    'blksize',
    (asked, _size, limits) => {
      if (asked < MIN_BLKSIZE) return undefined;
      const blksize = Math.min(asked, Math.max(limits.mtuBytes - HEADERS_BYTES, MIN_BLKSIZE), MAX_BLKSIZE);
      return { oackValue: String(blksize), sets: { blksize } };
    },
  ],
  [
    'windowsize',
    (asked, _size, limits) => {
      if (asked < 1 || asked > MAX_ASKED_WINDOW) return undefined;
      const windowsize = Math.min(asked, limits.maxWindowsize);
      return { oackValue: String(windowsize), sets: { windowsize } };
    },
  ],
  [
    'timeout',
    (asked) => {
      if (asked < 1 || asked > MAX_TIMEOUT_SECONDS) return undefined;
      return { oackValue: String(asked), sets: { timeoutMs: asked * 1000 } };
    },
  ],
  [
    'tsize',
    // curl 7.88 fails with code 71 on "tsize 0" in an OACK, and an empty file needs no announcement.
    (asked, sizeBytes) =>
      asked === 0 && sizeBytes > 0 ? { oackValue: String(sizeBytes), sets: {} } : undefined,
  ],
]);

/** @param sizeBytes size of what will be sent (after netascii, where that was asked for). */
export function negotiate(asked: TftpOptionList, sizeBytes: number, limits: OptionLimits): Negotiated {
  const seen = new Set<string>();
  const oack: [string, string][] = [];
  let agreed: Omit<Negotiated, 'oack'> = { blksize: DEFAULT_BLKSIZE, windowsize: 1 };
  for (const [spelled, text] of asked) {
    const name = spelled.toLowerCase();
    // RFC 2347: an option may be given once. The first one counts.
    if (seen.has(name)) continue;
    seen.add(name);
    const value = readDecimal(text);
    const known = value === undefined ? undefined : OPTIONS.get(name)?.(value, sizeBytes, limits);
    if (known === undefined) continue;
    oack.push([spelled, known.oackValue]);
    agreed = { ...agreed, ...known.sets };
  }
  return { ...agreed, oack };
}

/** ASCII digits only, at most ten of them: no sign, no space, no hexadecimal. */
function readDecimal(text: string): number | undefined {
  return text.length <= 10 && /^[0-9]+$/.test(text) ? Number(text) : undefined;
}
