/** Thin: who may see which tasks of the stream. Task ids begin with their region's tag, so a removed task is filtered as well. */
import { regionTag, tagOfTask } from '@lpmos/core';
import type { RegionTag, Sha256, TaskId } from '@lpmos/core';
import type { RouteInput } from '@lpmos/api';
import { requireRegion } from '../auth/principal';
import type { Principal } from '../auth/principal';
import type { EventFeed } from '../events/event-feed';
import type { Handlers } from '../http/context';

export function eventHandlers(options: {
  readonly feed: EventFeed;
  readonly sha256: Sha256;
}): Pick<Handlers, 'streamEvents'> {
  return {
    async streamEvents({ query, headers }, { principal, response }) {
      await options.feed.open({
        response,
        wants: filterOf(principal, { query, sha256: options.sha256 }),
        lastEventId: headers['last-event-id'],
        expiresAt: principal.expiresAt,
      });
      return { kind: 'taken' };
    },
  };
}

function filterOf(
  principal: Principal,
  request: { readonly query: RouteInput<'streamEvents'>['query']; readonly sha256: Sha256 },
): (id: TaskId) => boolean {
  const { region_id, task_id } = request.query;
  if (region_id !== undefined) requireRegion(principal, region_id);
  const regions = region_id === undefined ? principal.regions : [region_id];
  const tags = regions && new Set<RegionTag>(regions.map((region) => regionTag(region, request.sha256)));
  return (id) => (task_id === undefined || id === task_id) && (tags === undefined || tags.has(tagOfTask(id)));
}
