/**
 * One HTTP request of the examination: bounded in time and size, never an exception, and no proxy of the environment in between.
 * By https any certificate will do: nothing secret is sent, and whether the certificate is good is a finding of its own (http-check.ts).
 */
import { request as plainRequest } from 'node:http';
import { request as tlsRequest } from 'node:https';
import type { HttpResult } from './http-check';

export interface HttpAsk {
  readonly url: string;
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
  readonly deadlineMs: number;
}

/** A script and a health report have a few KiB. */
const MOST_BYTES = 64 * 1024;

export function askHttp({ url, method = 'GET', headers = {}, deadlineMs }: HttpAsk): Promise<HttpResult> {
  return new Promise((resolve) => {
    const fail = (error: Error): void => resolve({ url, failure: failureText(error, deadlineMs) });
    const request = url.startsWith('https:') ? tlsRequest : plainRequest;
    const signal = AbortSignal.timeout(deadlineMs);
    const asked = request(
      url,
      { method, headers: { ...headers }, signal, agent: false, rejectUnauthorized: false },
      (response) => {
        let body = '';
        const done = (): void =>
          resolve({ url, status: response.statusCode ?? 0, headers: flat(response.headers), body });
        response.setEncoding('latin1');
        response.on('data', (part: string) => {
          body += part;
          if (body.length < MOST_BYTES) return;
          done();
          response.destroy();
        });
        response.on('end', done);
        response.on('error', fail);
      },
    );
    asked.on('error', fail);
    asked.end();
  });
}

function flat(headers: NodeJS.Dict<string | string[]>): Record<string, string | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value[0] : value]),
  );
}

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'there is no route to it',
  ECONNRESET: 'the connection was cut',
};

export function failureText(error: Error, deadlineMs: number): string {
  if (error.name === 'AbortError' || error.name === 'TimeoutError')
    return `no answer within ${deadlineMs / 1000} s`;
  const code = 'code' in error ? String(error.code) : '';
  return WORDS[code] ?? error.message;
}
