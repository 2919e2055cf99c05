/**
 * The OpenAPI 3.1 document, generated from the route table and the schemas that validate; nobody writes it by hand.
 * A top-level schema that several operations share becomes a component; everything inside it is written out.
 */
import { ERROR_TABLE } from '@lpmos/core';
import type { ErrorCode } from '@lpmos/core';
import { z } from 'zod';
import { PROBLEM_MEDIA_TYPE, problemSchema } from './problem';
import { AUTH_ERRORS, COMMON_ERRORS } from './route-spec';
import type { RouteSpec } from './route-spec';
import { OPERATION_IDS, routeSpec } from './routes';

type Json = Record<string, unknown>;

export function openApiDocument(options: { readonly version: string }): Json {
  const paths: Record<string, Json> = {};
  for (const operationId of OPERATION_IDS) {
    const route = routeSpec(operationId);
    const operations = (paths[route.path] ??= {});
    operations[route.method.toLowerCase()] = operation(operationId, route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'LPMOS control plane',
      version: options.version,
      description: 'Bare-metal provisioning: order, approve and watch the installation of machines.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths,
    components: {
      schemas: { Problem: jsonSchema(problemSchema, 'output') },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  };
}

/** Every error code that a route may answer with. */
export function errorCodesOf(route: RouteSpec): ErrorCode[] {
  const auth = route.access === 'public' ? [] : AUTH_ERRORS;
  return [...new Set<ErrorCode>([...route.errors, ...auth, ...COMMON_ERRORS])];
}

function operation(operationId: string, route: RouteSpec): Json {
  const roles = route.access === 'public' ? 'Public.' : `Roles: ${route.access.join(', ')}.`;
  return {
    operationId,
    summary: route.summary,
    description: roles,
    security: route.access === 'public' ? [] : [{ bearer: [] }],
    parameters: [
      ...parameters(route.params, 'path'),
      ...parameters(route.query, 'query'),
      ...parameters(route.headers, 'header'),
    ],
    ...(route.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: jsonSchema(route.body, 'input') } },
          },
        }),
    responses: { ...successResponse(route), ...errorResponses(route) },
  };
}

function parameters(schema: z.ZodType | undefined, place: 'path' | 'query' | 'header'): Json[] {
  if (schema === undefined) return [];
  const { properties = {}, required = [] } = jsonSchema(schema, 'input') as {
    properties?: Record<string, Json>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    ...(typeof property['description'] === 'string' ? { description: property['description'] } : {}),
    schema: property,
  }));
}

function successResponse(route: RouteSpec): Json {
  const { status, description, schema, mediaType = 'application/json' } = route.success;
  if (status === 204) return { [status]: { description } };
  const body = schema === undefined ? { type: 'string' } : jsonSchema(schema, 'output');
  return { [status]: { description, content: { [mediaType]: { schema: body } } } };
}

function errorResponses(route: RouteSpec): Json {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errorCodesOf(route)) {
    const { http } = ERROR_TABLE[code];
    byStatus.set(http, [...(byStatus.get(http) ?? []), code]);
  }
  const responses = [...byStatus].map(([status, codes]) => [
    String(status),
    {
      description: codes.map((code) => `${code}: ${ERROR_TABLE[code].sentence}`).join(' '),
      content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
    },
  ]);
  return Object.fromEntries(responses) as Json;
}

function jsonSchema(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, target: 'draft-2020-12' }) as Json;
  return rest;
}
