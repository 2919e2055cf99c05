/**
 * An HTTP server that answers as a test says, on a port of its own: for the command line's side of the contract.
 * It records every request; a request that no answer was scripted for gets 500, so that a test cannot pass by accident.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RecordedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

export type Answer = (request: RecordedRequest, response: ServerResponse) => void;

export interface ScriptedControlPlane {
  readonly url: string;
  readonly requests: RecordedRequest[];
  /** `GET /api/v1/tasks`: method and path without the query. Later calls replace earlier ones. */
  on(route: string, answer: Answer): void;
  close(): Promise<void>;
}

export async function startScriptedControlPlane(): Promise<ScriptedControlPlane> {
  const answers = new Map<string, Answer>();
  const requests: RecordedRequest[] = [];
  const server = createServer((message, response) => {
    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const request: RecordedRequest = {
        method: message.method ?? '',
        url: message.url ?? '',
        headers: message.headers,
        body: text === '' ? undefined : (JSON.parse(text) as unknown),
      };
      requests.push(request);
      const answer = answers.get(`${request.method} ${request.url.split('?')[0] ?? ''}`);
      if (answer === undefined)
        json(500, { detail: `no answer for ${request.method} ${request.url}` })(request, response);
      else answer(request, response);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    on: (route, answer) => void answers.set(route, answer),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
}

export function json(status: number, body: unknown): Answer {
  return (_request, response) => {
    const type = status < 400 ? 'application/json' : 'application/problem+json';
    response.writeHead(status, { 'Content-Type': type });
    response.end(status === 204 ? undefined : JSON.stringify(body));
  };
}

/** The answers of a route, one a request; the last one stays. */
export function inTurn(...answers: readonly Answer[]): Answer {
  let next = 0;
  return (request, response) => {
    const answer = answers[Math.min(next, answers.length - 1)];
    next += 1;
    answer?.(request, response);
  };
}
