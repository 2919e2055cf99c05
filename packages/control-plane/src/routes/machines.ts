/** Thin: from checked input to the use cases of machines and from their outcome to a body. Decides nothing. */
import type { Handlers } from '../http/context';
import { machineBoots } from '../use-cases/machine-boots';
import type { UseCaseDeps } from '../use-cases/use-case';

export function machineHandlers(deps: UseCaseDeps): Pick<Handlers, 'getMachineBoots'> {
  return {
    async getMachineBoots({ params, query, headers }, context) {
      const request = {
        mac: params.mac,
        regionId: query.region_id,
        minRevision: headers['lpmos-min-revision'],
      };
      return { kind: 'json', status: 200, body: await machineBoots(deps, context, request) };
    },
  };
}
