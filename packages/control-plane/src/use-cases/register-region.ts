/** Registers and reads regions. A region whose tag is taken by another is refused by the store. */
import { isoTime, LpmosError, regionTag } from '@lpmos/core';
import type { RegionId, RegionMetadata, RegionView } from '@lpmos/core';
import { requireRegion, seesRegion } from '../auth/principal';
import type { Caller, UseCaseDeps, Written } from './use-case';

export async function registerRegion(
  deps: UseCaseDeps,
  caller: Caller,
  request: { readonly id: RegionId; readonly displayName?: string | undefined },
): Promise<Written<RegionView>> {
  requireRegion(caller.principal, request.id);
  const metadata: RegionMetadata = {
    schema_version: 1,
    id: request.id,
    tag: regionTag(request.id, deps.sha256),
    display_name: request.displayName ?? request.id,
    created_at: isoTime(deps.clock.nowMs()),
    created_by: caller.principal.subject,
  };
  const outcome = await deps.regions.registerRegion(metadata);
  if (outcome.kind === 'done') return { value: { metadata, online: false }, revision: outcome.revision };
  if (outcome.kind === 'refused') throw outcome.error;
  return settleUnknown(deps, metadata, outcome.cause);
}

/** Our own record, to the millisecond and the caller, means that it landed. */
async function settleUnknown(
  deps: UseCaseDeps,
  metadata: RegionMetadata,
  cause: unknown,
): Promise<Written<RegionView>> {
  const now = await deps.regions.readRegion(metadata.id).catch(() => undefined);
  if (now?.metadata.created_at === metadata.created_at && now.metadata.created_by === metadata.created_by) {
    return { value: now };
  }
  throw new LpmosError({
    code: 'outcome_unknown',
    message: `It is not known whether region ${metadata.id} was registered; read it before trying again`,
    details: { region_id: metadata.id },
    cause,
  });
}

export async function listRegions(deps: UseCaseDeps, caller: Caller): Promise<readonly RegionView[]> {
  const regions = await deps.regions.listRegions();
  return regions.filter(({ metadata }) => seesRegion(caller.principal, metadata.id));
}

export async function getRegion(deps: UseCaseDeps, caller: Caller, id: RegionId): Promise<RegionView> {
  const region = seesRegion(caller.principal, id) ? await deps.regions.readRegion(id) : undefined;
  if (region !== undefined) return region;
  throw new LpmosError({
    code: 'not_found',
    message: `There is no region ${id}`,
    details: { region_id: id },
  });
}
