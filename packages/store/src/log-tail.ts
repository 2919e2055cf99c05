/** etcd is no log store: of an install log it holds the last 64 KiB. The whole log stays in the region. Pure. */

export const LOG_TAIL_BYTES = 64 * 1024;

/** The end of the text in at most 64 KiB of UTF-8, cut before a character and, where one is near, after a line. */
export function tailOf(logs: string): string {
  const bytes = Buffer.from(logs);
  if (bytes.length <= LOG_TAIL_BYTES) return logs;
  let from = bytes.length - LOG_TAIL_BYTES;
  while (isContinuation(bytes[from])) from += 1;
  const tail = bytes.subarray(from).toString();
  const lineEnd = tail.indexOf('\n');
  return lineEnd >= 0 && lineEnd < LONGEST_CUT_LINE ? tail.slice(lineEnd + 1) : tail;
}

/** Half a line at the start misleads; half a page lost misleads more. */
const LONGEST_CUT_LINE = 1024;

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
