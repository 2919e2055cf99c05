/**
 * Reads of tasks: one from the store itself (a dozen keys, linearizable), many from the watch cache made fresh first.
 * What a caller may not see is not there: the same `not_found`, the same empty list.
 */
import { invalidField } from '@lpmos/core';
import type { RegionId, TaskId, TaskPage, TaskRecord } from '@lpmos/core';
import type { RouteInput } from '@lpmos/api';
import { requireRegion } from '../auth/principal';
import type { Principal } from '../auth/principal';
import { readVisibleTask } from './use-case';
import type { Caller, UseCaseDeps } from './use-case';

export type ListQuery = RouteInput<'listTasks'>['query'];

export async function listTasks(
  deps: UseCaseDeps,
  caller: Caller,
  request: { readonly query: ListQuery; readonly minRevision?: string | undefined },
): Promise<TaskPage> {
  const { query } = request;
  const regionId = regionFilter(caller.principal, query.region_id);
  await deps.freshness.beforeRead(request.minRevision);
  return deps.cache.query({
    limit: query.limit,
    offset: query.offset,
    ...(regionId === undefined ? {} : { regionId }),
    ...(query.status === undefined ? {} : { statuses: query.status }),
    ...(query.target_mac === undefined ? {} : { mac: query.target_mac }),
    ...(query.tag === undefined ? {} : { tags: Object.fromEntries(query.tag) }),
    ...(query.cursor === undefined ? {} : { after: query.cursor }),
  });
}

/** A list is of one region or of all; who may see several but not all says which. */
function regionFilter(principal: Principal, asked: RegionId | undefined): RegionId | undefined {
  if (asked !== undefined) {
    requireRegion(principal, asked);
    return asked;
  }
  if (principal.regions === undefined) return undefined;
  const [only] = principal.regions;
  if (only !== undefined && principal.regions.length === 1) return only;
  const problem = `is required, because the token is limited to the regions ${principal.regions.join(', ') || '(none)'}`;
  throw invalidField('region_id', problem);
}

export function getTask(deps: UseCaseDeps, caller: Caller, id: TaskId): Promise<TaskRecord> {
  return readVisibleTask(deps, caller, id);
}
