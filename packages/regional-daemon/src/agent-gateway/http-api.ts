/**
 * The HTTP door of the seed for installers and tiny agents that hold no stream: POST /api/v1/agent/report and /status, GET /health.
 * Same rules and same planner as the gRPC door. Credentials are bearer tokens in the header: the ticket, or an installed host's check-in token.
 */
import { createServer as createPlainServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { ERROR_TABLE, LpmosError } from '@lpmos/core';
import type { Logger } from '@lpmos/runtime';
import { answerReport, answerStatus } from './http-doors';
import type { HttpDoorOptions } from './http-doors';
import { manyAddressServer } from './many-address-server';

export interface HttpApiOptions extends HttpDoorOptions {
  readonly addresses: readonly string[];
  readonly port: number;
  /** Absent: plain HTTP, for tests on loopback. */
  readonly tls?: { readonly certPem: string; readonly keyPem: string };
  /** The body of GET /health and whether all of it is well. */
  readonly health: () => { readonly healthy: boolean; readonly body: unknown };
  readonly metricsText: () => Promise<{ readonly contentType: string; readonly text: string }>;
  readonly logger: Logger;
  /** A client that neither reads nor writes for so long is dropped. */
  readonly stalledMs?: number;
}

export interface HttpApi {
  start(): Promise<{ readonly port: number }>;
  stop(): Promise<void>;
}

const MOST_CONNECTIONS = 2000;
/** A report of a large server is below 100 KiB. */
const LARGEST_BODY = 256 * 1024;
/** An answer waits for etcd; a tiny agent's wget gives up after 15 minutes, an operator's patience much earlier. */
const ANSWER_MS = 15_000;
/** Longer than an answer takes. Connections are few, and node by itself keeps one for ever whose client stops reading. */
const STALLED_MS = 30_000;
const HANDSHAKE_MS = 10_000;

export function createHttpApi(options: HttpApiOptions): HttpApi {
  const handler = (request: IncomingMessage, response: ServerResponse): void => {
    void answer(options, request, response);
  };
  const limits = {
    requestTimeout: 30_000,
    headersTimeout: 10_000,
    keepAliveTimeout: 5_000,
    maxHeaderSize: 8192,
  };
  const server: Server =
    options.tls === undefined
      ? createPlainServer(limits, handler)
      : createTlsServer(
          {
            ...{ ...limits, handshakeTimeout: HANDSHAKE_MS },
            ...{ cert: options.tls.certPem, key: options.tls.keyPem, minVersion: 'TLSv1.2' },
          },
          handler,
        );
  server.timeout = options.stalledMs ?? STALLED_MS;
  return manyAddressServer({
    server,
    addresses: options.addresses,
    port: options.port,
    maxConnections: MOST_CONNECTIONS,
  });
}

async function answer(
  options: HttpApiOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const path = (request.url ?? '/').split('?')[0] ?? '/';
    const route = `${request.method} ${path}`;
    if (route === 'GET /health') {
      const { healthy, body } = options.health();
      return send(response, healthy ? 200 : 503, body);
    }
    if (route === 'GET /metrics') {
      const { contentType, text } = await options.metricsText();
      response.writeHead(200, { 'Content-Type': contentType });
      response.end(text);
      return;
    }
    if (route === 'POST /api/v1/agent/report' || route === 'POST /api/v1/agent/status') {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const door = path.endsWith('/report') ? answerReport : answerStatus;
      return send(
        response,
        200,
        await door(options, { token: bearer(request), body: await readJson(request), signal }),
      );
    }
    throw new LpmosError({ code: 'not_found', message: `There is no ${route} here` });
  } catch (thrown) {
    const error = LpmosError.from(thrown);
    if (error.code === 'internal') options.logger.error({ err: thrown }, 'agent API failed');
    const { http } = ERROR_TABLE[error.code];
    send(response, http, {
      type: 'about:blank',
      title: ERROR_TABLE[error.code].sentence,
      status: http,
      code: error.code,
      detail: error.message,
      errors: error.fields,
    });
  }
}

function bearer(request: IncomingMessage): string {
  const match = /^Bearer ([\x21-\x7e]{1,512})$/.exec(request.headers.authorization ?? '');
  if (match?.[1] === undefined) {
    throw new LpmosError({
      code: 'unauthenticated',
      message: 'Authorization: Bearer with the ticket or the check-in token is required',
    });
  }
  return match[1];
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new LpmosError({
      code: 'unsupported_media_type',
      message: 'Content-Type must be application/json',
    });
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LARGEST_BODY) {
      throw new LpmosError({ code: 'too_large', message: `The body is limited to ${LARGEST_BODY} bytes` });
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new LpmosError({ code: 'invalid_argument', message: 'The body is not JSON' });
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent) return;
  const text = Buffer.from(`${JSON.stringify(body)}\n`);
  response.writeHead(status, {
    'Content-Type': status >= 400 ? 'application/problem+json' : 'application/json',
    'Content-Length': text.length,
    'Cache-Control': 'no-store',
    ...(status === 503 ? { 'Retry-After': '5' } : {}),
  });
  response.end(text);
}
