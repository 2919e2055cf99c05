/**
 * The grant: the signed permission to write one disk of one machine with one image, a bounded number of times.
 * Here are its claims and the pure check against what an agent sees; signing is the control plane's, verifying the signature the agent's.
 * Invariant: no byte is written to a disk unless `checkGrant` returned no refusal.
 */
import { isSameDisk } from '../machine/disk-selector';
import type { DiskIdentity } from '../machine/disk-selector';
import type { Disk, HardwareDigest } from '../machine/hardware';
import type { TaskId } from '../ids';

export const GRANT_ISSUER = 'lpmos-control-plane';
export const GRANT_AUDIENCE = 'lpmos-boot-agent';
/** JWS algorithm of grants; no other is accepted, whatever a header says. */
export const GRANT_ALGORITHM = 'ES256';
export const DEFAULT_WRITE_BUDGET = 3;
/** From approval to the last allowed start of a write. */
export const DEFAULT_GRANT_SECONDS = 24 * 60 * 60;

export interface GrantClaims {
  readonly iss: typeof GRANT_ISSUER;
  readonly aud: typeof GRANT_AUDIENCE;
  /** Task id. */
  readonly sub: TaskId;
  readonly hardware_digest: HardwareDigest;
  readonly disk: DiskIdentity;
  readonly image_digest: string;
  readonly write_budget: number;
  /** Seconds since the epoch. */
  readonly iat: number;
  readonly exp: number;
}

/** What the agent is about to do, and what it sees now. */
export interface GrantSituation {
  readonly taskId: TaskId;
  readonly hardwareDigest: HardwareDigest;
  readonly imageDigest: string;
  readonly attempt: number;
  readonly disks: readonly Disk[];
  readonly nowSeconds: number;
}

export type GrantRefusal =
  | 'wrong_task'
  | 'expired'
  | 'budget_used_up'
  | 'hardware_changed'
  | 'wrong_image'
  | 'disk_not_found'
  | 'disk_ambiguous';

/** Clocks of machines fresh from power-on drift; a minute is forgiven. */
const LEEWAY_SECONDS = 60;

/** The disk to write, or the first reason not to, in the order in which a technician would look. */
export function checkGrant(
  claims: GrantClaims,
  now: GrantSituation,
): { readonly disk: Disk } | { readonly refusal: GrantRefusal; readonly detail: string } {
  const no = (refusal: GrantRefusal, detail: string) => ({ refusal, detail });
  if (claims.sub !== now.taskId) return no('wrong_task', `the grant is for task ${claims.sub}`);
  if (now.nowSeconds > claims.exp + LEEWAY_SECONDS) {
    return no('expired', `the grant expired at ${new Date(claims.exp * 1000).toISOString()}; approve again`);
  }
  if (now.attempt < 1 || now.attempt > claims.write_budget) {
    return no('budget_used_up', `attempt ${now.attempt} of ${claims.write_budget} allowed`);
  }
  if (claims.hardware_digest !== now.hardwareDigest) {
    return no('hardware_changed', `approved ${claims.hardware_digest}, found ${now.hardwareDigest}`);
  }
  if (claims.image_digest !== now.imageDigest) {
    return no('wrong_image', `approved ${claims.image_digest}, ordered ${now.imageDigest}`);
  }
  const found = now.disks.filter((disk) => isSameDisk(claims.disk, disk));
  const [disk] = found;
  const wanted = `serial ${claims.disk.serial || '(none)'}, ${claims.disk.size_bytes} bytes`;
  if (disk === undefined) return no('disk_not_found', `no disk with ${wanted}`);
  if (found.length > 1) return no('disk_ambiguous', `${found.length} disks with ${wanted}`);
  return { disk };
}

/** Whether a grant may still start a write, as far as the region can see. */
export function isGrantLive(
  grant: { readonly expiresAtMs: number; readonly attempt: number; readonly writeBudget: number },
  nowMs: number,
): boolean {
  return nowMs <= grant.expiresAtMs && grant.attempt < grant.writeBudget;
}
