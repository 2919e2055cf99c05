/**
 * Signs grants: the only place where the permission to write a disk comes into being. The claims are core's
 * (install/grant.ts), the key is the control plane's alone; regions relay the result and cannot make one.
 */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { GRANT_ALGORITHM } from '@lpmos/core';
import type { GrantClaims } from '@lpmos/core';
import { sign } from 'jsonwebtoken';
import { isP256, thumbprint } from '../auth/public-keys';

export type SignGrant = (claims: GrantClaims) => string;

export function createGrantSigner(options: { readonly privateKey: KeyObject }): SignGrant {
  const keyid = thumbprint(createPublicKey(options.privateKey));
  return (claims) => sign({ ...claims }, options.privateKey, { algorithm: GRANT_ALGORITHM, keyid });
}

/** The key, or what is wrong with the file in words. */
export function readGrantKey(pem: string): { readonly privateKey: KeyObject } | { readonly problem: string } {
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey(pem);
  } catch {
    return { problem: 'holds no PEM private key without passphrase' };
  }
  return isP256(privateKey)
    ? { privateKey }
    : { problem: 'holds a key that is not EC P-256, which ES256 needs' };
}
