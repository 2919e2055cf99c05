/**
 * Status, headers and byte range for a file: pure (RFC 9110 sections 8, 13, 14). download.ts sends the body.
 * Every answer carries its exact Content-Length (304 has none): UEFI asks HEAD first, believes it, and cannot read
 * chunked bodies; nothing is compressed and nothing redirects.
 */
import type { OpenAsset } from './asset-files';
import { isStill, matchesEtag, rangeStillValid, readRange } from './ranges';

export interface AssetConditions {
  readonly range?: string | undefined;
  readonly ifRange?: string | undefined;
  readonly ifMatch?: string | undefined;
  readonly ifNoneMatch?: string | undefined;
}

export interface AssetAnswer {
  readonly status: 200 | 206 | 304 | 412 | 416;
  readonly headers: Readonly<Record<string, string>>;
  /** Where the body starts in the file, and its length; 0 for 304, 412 and 416. */
  readonly first: number;
  readonly lengthBytes: number;
}

/** UEFI decides by media type whether it got a program or a disk image. */
const MEDIA_TYPES: ReadonlyMap<string, string> = new Map([
  ['efi', 'application/efi'],
  ['iso', 'application/vnd.efi-iso'],
  ['img', 'application/vnd.efi-img'],
  ['ipxe', 'text/plain; charset=us-ascii'],
  ['json', 'application/json'],
]);
const ONE_YEAR_SECONDS = 31_536_000;

export function answerAsset(
  name: string,
  asset: Pick<OpenAsset, 'sizeBytes' | 'etag' | 'immutable'>,
  conditions: AssetConditions,
): AssetAnswer {
  const { sizeBytes, etag } = asset;
  const validators = {
    ETag: etag,
    'Accept-Ranges': 'bytes',
    'Cache-Control': asset.immutable ? `public, max-age=${ONE_YEAR_SECONDS}, immutable` : 'no-cache',
  };
  if (!isStill(conditions.ifMatch, etag)) {
    return { status: 412, headers: { ...validators, 'Content-Length': '0' }, first: 0, lengthBytes: 0 };
  }
  if (matchesEtag(conditions.ifNoneMatch, etag)) {
    return { status: 304, headers: validators, first: 0, lengthBytes: 0 };
  }
  const range = rangeStillValid(conditions.ifRange, etag) ? readRange(conditions.range, sizeBytes) : WHOLE;
  if (range.kind === 'unsatisfiable') {
    const headers = { ...validators, 'Content-Range': `bytes */${sizeBytes}`, 'Content-Length': '0' };
    return { status: 416, headers, first: 0, lengthBytes: 0 };
  }
  const first = range.kind === 'part' ? range.first : 0;
  const lengthBytes = range.kind === 'part' ? range.last - range.first + 1 : sizeBytes;
  const headers = {
    ...validators,
    'Content-Type':
      MEDIA_TYPES.get(name.split('.').at(-1)?.toLowerCase() ?? '') ?? 'application/octet-stream',
    'Content-Length': String(lengthBytes),
  };
  if (range.kind === 'whole') return { status: 200, headers, first, lengthBytes };
  const contentRange = `bytes ${range.first}-${range.last}/${sizeBytes}`;
  return { status: 206, headers: { ...headers, 'Content-Range': contentRange }, first, lengthBytes };
}

const WHOLE = { kind: 'whole' } as const;
