/**
 * Byte ranges and validators as pure functions (RFC 9110 sections 13 and 14). send-file.ts sends what comes out.
 * One range is served. Several are refused with 416: no boot client asks for them, and they invite amplification.
 * A range that is not understood is ignored, as section 14.2 says, and the whole is sent.
 */
export type RangeAnswer =
  | { readonly kind: 'whole' }
  /** Both ends included. */
  | { readonly kind: 'part'; readonly first: number; readonly last: number }
  | { readonly kind: 'unsatisfiable' };

/** Longer than any real one; keeps patterns away from hostile headers. */
const MAX_HEADER_LENGTH = 1024;

export function readRange(header: string | undefined, sizeBytes: number): RangeAnswer {
  if (header === undefined || header.length > MAX_HEADER_LENGTH) return { kind: 'whole' };
  const units = /^bytes=(.*)$/i.exec(header.trim());
  const specs = units?.[1]?.split(',').map((spec) => spec.trim());
  if (specs === undefined) return { kind: 'whole' };
  if (specs.length > 1) return { kind: 'unsatisfiable' };
  const match = /^(\d*)-(\d*)$/.exec(specs[0] ?? '');
  const [from, to] = [match?.[1], match?.[2]];
  if (from === undefined || to === undefined || (from === '' && to === '')) return { kind: 'whole' };
  return from === '' ? suffix(Number(to), sizeBytes) : between(Number(from), to, sizeBytes);
}

function suffix(length: number, sizeBytes: number): RangeAnswer {
  if (length === 0 || sizeBytes === 0) return { kind: 'unsatisfiable' };
  return { kind: 'part', first: Math.max(sizeBytes - length, 0), last: sizeBytes - 1 };
}

function between(first: number, to: string, sizeBytes: number): RangeAnswer {
  const last = to === '' ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  // "5-2" is no range at all and is ignored; "9-" of a file of five bytes is one that cannot be had.
  if (to !== '' && Number(to) < first) return { kind: 'whole' };
  return first >= sizeBytes ? { kind: 'unsatisfiable' } : { kind: 'part', first, last };
}

/** If-Match (section 13.1.1): strong comparison, `*` matches anything that exists. One too long to be read names nothing that we have. */
export function isStill(header: string | undefined, etag: string): boolean {
  if (header === undefined) return true;
  return tagsOf(header).some((tag) => tag === '*' || tag === etag);
}

/** If-None-Match (section 13.1.2): weak comparison, `*` matches anything that exists. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return tagsOf(header).some((tag) => tag === '*' || withoutWeakness(tag) === etag);
}

/** If-Range (section 13.1.5): strong comparison; a date never matches, because we send none. */
export function rangeStillValid(header: string | undefined, etag: string): boolean {
  return header === undefined || header.trim() === etag;
}

function tagsOf(header: string): string[] {
  return header.length > MAX_HEADER_LENGTH ? [] : header.split(',').map((tag) => tag.trim());
}

function withoutWeakness(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}
