/**
 * The one door to a disk: a grant becomes a VerifiedGrant here, after signature (ES256, the key of the site files), issuer,
 * audience, shape of the claims and core's check against hardware collected at this moment. virtual-disk.ts takes nothing else.
 * Expiry is judged by core with the region's time: a machine's own clock may have lost its battery (docs/architecture.md).
 */
import { checkGrant, GRANT_ALGORITHM, GRANT_AUDIENCE, GRANT_ISSUER } from '@lpmos/core';
import type { Disk, FailureClass, GrantClaims, GrantRefusal, GrantSituation } from '@lpmos/core';
import type { KeyObject } from 'node:crypto';
import { verify } from 'jsonwebtoken';

export interface VerifiedGrant {
  readonly claims: GrantClaims;
  readonly attempt: number;
  /** The disk to write, as this machine sees it now. */
  readonly disk: Disk;
}

export interface RefusedGrant {
  readonly refusal: GrantRefusal | 'bad_signature' | 'bad_claims';
  readonly failureClass: FailureClass;
  readonly detail: string;
}

/** Objects that passed; a look-alike built elsewhere is not in here. */
const verified = new WeakSet<VerifiedGrant>();

export function isVerifiedGrant(grant: VerifiedGrant): boolean {
  return verified.has(grant);
}

export function verifyGrant(options: {
  readonly jws: string;
  readonly publicKey: KeyObject;
  readonly situation: GrantSituation;
}): VerifiedGrant | RefusedGrant {
  const claims = readClaims(options.jws, options.publicKey);
  if ('refusal' in claims) return claims;
  const check = checkGrant(claims, options.situation);
  if ('refusal' in check) return { ...check, failureClass: FAILURE_OF[check.refusal] };
  const grant: VerifiedGrant = { claims, attempt: options.situation.attempt, disk: check.disk };
  verified.add(grant);
  return grant;
}

const FAILURE_OF: Record<GrantRefusal, FailureClass> = {
  wrong_task: 'grant_refused',
  expired: 'grant_refused',
  budget_used_up: 'grant_refused',
  wrong_image: 'grant_refused',
  hardware_changed: 'hardware_changed',
  disk_not_found: 'disk_refused',
  disk_ambiguous: 'disk_refused',
};

function readClaims(jws: string, publicKey: KeyObject): GrantClaims | RefusedGrant {
  let payload: unknown;
  try {
    payload = verify(jws, publicKey, {
      algorithms: [GRANT_ALGORITHM],
      issuer: GRANT_ISSUER,
      audience: GRANT_AUDIENCE,
      ignoreExpiration: true,
    });
  } catch (thrown) {
    return refused('bad_signature', thrown instanceof Error ? thrown.message : String(thrown));
  }
  const problem = problemOfClaims(payload);
  return problem === undefined ? (payload as GrantClaims) : refused('bad_claims', problem);
}

/** A signed grant may still come from another version of the control plane: a claim that is absent must not compare as equal. */
function problemOfClaims(payload: unknown): string | undefined {
  if (typeof payload !== 'object' || payload === null) return 'the payload must be an object';
  const claims = payload as Record<string, unknown>;
  const texts = ['sub', 'hardware_digest', 'image_digest'].filter((name) => typeof claims[name] !== 'string');
  const numbers = ['write_budget', 'iat', 'exp'].filter((name) => !Number.isSafeInteger(claims[name]));
  const disk = (claims['disk'] ?? {}) as Record<string, unknown>;
  const diskTexts = ['serial', 'wwn', 'model'].filter((name) => typeof disk[name] !== 'string');
  const wrong = [...texts, ...numbers, ...diskTexts.map((name) => `disk.${name}`)];
  if (!Number.isSafeInteger(disk['size_bytes'])) wrong.push('disk.size_bytes');
  return wrong.length === 0 ? undefined : `claims missing or of the wrong type: ${wrong.join(', ')}`;
}

function refused(refusal: RefusedGrant['refusal'], detail: string): RefusedGrant {
  return { refusal, failureClass: 'grant_refused', detail };
}
