/** Who asks, after the token verified: what the rest of the program may know of a credential. */
import { LpmosError } from '@lpmos/core';
import type { RegionId } from '@lpmos/core';
import type { Role, RouteSpec } from '@lpmos/api';

export interface Principal {
  /** The token's `sub`; it becomes created_by, approved_by and the actor of the timeline. */
  readonly subject: string;
  readonly roles: readonly Role[];
  /** Absent: all regions. */
  readonly regions?: readonly RegionId[];
  /** When the token ends, seconds since the epoch; streams end with it. */
  readonly expiresAt: number;
}

/** The caller of public routes; no table gives it anything else. */
export const ANONYMOUS: Principal = { subject: 'anonymous', roles: [], regions: [], expiresAt: 0 };

/** The route table is the only source of rights. @throws LpmosError `forbidden`. */
export function authorize(principal: Principal, route: Pick<RouteSpec, 'access' | 'method' | 'path'>): void {
  const { access } = route;
  if (access === 'public' || principal.roles.some((role) => access.includes(role))) return;
  throw new LpmosError({
    code: 'forbidden',
    message: `${route.method} ${route.path} needs one of the roles ${access.join(', ')}; the token has ${principal.roles.join(', ') || 'none'}`,
  });
}

export function seesRegion(principal: Principal, regionId: RegionId): boolean {
  return principal.regions === undefined || principal.regions.includes(regionId);
}

/** For requests that name a region: whether it exists is not told. @throws LpmosError `forbidden`. */
export function requireRegion(principal: Principal, regionId: RegionId): void {
  if (seesRegion(principal, regionId)) return;
  throw new LpmosError({
    code: 'forbidden',
    message: `The token is limited to the regions ${principal.regions?.join(', ') ?? ''}; ${regionId} is none of them`,
  });
}
