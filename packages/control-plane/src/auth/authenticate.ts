/** From the headers of a request to its Principal. Exactly one Authorization header, exactly the Bearer scheme (RFC 6750). */
import { LpmosError } from '@lpmos/core';
import type { IncomingMessage } from 'node:http';
import type { Principal } from './principal';
import { verifyToken } from './verify-token';
import type { TokenRules } from './verify-token';

/** @throws LpmosError `unauthenticated`. */
export function authenticate(request: Pick<IncomingMessage, 'rawHeaders'>, rules: TokenRules): Principal {
  // Node keeps the first of two Authorization headers and a proxy may have checked the second; rawHeaders shows both.
  const given = request.rawHeaders.filter((_value, index, all) => isAuthorization(all, index));
  const [header] = given;
  if (header === undefined)
    throw refuse('This route needs "Authorization: Bearer <token>"; see lpmos token create');
  if (given.length > 1) throw refuse('The request has more than one Authorization header');
  const [, token] = /^Bearer ([^\s,]+)$/i.exec(header) ?? [];
  if (token === undefined) throw refuse('The Authorization header must be "Bearer <token>"');
  return verifyToken(token, rules);
}

/** rawHeaders alternates names and values. */
function isAuthorization(all: readonly string[], index: number): boolean {
  return index % 2 === 1 && all[index - 1]?.toLowerCase() === 'authorization';
}

function refuse(message: string): LpmosError {
  return new LpmosError({ code: 'unauthenticated', message });
}
