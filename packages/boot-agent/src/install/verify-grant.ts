/**
 * The gate before every write: the grant's signature with the key inside the ramdisk, its claims as values, then core's checkGrant
 * against hardware probed just now. See docs/architecture.md.
 * Invariant: there is no other way to a Disk that may be written than through `verifyGrant`.
 */
import type { KeyObject } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { checkGrant, GRANT_ALGORITHM, GRANT_AUDIENCE, GRANT_ISSUER, isTaskId } from '@lpmos/core';
import type { Disk, FailureClass, GrantClaims, GrantRefusal, GrantSituation } from '@lpmos/core';
import { InstallFailure, reasonOf } from './failure';

const CLASS_OF_REFUSAL: Readonly<Record<GrantRefusal, FailureClass>> = {
  wrong_task: 'grant_refused',
  expired: 'grant_refused',
  budget_used_up: 'grant_refused',
  hardware_changed: 'hardware_changed',
  wrong_image: 'grant_refused',
  disk_not_found: 'disk_refused',
  disk_ambiguous: 'disk_refused',
};

/** What the technician or operator does about it. */
const NEXT_STEP: Readonly<Record<GrantRefusal, string>> = {
  wrong_task: 'ask for a new approval of this task',
  expired: 'approve the task again',
  budget_used_up: 'find out why earlier attempts failed, then retry the task',
  hardware_changed: 'review the new hardware report and approve again',
  wrong_image: 'the region offers another image than was approved; approve again',
  disk_not_found: 'put the approved disk back, or approve another disk',
  disk_ambiguous: 'remove one of the disks, or approve another disk',
};

/**
 * The one disk that may be written.
 * @throws InstallFailure in words, before anything was written.
 */
export function verifyGrant(options: {
  readonly grant: string;
  readonly key: KeyObject;
  readonly situation: GrantSituation;
}): { readonly disk: Disk; readonly claims: GrantClaims } {
  const claims = verifySignature(options);
  const verdict = checkGrant(claims, options.situation);
  if ('disk' in verdict) return { disk: verdict.disk, claims };
  const { refusal, detail } = verdict;
  throw new InstallFailure(
    CLASS_OF_REFUSAL[refusal],
    `grant refused (${refusal.replaceAll('_', ' ')}): ${detail}. Nothing was written; ${NEXT_STEP[refusal]}.`,
  );
}

function verifySignature(options: {
  readonly grant: string;
  readonly key: KeyObject;
  readonly situation: GrantSituation;
}): GrantClaims {
  let payload: unknown;
  try {
    payload = jwt.verify(options.grant, options.key, {
      algorithms: [GRANT_ALGORITHM],
      issuer: GRANT_ISSUER,
      audience: GRANT_AUDIENCE,
      // Expiry is judged by checkGrant, on the region's time: clocks of machines fresh from a shelf say 1970.
      ignoreExpiration: true,
      clockTimestamp: options.situation.nowSeconds,
      clockTolerance: 60,
    });
  } catch (thrown) {
    const hint = 'Nothing was written; check that ramdisk and control plane belong to the same site';
    throw new InstallFailure('grant_refused', `grant refused (${reasonOf(thrown)}). ${hint}.`, thrown);
  }
  const problem = problemOfClaims(payload);
  if (problem === undefined) return payload as GrantClaims;
  throw new InstallFailure(
    'grant_refused',
    `grant refused (${problem}). Nothing was written; approve the task again.`,
  );
}

/** The first claim that is not what GrantClaims says, although the signature was good. */
function problemOfClaims(payload: unknown): string | undefined {
  if (payload === null || typeof payload !== 'object') return 'it holds no claims';
  const claims = payload as Partial<Record<keyof GrantClaims, unknown>>;
  const disk = (claims.disk ?? {}) as Record<string, unknown>;
  const checks: readonly [string, boolean][] = [
    ['sub', typeof claims.sub === 'string' && isTaskId(claims.sub)],
    ['hardware_digest', typeof claims.hardware_digest === 'string'],
    ['image_digest', typeof claims.image_digest === 'string'],
    ['write_budget', Number.isSafeInteger(claims.write_budget)],
    ['iat', Number.isSafeInteger(claims.iat)],
    ['exp', Number.isSafeInteger(claims.exp)],
    ['disk.serial', typeof disk['serial'] === 'string'],
    ['disk.wwn', typeof disk['wwn'] === 'string'],
    ['disk.model', typeof disk['model'] === 'string'],
    ['disk.size_bytes', Number.isSafeInteger(disk['size_bytes'])],
  ];
  const wrong = checks.find(([, good]) => !good);
  return wrong === undefined ? undefined : `its claim ${wrong[0]} is missing or malformed`;
}
