/** API tokens for the quickstart and for tests, signed with the site's token key; `lpmos token create` makes the same. */
import { createPrivateKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { sign } from 'jsonwebtoken';
import type { Role } from '@lpmos/api';

const HOURS_12 = 12 * 60 * 60;

export function signToken(options: {
  readonly keyFile: string;
  readonly subject: string;
  readonly roles: readonly Role[];
  readonly lifetimeSeconds?: number;
}): string {
  return sign({ roles: options.roles }, createPrivateKey(readFileSync(options.keyFile)), {
    algorithm: 'ES256',
    subject: options.subject,
    issuer: 'lpmos',
    audience: 'lpmos-api',
    expiresIn: options.lifetimeSeconds ?? HOURS_12,
  });
}
