/**
 * From handlers to an express app. Registers exactly the rows of the route table: there is one handler per path, which looks the
 * method up in the table, so a route without an entry cannot exist and every other method is answered with 405 and Allow.
 * Listens nowhere; http-server.ts does.
 */
import { LpmosError } from '@lpmos/core';
import { OPERATION_IDS, routeSpec } from '@lpmos/api';
import type { OperationId } from '@lpmos/api';
import type { Logger, Metrics } from '@lpmos/runtime';
import express from 'express';
import type { ErrorRequestHandler, Express, RequestHandler, Response } from 'express';
import { sendProblem, setCommonHeaders } from './http/answer';
import { dispatch, methodNotAllowed } from './http/dispatch';
import type { DispatchOptions } from './http/dispatch';
import { toPublicError } from './http/public-error';
import { requestIdOf } from './http/request-id';
import { observeRequests } from './http/request-metrics';

export interface AppOptions extends DispatchOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly tls: boolean;
}

interface Locals {
  requestId: string;
  logger: Logger;
  operationId: OperationId | undefined;
}

export function createApp(options: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.set('query parser', 'simple');
  app.use(beginRequest(options));
  for (const [path, operations] of operationsByPath()) {
    app.route(expressPath(path)).all(serve(operations, options));
  }
  app.use((_request, _response, next) => {
    next(
      new LpmosError({
        code: 'not_found',
        message: 'There is no such resource; /openapi.json lists those there are',
      }),
    );
  });
  app.use(endWithProblem());
  return app;
}

/** `{task_id}` of the table is `:task_id` of express. */
export function expressPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1');
}

function operationsByPath(): Map<string, Map<string, OperationId>> {
  const byPath = new Map<string, Map<string, OperationId>>();
  for (const operationId of OPERATION_IDS) {
    const { method, path } = routeSpec(operationId);
    const operations = byPath.get(path) ?? new Map<string, OperationId>();
    byPath.set(path, operations.set(method, operationId));
  }
  return byPath;
}

function beginRequest({ logger, metrics, tls }: AppOptions): RequestHandler {
  const observe = observeRequests(metrics);
  return (request, response, next) => {
    const requestId = requestIdOf(request.headers['x-request-id']);
    const locals: Locals = {
      requestId,
      logger: logger.child({ request_id: requestId }),
      operationId: undefined,
    };
    Object.assign(response.locals, locals);
    setCommonHeaders(response, { requestId, tls });
    observe(response, () => {
      const { operationId } = localsOf(response);
      locals.logger.debug(
        { operation: operationId, method: request.method, status: response.statusCode },
        'answered',
      );
      return operationId;
    });
    next();
  };
}

function serve(operations: ReadonlyMap<string, OperationId>, options: AppOptions): RequestHandler {
  const allowed = [...operations.keys()];
  return async (request, response) => {
    const operationId = operations.get(request.method);
    if (operationId === undefined) {
      response.setHeader('Allow', allowed.join(', '));
      throw methodNotAllowed(request.method, allowed);
    }
    const locals = localsOf(response);
    response.locals['operationId'] = operationId;
    await dispatch(
      operationId,
      { request, response, requestId: locals.requestId, logger: locals.logger },
      options,
    );
  };
}

/** The one place where anything thrown becomes an answer. Express recognises it by its four parameters. */
function endWithProblem(): ErrorRequestHandler {
  return (thrown: unknown, request, response, _next) => {
    const { requestId, logger } = localsOf(response);
    const error = toPublicError(thrown);
    const level = error.code === 'internal' || error.code === 'corrupt' ? 'error' : 'info';
    logger[level](
      { method: request.method, code: error.code, err: error, cause: error.cause },
      'request refused',
    );
    if (response.headersSent) {
      response.destroy();
      return;
    }
    sendProblem(response, error, requestId);
  };
}

function localsOf(response: Response): Locals {
  return response.locals as Locals;
}
