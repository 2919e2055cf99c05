/** Signs grants as the control plane would, and wrongly on demand, without a JWT library: what is verified is not made by it. */
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { GRANT_AUDIENCE, GRANT_ISSUER } from '@lpmos/core';
import type { GrantClaims } from '@lpmos/core';

export interface GrantKeys {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicPem: string;
}

export function makeGrantKeys(): GrantKeys {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { privateKey, publicKey, publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function signGrant(
  keys: GrantKeys,
  claims: Partial<GrantClaims>,
  alg: 'ES256' | 'HS256' | 'none' = 'ES256',
): string {
  const nowSeconds = Math.floor(Date.now() / 1000);
  const all = {
    iss: GRANT_ISSUER,
    aud: GRANT_AUDIENCE,
    write_budget: 3,
    iat: nowSeconds,
    exp: nowSeconds + 3600,
    ...claims,
  };
  const text = `${part({ alg, typ: 'JWT' })}.${part(all)}`;
  if (alg === 'none') return `${text}.`;
  const signature =
    alg === 'HS256'
      ? createHmac('sha256', keys.publicPem).update(text).digest()
      : sign('sha256', Buffer.from(text), { key: keys.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}
