/**
 * The one body of every refusal: RFC 9457 problem details with a stable `code` and every invalid field.
 * Both directions: the server writes it from an LpmosError, the client reads an LpmosError back from it.
 */
import { ERROR_CODES, ERROR_TABLE, LpmosError } from '@lpmos/core';
import type { ErrorCode } from '@lpmos/core';
import { z } from 'zod';

export const PROBLEM_MEDIA_TYPE = 'application/problem+json';

const codes = ERROR_CODES as [ErrorCode, ...ErrorCode[]];

export const problemSchema = z.object({
  type: z.string().describe('Names the kind of problem, one per code.'),
  title: z.string().describe('What the code means, the same for every occurrence.'),
  status: z.number().int(),
  detail: z.string().describe('What is wrong this time and what to do next.'),
  code: z.enum(codes).describe('Stable; programs decide on it.'),
  errors: z
    .array(z.object({ path: z.string(), problem: z.string() }))
    .describe('Every invalid field, dotted path and problem.'),
  request_id: z.string().describe('Finds the request in the log.'),
  details: z
    .record(z.string(), z.union([z.string(), z.number(), z.boolean()]))
    .optional()
    .describe('Facts for programs, such as the id of the task in the way.'),
});

export type ProblemBody = z.output<typeof problemSchema>;

export function problemBody(error: LpmosError, requestId: string): ProblemBody {
  const row = ERROR_TABLE[error.code];
  return {
    type: `urn:lpmos:problem:${error.code}`,
    title: row.sentence,
    status: row.http,
    detail: error.message,
    code: error.code,
    errors: error.fields.map(({ path, problem }) => ({ path, problem })),
    request_id: requestId,
    ...(Object.keys(error.details).length === 0 ? {} : { details: { ...error.details } }),
  };
}

/** What a client throws for an answer that is no success. A body that is no problem (a proxy's page) is still an error. */
export function errorFromResponse(status: number, body: unknown): LpmosError {
  const parsed = problemSchema.safeParse(body);
  if (!parsed.success) return foreignAnswer(status);
  const { code, detail, errors, details, request_id } = parsed.data;
  return new LpmosError({ code, message: detail, fields: errors, details: { ...details, request_id } });
}

function foreignAnswer(status: number): LpmosError {
  const message = `The server answered ${status} without a problem body: something between may have answered in its place`;
  const code = status === 502 || status === 503 || status === 504 ? 'unavailable' : codeOfStatus(status);
  return new LpmosError({ code, message, details: { http_status: status } });
}

function codeOfStatus(status: number): ErrorCode {
  return ERROR_CODES.find((code) => ERROR_TABLE[code].http === status) ?? 'internal';
}
