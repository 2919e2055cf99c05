/**
 * One request through one row of the route table: who asks, may they, is it well formed, and only then the handler.
 * The order matters: nobody learns from a 400 what a route takes before a 401 or 403 said that it is not theirs.
 */
import { LpmosError } from '@lpmos/core';
import { invalidRequest, routeSpec, validate } from '@lpmos/api';
import type { OperationId, RouteInput, RouteSpec } from '@lpmos/api';
import type { FieldProblem } from '@lpmos/core';
import type { Logger } from '@lpmos/runtime';
import type { Request, Response } from 'express';
import { authenticate } from '../auth/authenticate';
import { ANONYMOUS, authorize } from '../auth/principal';
import type { TokenRules } from '../auth/verify-token';
import { sendAnswer } from './answer';
import { readJsonBody } from './body';
import type { Handlers } from './context';

export interface DispatchOptions {
  readonly handlers: Handlers;
  readonly tokenRules: TokenRules;
}

export interface Exchange {
  readonly request: Request;
  readonly response: Response;
  readonly requestId: string;
  readonly logger: Logger;
}

export async function dispatch<K extends OperationId>(
  operationId: K,
  exchange: Exchange,
  { handlers, tokenRules }: DispatchOptions,
): Promise<void> {
  const { request, response, requestId, logger } = exchange;
  const route = routeSpec(operationId);
  const principal = route.access === 'public' ? ANONYMOUS : authenticate(request, tokenRules);
  authorize(principal, route);
  const body = route.body === undefined ? undefined : await readJsonBody(request);
  const input = checkInput<K>(route, { request, body });
  const answer = await handlers[operationId](input, { principal, requestId, logger, response });
  if (answer.kind !== 'taken') sendAnswer(response, answer);
}

type Part = 'params' | 'query' | 'headers' | 'body';

/** Every problem of every part at once. @throws LpmosError `invalid_argument`. */
function checkInput<K extends OperationId>(
  route: RouteSpec,
  given: { readonly request: Request; readonly body: unknown },
): RouteInput<K> {
  const raw: Record<Part, unknown> = {
    params: given.request.params,
    query: given.request.query,
    headers: given.request.headers,
    body: given.body,
  };
  const input: Partial<Record<Part, unknown>> = {};
  const problems: FieldProblem[] = [];
  for (const part of ['params', 'query', 'headers', 'body'] as const) {
    const schema = route[part];
    if (schema === undefined) {
      if (part === 'query') problems.push(...surplusQuery(given.request));
      continue;
    }
    const result = validate(schema, raw[part]);
    if (result.kind === 'valid') input[part] = result.value;
    else if (part === 'query') problems.push(...result.problems.map((each) => inQuery(each, given.request)));
    else problems.push(...result.problems);
  }
  if (problems.length > 0) throw invalidRequest(problems);
  return input as unknown as RouteInput<K>;
}

/** A parameter that is given twice arrives as a list, which nobody wrote. */
function inQuery(found: FieldProblem, request: Request): FieldProblem {
  const isRepeated = Array.isArray(request.query[found.path]) && found.problem.endsWith('not a list');
  return isRepeated ? { ...found, problem: 'is given more than once; keep one' } : found;
}

function surplusQuery(request: Request): FieldProblem[] {
  const [name] = Object.keys(request.query);
  return name === undefined
    ? []
    : [{ path: 'query', problem: 'must be empty: this route takes no parameters' }];
}

export function methodNotAllowed(method: string, allowed: readonly string[]): LpmosError {
  return new LpmosError({
    code: 'method_not_allowed',
    message: `This resource does not take ${method}; it takes ${allowed.join(', ')}`,
    details: { allow: allowed.join(', ') },
  });
}
