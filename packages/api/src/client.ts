/**
 * The typed client of the control plane, one method per operation, for the CLI, tests and other programs.
 * Paths and answers come from the route table, so that a route that changes there changes here or does not compile.
 * Answers are checked against their schema; unknown fields of a newer server are left out.
 */
import { LpmosError } from '@lpmos/core';
import { readEvents } from './event-client';
import type { EventsRequest, ServerEvent } from './event-client';
import { routeSpec } from './routes';
import type { OperationId, RequestBody, ResponseBody } from './routes';
import { createTransport } from './transport';
import type { ClientOptions } from './transport';

export interface ListTasksRequest {
  readonly regionId?: string;
  readonly statuses?: readonly string[];
  readonly targetMac?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly limit?: number;
  readonly offset?: number;
  readonly cursor?: string;
  readonly view?: 'basic' | 'full';
}

/** `version` as read from a task: the decision holds only for what was seen. */
export interface DecisionOptions {
  readonly ifVersion?: string;
}

export interface ApiClient {
  /** Repeats of one key create one task; without a key the client makes one. */
  createTask(
    body: RequestBody<'createTask'>,
    options?: { readonly idempotencyKey?: string },
  ): Promise<ResponseBody<'createTask'>>;
  listTasks(request?: ListTasksRequest): Promise<ResponseBody<'listTasks'>>;
  getTask(taskId: string): Promise<ResponseBody<'getTask'>>;
  approveTask(
    taskId: string,
    body: RequestBody<'approveTask'>,
    options?: DecisionOptions,
  ): Promise<ResponseBody<'approveTask'>>;
  rejectTask(
    taskId: string,
    body: RequestBody<'rejectTask'>,
    options?: DecisionOptions,
  ): Promise<ResponseBody<'rejectTask'>>;
  cancelTask(taskId: string, options?: DecisionOptions): Promise<void>;
  getTaskTimeline(taskId: string): Promise<ResponseBody<'getTaskTimeline'>>;
  explainTask(taskId: string): Promise<ResponseBody<'explainTask'>>;
  listRegions(): Promise<ResponseBody<'listRegions'>>;
  registerRegion(body: RequestBody<'registerRegion'>): Promise<ResponseBody<'registerRegion'>>;
  getRegion(regionId: string): Promise<ResponseBody<'getRegion'>>;
  /** @param mac in any notation. */
  getMachineBoots(
    mac: string,
    options?: { readonly regionId?: string },
  ): Promise<ResponseBody<'getMachineBoots'>>;
  /** Endless; ends when the signal aborts. @throws LpmosError when the request itself is refused. */
  events(request?: EventsRequest): AsyncGenerator<ServerEvent, void, undefined>;
}

export function createApiClient(options: ClientOptions): ApiClient {
  const transport = createTransport(options);

  const call = async <K extends OperationId>(
    operationId: K,
    request: CallRequest = {},
  ): Promise<ResponseBody<K>> => {
    const route = routeSpec(operationId);
    const { body } = await transport.send({
      method: route.method,
      path: fillPath(route.path, request.params ?? {}) + queryText(request.query),
      accept: 'application/json',
      headers: request.headers ?? {},
      ...(request.body === undefined ? {} : { body: request.body }),
    });
    if (route.success.schema === undefined) return undefined as ResponseBody<K>;
    const parsed = route.success.schema.safeParse(body);
    if (parsed.success) return parsed.data as ResponseBody<K>;
    const message = `The answer to ${operationId} is not what the contract says; is there a control plane at ${options.baseUrl}?`;
    throw new LpmosError({ code: 'internal', message, cause: parsed.error });
  };
  const task = (taskId: string) => ({ params: { task_id: taskId } });
  const decision = (taskId: string, body: unknown, { ifVersion }: DecisionOptions = {}): CallRequest => ({
    ...task(taskId),
    ...(body === undefined ? {} : { body }),
    headers: ifVersion === undefined ? {} : { 'If-Match': `"${ifVersion}"` },
  });

  return {
    createTask: (body, { idempotencyKey = crypto.randomUUID() } = {}) =>
      call('createTask', { body, headers: { 'Idempotency-Key': idempotencyKey } }),
    listTasks: (request = {}) => call('listTasks', { query: listQuery(request) }),
    getTask: (taskId) => call('getTask', task(taskId)),
    approveTask: (taskId, body, given) => call('approveTask', decision(taskId, body, given)),
    rejectTask: (taskId, body, given) => call('rejectTask', decision(taskId, body, given)),
    cancelTask: (taskId, given) => call('cancelTask', decision(taskId, undefined, given)),
    getTaskTimeline: (taskId) => call('getTaskTimeline', task(taskId)),
    explainTask: (taskId) => call('explainTask', task(taskId)),
    listRegions: () => call('listRegions'),
    registerRegion: (body) => call('registerRegion', { body }),
    getRegion: (regionId) => call('getRegion', { params: { region_id: regionId } }),
    getMachineBoots: (mac, { regionId } = {}) =>
      call('getMachineBoots', {
        params: { mac },
        ...(regionId === undefined ? {} : { query: new URLSearchParams({ region_id: regionId }) }),
      }),
    events: (request = {}) => readEvents(transport, request),
  };
}

interface CallRequest {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: URLSearchParams;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

function fillPath(path: string, params: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(params[name] ?? ''));
}

function queryText(query: URLSearchParams | undefined): string {
  return query === undefined || query.size === 0 ? '' : `?${query.toString()}`;
}

function listQuery(request: ListTasksRequest): URLSearchParams {
  const query = new URLSearchParams();
  const set = (name: string, value: string | number | undefined): void => {
    if (value !== undefined) query.append(name, String(value));
  };
  set('region_id', request.regionId);
  set('status', request.statuses?.join(',') || undefined);
  set('target_mac', request.targetMac);
  for (const [key, value] of Object.entries(request.tags ?? {})) set('tag', `${key}:${value}`);
  set('limit', request.limit);
  set('offset', request.offset);
  set('cursor', request.cursor);
  set('view', request.view);
  return query;
}
