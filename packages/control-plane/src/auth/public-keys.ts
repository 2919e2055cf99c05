/**
 * The public keys that verify tokens: read once from one PEM file that may hold several, so that a key is rotated by overlap.
 * A key is known by its RFC 7638 thumbprint, which is what `kid` in a token must say; the map is fixed after start.
 */
import { createHash, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

export interface PublicKeys {
  readonly byKid: ReadonlyMap<string, KeyObject>;
}

const PUBLIC_PEM = /-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----/g;
/** Old, new, and room for one mistake: tokens without kid are tried against each. */
const MAX_KEYS = 4;

/** The keys, or what is wrong with the file in words. */
export function readPublicKeys(pem: string): PublicKeys | { readonly problem: string } {
  if (pem.includes('PRIVATE KEY')) {
    return { problem: 'holds a private key; the control plane must have public keys only' };
  }
  const blocks = pem.match(PUBLIC_PEM) ?? [];
  if (blocks.length === 0) return { problem: 'holds no PEM block "BEGIN PUBLIC KEY"' };
  if (blocks.length > MAX_KEYS) return { problem: `holds more than ${MAX_KEYS} keys` };
  const byKid = new Map<string, KeyObject>();
  for (const block of blocks) {
    const key = readKey(block);
    if (key === undefined) return { problem: 'holds a block that is no public key' };
    if (!isP256(key)) return { problem: 'holds a key that is not EC P-256, which ES256 needs' };
    byKid.set(thumbprint(key), key);
  }
  return { byKid };
}

export function isP256(key: KeyObject): boolean {
  return key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
}

/** RFC 7638 section 3: the required members in lexical order. */
export function thumbprint(key: KeyObject): string {
  const { crv, kty, x, y } = key.export({ format: 'jwk' });
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem);
  } catch {
    return undefined;
  }
}
