/** Thin: from checked input to the use cases of regions and from their outcome to a body. Decides nothing. */
import { REVISION_HEADER } from '@lpmos/api';
import type { Handlers } from '../http/context';
import { listedRegionBody, regionBody } from '../http/task-views';
import { getRegion, listRegions, registerRegion } from '../use-cases/register-region';
import type { UseCaseDeps } from '../use-cases/use-case';

export function regionHandlers(
  deps: UseCaseDeps,
): Pick<Handlers, 'listRegions' | 'registerRegion' | 'getRegion'> {
  return {
    async listRegions(_input, context) {
      const regions = await listRegions(deps, context);
      return { kind: 'json', status: 200, body: { regions: regions.map(listedRegionBody) } };
    },
    async registerRegion({ body }, context) {
      const request = { id: body.region_id, displayName: body.display_name };
      const { value, revision } = await registerRegion(deps, context, request);
      const headers = {
        Location: `/api/v1/regions/${value.metadata.id}`,
        ...(revision === undefined ? {} : { [REVISION_HEADER]: revision }),
      };
      return { kind: 'json', status: 201, body: regionBody(value), headers };
    },
    async getRegion({ params }, context) {
      const region = await getRegion(deps, context, params.region_id);
      return { kind: 'json', status: 200, body: regionBody(region) };
    },
  };
}
