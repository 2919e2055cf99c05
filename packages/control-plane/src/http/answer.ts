/**
 * Writes answers: the headers that every one carries, JSON bodies, problems. Nothing here decides what is answered.
 */
import { ERROR_TABLE } from '@lpmos/core';
import type { LpmosError } from '@lpmos/core';
import { PROBLEM_MEDIA_TYPE, problemBody } from '@lpmos/api';
import type { ServerResponse } from 'node:http';

export const REQUEST_ID_HEADER = 'X-Request-Id';
const JSON_MEDIA_TYPE = 'application/json; charset=utf-8';

/** What a handler hands back. */
export type Answer =
  | {
      readonly kind: 'json';
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'text'; readonly contentType: string; readonly text: string }
  /** The handler took the response over and ends it. */
  | { readonly kind: 'taken' };

/** An API has no scripts, no frames and nothing that a cache may keep. */
const SECURITY_HEADERS = {
  'Cache-Control': 'no-store',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
} as const;
/** Two years, as browsers' preload lists ask; said over TLS only (RFC 6797 section 7.2). */
const STRICT_TRANSPORT = 'max-age=63072000';

export function setCommonHeaders(
  response: ServerResponse,
  facts: { readonly requestId: string; readonly tls: boolean },
): void {
  for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
  if (facts.tls) response.setHeader('Strict-Transport-Security', STRICT_TRANSPORT);
  response.setHeader(REQUEST_ID_HEADER, facts.requestId);
}

export function sendAnswer(response: ServerResponse, answer: Exclude<Answer, { kind: 'taken' }>): void {
  if (answer.kind === 'text') {
    response.writeHead(200, { 'Content-Type': answer.contentType });
    response.end(answer.text);
    return;
  }
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  if (answer.body === undefined) {
    response.writeHead(answer.status);
    response.end();
    return;
  }
  response.writeHead(answer.status, { 'Content-Type': JSON_MEDIA_TYPE });
  response.end(JSON.stringify(answer.body));
}

/** When to come back, in seconds: a lost etcd leader is replaced within a few election timeouts. */
const RETRY_AFTER_SECONDS = 2;

export function sendProblem(response: ServerResponse, error: LpmosError, requestId: string): void {
  const { http, retry } = ERROR_TABLE[error.code];
  const body = problemBody(error, requestId);
  if (retry === 'later' || http === 503) response.setHeader('Retry-After', String(RETRY_AFTER_SECONDS));
  if (http === 401) response.setHeader('WWW-Authenticate', 'Bearer realm="lpmos"');
  // The rest of an unread body must not be taken for the next request.
  if (error.code === 'too_large' || error.code === 'deadline_exceeded')
    response.setHeader('Connection', 'close');
  response.writeHead(http, { 'Content-Type': PROBLEM_MEDIA_TYPE });
  response.end(JSON.stringify(body));
}
