/**
 * THE table of routes: method, path, who may, what goes in, what comes out, which errors. The server registers nothing that is
 * not here, authorisation reads `access`, the OpenAPI document and the client are derived from it. The key is the operationId.
 */
import { z } from 'zod';
import { revisionField } from './fields';
import type { RouteSpec } from './route-spec';
import { machineBootsQuery, machineBootsSchema, machineParams } from './schemas/machines';
import { livenessSchema, readinessSchema, regionListSchema, regionParams } from './schemas/regions';
import { regionSchema, registerRegionBody } from './schemas/regions';
import * as tasks from './schemas/tasks';

const READERS = ['viewer', 'operator', 'approver', 'admin'] as const;
const ORDERERS = ['operator', 'admin'] as const;
const APPROVERS = ['approver', 'admin'] as const;
const ADMINS = ['admin'] as const;

/** Every answer of a store's state says its revision; a client that sends it back sees nothing older anywhere. */
const freshness = { 'lpmos-min-revision': revisionField.optional() };
const readHeaders = z.object(freshness);
const ifMatch = z
  .string()
  .max(256)
  .regex(
    /^(?:\*|(?:W\/)?"[^"]*"(?:[ \t]*,[ \t]*(?:W\/)?"[^"]*")*)$/,
    'must be the ETag of a GET, such as "4711", or *',
  );
const decisionHeaders = z.object({ 'if-match': ifMatch.optional() });

const READ_ERRORS = ['invalid_argument', 'unavailable', 'deadline_exceeded'] as const;
const BODY_ERRORS = ['invalid_argument', 'too_large', 'unsupported_media_type'] as const;
const WRITE_ERRORS = ['conflict', 'unavailable', 'outcome_unknown', 'deadline_exceeded', 'corrupt'] as const;

