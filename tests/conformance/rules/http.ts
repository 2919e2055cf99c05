/** The rules of UEFI HTTP boot and of the HTTP file service. */
import type { ConformanceRule } from './rule';

const RAW = ['raw requests'] as const;

export const HTTP_RULES: readonly ConformanceRule[] = [
  {
    id: 'H1',
    rule: 'A client of class `HTTPClient` gets class `HTTPClient` and a URL; a PXE client never gets a URL for a loader, an HTTP client never a TFTP name.',
    specification: 'UEFI 2.10 §24.7.2',
    clients: ['raw packets'],
  },
  {
    id: 'H2',
    rule: 'HEAD has the same headers as GET, the true Content-Length, and no body.',
    specification: 'RFC 9110 §9.3.2; UEFI asks HEAD first',
    clients: ['curl'],
  },
  {
    id: 'H3',
    rule: 'Boot files are never chunked, compressed or redirected; kept and closed connections both work; the media type says what a file is.',
    specification: 'UEFI 2.10 §24.7.3',
    clients: ['curl', 'raw requests'],
  },
  {
    id: 'H4',
    rule: 'Ranges are answered with 206 or 416, several at once are refused; ETag, If-Range and If-None-Match are obeyed.',
    specification: 'RFC 9110 §13, §14',
    clients: ['curl'],
  },
  {
    id: 'H5',
    rule: 'A URL with an IP literal works without DNS, and one with a name works with it.',
    specification: 'UEFI 2.10 §24.7.2',
    clients: ['curl'],
  },
  {
    id: 'H6',
    rule: 'Absolute form, lower-case headers, HTTP/1.0 without Host are served; `%00`, `/../` and 8 KiB of path are refused; `//` is `/`.',
    specification: 'RFC 9112 §3.2',
    clients: RAW,
  },
  {
    id: 'H7',
    rule: 'A client that stops reading holds little memory and is dropped; hundreds of slow readers do not keep a fast one waiting.',
    specification: 'back-pressure',
    clients: ['curl', 'raw requests'],
  },
  {
    id: 'H8',
    rule: 'When a file changes or shrinks during a download the connection breaks: never a short success.',
    specification: 'RFC 9112 §8',
    clients: RAW,
  },
  {
    id: 'H9',
    rule: 'Scripts are not stored by anybody; files that are named by their digest are cacheable for ever.',
    specification: 'RFC 9111 §5.2',
    clients: RAW,
  },
  {
    id: 'H10',
    rule: 'The bytes that are served have the SHA-256 and the size of the manifest, for every artefact.',
    specification: 'manifest of the ramdisk and of images',
    clients: ['regional daemon'],
  },
  {
    id: 'H11',
    rule: 'A capability URL that is used up, expired, of another machine or misspelt is refused by one generic 404.',
    specification: 'no oracle for tokens',
    clients: RAW,
    remark: 'LPMOS publishes no capability URL yet: every one is refused, all by the same answer.',
  },
];
