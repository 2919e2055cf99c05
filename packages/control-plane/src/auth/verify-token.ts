/**
 * From the text of a bearer token to a Principal, or a refusal that says why (RFC 7519, RFC 8725).
 * One algorithm, keys from a fixed map, header and claims read strictly before the signature library sees them: whatever a
 * header says about algorithms, keys or URLs changes nothing. Every claim that the house relies on is required.
 */
import { isRegionId, LpmosError } from '@lpmos/core';
import type { Clock, RegionId } from '@lpmos/core';
import { readJson, ROLES } from '@lpmos/api';
import type { Role } from '@lpmos/api';
import { verify } from 'jsonwebtoken';
import type { KeyObject } from 'node:crypto';
import type { Principal } from './principal';
import type { PublicKeys } from './public-keys';

export interface TokenRules {
  readonly keys: PublicKeys;
  readonly issuer: string;
  readonly audience: string;
  readonly clock: Pick<Clock, 'nowMs'>;
}

const ALGORITHM = 'ES256';
/** Ours are about 400 characters. */
const LONGEST_TOKEN = 4096;
const LONGEST_SUBJECT = 256;
/** How far an issuer's clock may be ahead (nbf, iat). An expired token is expired: exp has no leeway. */
const LEEWAY_SECONDS = 60;
/** A token that is longer valid than a day is a password. */
export const MAX_LIFETIME_SECONDS = 24 * 60 * 60;
const COMPACT_JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** @throws LpmosError `unauthenticated`. */
export function verifyToken(token: string, rules: TokenRules): Principal {
  if (token.length > LONGEST_TOKEN) throw refuse(`is longer than ${LONGEST_TOKEN} characters`);
  if (!COMPACT_JWS.test(token)) throw refuse('is no signed JWT');
  const [head = '', body = ''] = token.split('.');
  const candidates = keysFor(decodePart(head, 'header'), rules.keys);
  const claims = decodePart(body, 'claims');
  if (!candidates.some((key) => hasSignature(token, key, rules))) {
    throw refuse('is not signed by a known key, or its issuer, audience or times are not ours');
  }
  return readClaims(claims, Math.floor(rules.clock.nowMs() / 1000));
}

function keysFor(header: Record<string, unknown>, keys: PublicKeys): KeyObject[] {
  const { alg, typ, kid, ...other } = header;
  const [unknown] = Object.keys(other);
  if (unknown !== undefined) throw refuse('has a header parameter other than alg, typ and kid');
  if (alg !== ALGORITHM) throw refuse(`must be signed with ${ALGORITHM}`);
  if (typ !== undefined && typ !== 'JWT') throw refuse('is not of type JWT');
  if (kid === undefined) return [...keys.byKid.values()];
  const key = typeof kid === 'string' ? keys.byKid.get(kid) : undefined;
  if (key === undefined) throw refuse('names a key (kid) that is not known here');
  return [key];
}

function hasSignature(token: string, key: KeyObject, rules: TokenRules): boolean {
  try {
    verify(token, key, {
      algorithms: [ALGORITHM],
      issuer: rules.issuer,
      audience: rules.audience,
      clockTimestamp: Math.floor(rules.clock.nowMs() / 1000),
      clockTolerance: LEEWAY_SECONDS,
    });
    return true;
  } catch {
    return false;
  }
}

/** The same bytes that were verified, read without tolerance: duplicate claims are a way to show two faces. */
function decodePart(part: string, name: string): Record<string, unknown> {
  const reading = readJson(Buffer.from(part, 'base64url').toString('utf8'), { maxDepth: 3 });
  const value = reading.kind === 'value' ? reading.value : undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refuse(`has ${name} that are no plain JSON object`);
  }
  return value as Record<string, unknown>;
}

function readClaims(claims: Record<string, unknown>, now: number): Principal {
  const { sub, exp, iat, roles, regions } = claims;
  if (!isSeconds(exp)) throw refuse('has no exp');
  if (exp <= now) throw refuse(`expired at ${new Date(exp * 1000).toISOString()}; get a new one`);
  if (!isSeconds(iat)) throw refuse('has no iat');
  if (iat > now + LEEWAY_SECONDS) throw refuse('was issued in the future');
  if (exp - iat > MAX_LIFETIME_SECONDS)
    throw refuse(`lives longer than ${MAX_LIFETIME_SECONDS / 3600} hours`);
  if (!isSubject(sub)) throw refuse('has no sub of 1 to 256 printable characters');
  if (!isListOf(roles, (role): role is Role => ROLES.some((known) => known === role))) {
    throw refuse(`has no roles, a list of ${ROLES.join(', ')}`);
  }
  if (regions === undefined) return { subject: sub, roles, expiresAt: exp };
  if (!isListOf(regions, (each): each is RegionId => typeof each === 'string' && isRegionId(each))) {
    throw refuse('has regions that are no list of region ids');
  }
  return { subject: sub, roles, regions, expiresAt: exp };
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

function isSubject(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value !== '' &&
    value.length <= LONGEST_SUBJECT &&
    !/[\p{C}\u2028\u2029]/u.test(value)
  );
}

function isListOf<T>(value: unknown, isItem: (item: unknown) => item is T): value is T[] {
  return Array.isArray(value) && value.length <= 256 && value.every(isItem);
}

function refuse(problem: string): LpmosError {
  return new LpmosError({ code: 'unauthenticated', message: `The bearer token ${problem}` });
}