export const ROUTES = {
  createTask: {
    method: 'POST',
    path: '/api/v1/tasks',
    summary: 'Order the installation of one machine.',
    access: ORDERERS,
    headers: z.object({
      'idempotency-key': z
        .string()
        .regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters without spaces')
        .optional(),
    }),
    body: tasks.createTaskBody,
    success: { status: 201, description: 'Durable.', schema: tasks.createdTaskSchema },
    errors: [...BODY_ERRORS, ...WRITE_ERRORS, 'already_exists', 'idempotency_mismatch'],
  },
  listTasks: {
    method: 'GET',
    path: '/api/v1/tasks',
    summary: 'List tasks, newest first.',
    access: READERS,
    headers: readHeaders,
    query: tasks.listTasksQuery,
    success: { status: 200, description: 'One page.', schema: tasks.taskListSchema },
    errors: READ_ERRORS,
  },
  getTask: {
    method: 'GET',
    path: '/api/v1/tasks/{task_id}',
    summary: 'Everything about one task; the ETag is its version.',
    access: READERS,
    headers: readHeaders,
    params: tasks.taskParams,
    success: { status: 200, description: 'The task.', schema: tasks.taskSchema },
    errors: [...READ_ERRORS, 'not_found', 'corrupt'],
  },
  cancelTask: {
    method: 'DELETE',
    path: '/api/v1/tasks/{task_id}',
    summary: 'Cancel; while a disk is written, at the next safe point.',
    access: ORDERERS,
    headers: decisionHeaders,
    params: tasks.taskParams,
    success: { status: 204, description: 'Cancelled, or the cancellation is on record.' },
    errors: [...WRITE_ERRORS, 'invalid_argument', 'not_found', 'not_allowed_in_state', 'stale'],
  },
  approveTask: {
    method: 'PUT',
    path: '/api/v1/tasks/{task_id}/approve',
    summary: 'Approve what was seen, or reject with approved: false.',
    access: APPROVERS,
    headers: decisionHeaders,
    params: tasks.taskParams,
    body: tasks.approveTaskBody,
    success: { status: 200, description: 'Decided.', schema: tasks.approvedTaskSchema },
    errors: [...BODY_ERRORS, ...WRITE_ERRORS, 'not_found', 'not_allowed_in_state', 'stale'],
  },
  rejectTask: {
    method: 'PUT',
    path: '/api/v1/tasks/{task_id}/reject',
    summary: 'Reject; the disk is not touched.',
    access: APPROVERS,
    headers: decisionHeaders,
    params: tasks.taskParams,
    body: tasks.rejectTaskBody,
    success: { status: 200, description: 'Rejected.', schema: tasks.rejectedTaskSchema },
    errors: [...BODY_ERRORS, ...WRITE_ERRORS, 'not_found', 'not_allowed_in_state', 'stale'],
  },
  getTaskTimeline: {
    method: 'GET',
    path: '/api/v1/tasks/{task_id}/timeline',
    summary: 'What happened, when, by whom.',
    access: READERS,
    headers: readHeaders,
    params: tasks.taskParams,
    success: { status: 200, description: 'Oldest first.', schema: tasks.timelineSchema },
    errors: [...READ_ERRORS, 'not_found', 'corrupt'],
  },
  explainTask: {
    method: 'GET',
    path: '/api/v1/tasks/{task_id}/explain',
    summary: 'Why it stands where it stands, whose move it is, what the machine would boot.',
    access: READERS,
    headers: readHeaders,
    params: tasks.taskParams,
    success: { status: 200, description: 'In words.', schema: tasks.explanationSchema },
    errors: [...READ_ERRORS, 'not_found', 'corrupt'],
  },
  listRegions: {
    method: 'GET',
    path: '/api/v1/regions',
    summary: 'List the registered regions, without their links and boot scripts.',
    access: READERS,
    success: { status: 200, description: 'All of them, in the short form.', schema: regionListSchema },
    errors: [...READ_ERRORS, 'corrupt'],
  },
  registerRegion: {
    method: 'POST',
    path: '/api/v1/regions',
    summary: 'Register a region.',
    access: ADMINS,
    body: registerRegionBody,
    success: { status: 201, description: 'Registered.', schema: regionSchema },
    errors: [...BODY_ERRORS, ...WRITE_ERRORS, 'already_exists'],
  },
  getRegion: {
    method: 'GET',
    path: '/api/v1/regions/{region_id}',
    summary:
      'One region: whether it is online, what it offers, its links and what its boot scripts are made of.',
    access: READERS,
    params: regionParams,
    success: { status: 200, description: 'The region.', schema: regionSchema },
    errors: [...READ_ERRORS, 'not_found', 'corrupt'],
  },
  getMachineBoots: {
    method: 'GET',
    path: '/api/v1/machines/{mac}/boots',
    summary: 'What a machine asked when it booted, what it was answered and why, and what it would boot now.',
    access: READERS,
    headers: readHeaders,
    params: machineParams,
    query: machineBootsQuery,
    success: { status: 200, description: 'For each region that knows it.', schema: machineBootsSchema },
    errors: [...READ_ERRORS, 'not_found', 'corrupt'],
  },
  streamEvents: {
    method: 'GET',
    path: '/api/v1/events',
    summary: 'Changes of tasks as server-sent events; resumable by Last-Event-ID, which is a store revision.',
    access: READERS,
    headers: z.object({ 'last-event-id': tasks.lastEventIdField.optional() }),
    query: tasks.eventsQuery,
    success: {
      status: 200,
      description: 'An endless stream of `sync`, `task`, `task_removed` and, at its end, `end` events.',
      schema: tasks.taskEventSchema,
      mediaType: 'text/event-stream',
    },
    errors: [...READ_ERRORS, 'rate_limited'],
  },
  getHealthz: {
    method: 'GET',
    path: '/healthz',
    summary: 'Alive: the event loop turns.',
    access: 'public',
    success: { status: 200, description: 'Alive.', schema: livenessSchema },
    errors: [],
  },
  getReadyz: {
    method: 'GET',
    path: '/readyz',
    summary: 'Ready to serve; names what is wrong. 503 with the same body when not.',
    access: 'public',
    success: { status: 200, description: 'Ready.', schema: readinessSchema },
    errors: [],
  },
  getMetrics: {
    method: 'GET',
    path: '/metrics',
    summary: 'Prometheus metrics.',
    access: 'public',
    success: { status: 200, description: 'Exposition text.', mediaType: 'text/plain' },
    errors: [],
  },
  getOpenapi: {
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document.',
    access: 'public',
    success: { status: 200, description: 'OpenAPI 3.1.', schema: z.record(z.string(), z.unknown()) },
    errors: [],
  },
} as const satisfies Record<string, RouteSpec>;

export type OperationId = keyof typeof ROUTES;

export const OPERATION_IDS = Object.keys(ROUTES) as OperationId[];

/** The row with its optional parts visible to the type system. */
export function routeSpec(operationId: OperationId): RouteSpec {
  return ROUTES[operationId];
}

type Output<R, K extends string> = R extends { readonly [key in K]: infer S }
  ? S extends z.ZodType
    ? z.output<S>
    : undefined
  : undefined;
type Input<R, K extends string> = R extends { readonly [key in K]: infer S }
  ? S extends z.ZodType
    ? z.input<S>
    : undefined
  : undefined;

/** What a handler receives: everything checked. */
export interface RouteInput<K extends OperationId> {
  readonly params: Output<(typeof ROUTES)[K], 'params'>;
  readonly query: Output<(typeof ROUTES)[K], 'query'>;
  readonly headers: Output<(typeof ROUTES)[K], 'headers'>;
  readonly body: Output<(typeof ROUTES)[K], 'body'>;
}

/** What a client sends as the body. */
export type RequestBody<K extends OperationId> = Input<(typeof ROUTES)[K], 'body'>;

/** What a handler answers with, and a client receives. */
export type ResponseBody<K extends OperationId> = Output<(typeof ROUTES)[K]['success'], 'schema'>;
