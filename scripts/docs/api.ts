/** docs/api.md: the REST routes, from the route table. The full schemas are in the OpenAPI document that the control plane serves. */
import { errorCodesOf, OPERATION_IDS, ROLES, routeSpec } from '@lpmos/api';
import type { OperationId } from '@lpmos/api';
import { code, codes, markdownTable, page } from './page';
import type { Page } from './page';

export function apiPage(): Page {
  return page(
    'docs/api.md',
    'The REST API',
    'JSON with snake_case names; unknown and duplicate fields are refused. `GET /openapi.json` serves the complete contract with every schema, ' +
      'made from the same table that validates requests. Errors are [problem bodies](errors.md).',
    `A bearer token (JWT) carries roles: ${codes(ROLES)}. Roles do not include each other; a route names all that may use it.`,
    '## Routes',
    markdownTable(['request', 'what it does', 'who may', 'success'], OPERATION_IDS.map(routeCells)),
    '## Errors of each route',
    markdownTable(
      ['operation', 'errors'],
      OPERATION_IDS.map((id) => [code(id), codes([...errorCodesOf(routeSpec(id))].sort())]),
    ),
    '## Reading your own write',
    'Every answer carries `Lpmos-Revision`. A request that sends it back as `Lpmos-Min-Revision` is answered from a state at least as new, ' +
      'whichever replica gets it. The `ETag` of a task is its version: send it as `If-Match` to decide on what you saw; if the task has moved on, ' +
      'the answer is 412 and nothing is written. `Idempotency-Key` makes a repeated `POST /api/v1/tasks` create one task.',
  );
}

function routeCells(id: OperationId): string[] {
  const route = routeSpec(id);
  const access = route.access === 'public' ? 'everybody' : route.access.join(', ');
  return [code(`${route.method} ${route.path}`), route.summary, access, String(route.success.status)];
}
