/**
 * Netascii of a whole file in memory (RFC 1350 section 2, RFC 764): LF becomes CR LF and a lone CR becomes CR NUL.
 * Done before the transfer starts, so that tsize, block count and re-sends all speak of the same bytes.
 */
const CR = 13;
const LF = 10;

/** Text for boot loaders is small; converting an image would block the event loop and copy it. */
export const MAX_NETASCII_BYTES = 1024 * 1024;

export function toNetascii(bytes: Uint8Array): Uint8Array {
  const specials = bytes.reduce((count, byte) => count + (byte === CR || byte === LF ? 1 : 0), 0);
  const text = new Uint8Array(bytes.length + specials);
  let at = 0;
  for (const byte of bytes) {
    if (byte === LF) text[at++] = CR;
    text[at++] = byte;
    if (byte === CR) text[at++] = 0;
  }
  return text;
}
