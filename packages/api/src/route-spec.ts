/** How one route is described. The table of them is routes.ts; server, client, OpenAPI and authorisation all read it. */
import type { ErrorCode } from '@lpmos/core';
import type { z } from 'zod';

/** What a token may be good for. Roles do not include each other: the table says who may do what. */
export const ROLES = ['viewer', 'operator', 'approver', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export type HttpMethod = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface RouteSpec {
  readonly method: HttpMethod;
  /** OpenAPI spelling, parameters in braces. */
  readonly path: string;
  readonly summary: string;
  readonly access: 'public' | readonly Role[];
  readonly params?: z.ZodType;
  readonly query?: z.ZodType;
  /** Only the headers that the route reads beside Authorization; names in lower case. */
  readonly headers?: z.ZodType;
  /** A JSON body. A route without one takes none. */
  readonly body?: z.ZodType;
  readonly success: {
    readonly status: 200 | 201 | 204;
    readonly description: string;
    readonly schema?: z.ZodType;
    /** application/json unless said. */
    readonly mediaType?: string;
  };
  /** Beyond those that every route may answer (COMMON_ERRORS, and AUTH_ERRORS unless public). */
  readonly errors: readonly ErrorCode[];
}

export const COMMON_ERRORS = ['method_not_allowed', 'internal'] as const satisfies readonly ErrorCode[];
export const AUTH_ERRORS = ['unauthenticated', 'forbidden'] as const satisfies readonly ErrorCode[];
