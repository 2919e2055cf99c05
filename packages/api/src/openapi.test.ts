import { ERROR_TABLE } from '@lpmos/core';
import { errorCodesOf, openApiDocument } from './openapi';
import { OPERATION_IDS, routeSpec } from './routes';

interface Operation {
  readonly operationId: string;
  readonly parameters: {
    readonly name: string;
    readonly in: string;
    readonly schema: Record<string, unknown>;
  }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Record<string, unknown> }> };
  readonly responses: Record<string, unknown>;
  readonly security: unknown[];
}

const document = openApiDocument({ version: '0.0.0' }) as {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
};

function operationOf(operationId: string): Operation {
  const found = Object.values(document.paths)
    .flatMap((operations) => Object.values(operations))
    .find((operation) => operation.operationId === operationId);
  if (found === undefined) throw new Error(`${operationId} is missing`);
  return found;
}

describe('openApiDocument', () => {
  it.each(OPERATION_IDS)('describes %s with its path, its success and all its errors', (operationId) => {
    const route = routeSpec(operationId);
    const operation = document.paths[route.path]?.[route.method.toLowerCase()];
    expect(operation?.operationId).toBe(operationId);
    const statuses = errorCodesOf(route).map((code) => String(ERROR_TABLE[code].http));
    expect(Object.keys(operation?.responses ?? {})).toEqual(
      expect.arrayContaining([String(route.success.status), ...statuses]),
    );
    expect(operation?.security).toEqual(route.access === 'public' ? [] : [{ bearer: [] }]);
  });

  it('says the rules of a body: required fields, patterns, no unknown fields', () => {
    const body = operationOf('createTask').requestBody?.content['application/json']?.schema;
    expect(body).toMatchObject({
      type: 'object',
      additionalProperties: false,
      required: ['region_id', 'target_mac', 'os_type', 'os_version'],
      properties: { hostname: { maxLength: 63 }, network_config: { const: 'dhcp', default: 'dhcp' } },
    });
  });

  it('shows numbers of the query as numbers', () => {
    const limit = operationOf('listTasks').parameters.find(({ name }) => name === 'limit');
    expect(limit?.schema).toMatchObject({ type: 'integer', minimum: 1, maximum: 200, default: 50 });
  });

  it('names every path parameter', () => {
    for (const [path, operations] of Object.entries(document.paths)) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      for (const operation of Object.values(operations)) {
        const given = operation.parameters.filter((each) => each.in === 'path').map(({ name }) => name);
        expect(given).toEqual(names);
      }
    }
  });

  it('is plain JSON', () => {
    expect(JSON.parse(JSON.stringify(document))).toEqual(document);
  });
});
