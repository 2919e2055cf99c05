/**
 * One HTTP exchange of the client: deadline, bearer token, problem bodies to LpmosError, and the revision that makes a
 * client read its own writes from whichever replica answers. Knows no operation; client.ts names them.
 */
import { LpmosError } from '@lpmos/core';
import { errorFromResponse } from './problem';

export const REVISION_HEADER = 'Lpmos-Revision';
export const MIN_REVISION_HEADER = 'Lpmos-Min-Revision';

export interface ClientOptions {
  /** Scheme, host and port, such as https://lpmos.example.com; a path before /api/v1 is kept. */
  readonly baseUrl: string;
  readonly token?: string;
  /** For one request, streams excepted. */
  readonly timeoutMs?: number;
  readonly fetch?: typeof fetch;
}

export interface Exchange {
  readonly method: string;
  /** From the root, with the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  readonly accept: string;
}

export interface Transport {
  /** @throws LpmosError as the server said, or `unavailable`, `deadline_exceeded` when it said nothing. */
  send(
    exchange: Exchange,
  ): Promise<{ readonly status: number; readonly body: unknown; readonly headers: Headers }>;
  /** Resolves with the head of an endless answer; the caller reads and cancels it. */
  open(exchange: Exchange): Promise<Response>;
}

const DEFAULT_TIMEOUT_MS = 15_000;

export function createTransport(options: ClientOptions): Transport {
  const base = readBaseUrl(options.baseUrl);
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  const doFetch = options.fetch ?? fetch;
  let newestRevision: bigint | undefined;

  const request = async (exchange: Exchange, signal: AbortSignal): Promise<Response> => {
    const init: RequestInit = {
      method: exchange.method,
      headers: headersOf(exchange),
      signal,
      redirect: 'error',
    };
    if (exchange.body !== undefined) init.body = JSON.stringify(exchange.body);
    const response = await doFetch(base + exchange.path, init);
    newestRevision = newer(newestRevision, response.headers.get(REVISION_HEADER));
    return response;
  };

  const headersOf = (exchange: Exchange): Record<string, string> => ({
    Accept: exchange.accept,
    ...(options.token === undefined ? {} : { Authorization: `Bearer ${options.token}` }),
    ...(exchange.body === undefined ? {} : { 'Content-Type': 'application/json' }),
    ...(newestRevision === undefined || exchange.method !== 'GET'
      ? {}
      : { [MIN_REVISION_HEADER]: String(newestRevision) }),
    ...exchange.headers,
  });

  return {
    async send(exchange) {
      const timeout = AbortSignal.timeout(timeoutMs);
      const signal = exchange.signal === undefined ? timeout : AbortSignal.any([timeout, exchange.signal]);
      try {
        const response = await request(exchange, signal);
        const body = readBody(await response.text());
        if (!response.ok) throw errorFromResponse(response.status, body);
        return { status: response.status, body, headers: response.headers };
      } catch (thrown) {
        throw connectionError(thrown, { base, timeoutMs, timedOut: timeout.aborted });
      }
    },
    async open(exchange) {
      const opening = new AbortController();
      const timer = setTimeout(() => opening.abort(), timeoutMs);
      const signal = AbortSignal.any([
        opening.signal,
        ...(exchange.signal === undefined ? [] : [exchange.signal]),
      ]);
      try {
        const response = await request(exchange, signal);
        if (!response.ok) throw errorFromResponse(response.status, readBody(await response.text()));
        return response;
      } catch (thrown) {
        throw connectionError(thrown, { base, timeoutMs, timedOut: opening.signal.aborted });
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function readBaseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && /^https?:$/.test(url.protocol) && url.username === '') {
    return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  }
  const problem = 'must be an http or https URL such as http://127.0.0.1:8080, without user and password';
  throw new LpmosError({
    code: 'invalid_argument',
    message: `The control plane's URL ${problem}`,
    fields: [{ path: 'url', problem }],
  });
}

function newer(known: bigint | undefined, header: string | null): bigint | undefined {
  if (header === null || !/^\d{1,19}$/.test(header)) return known;
  const revision = BigInt(header);
  return known === undefined || revision > known ? revision : known;
}

/** A body that is no JSON comes from something between; its status alone must do. */
function readBody(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function connectionError(
  thrown: unknown,
  facts: { readonly base: string; readonly timeoutMs: number; readonly timedOut: boolean },
): LpmosError {
  if (thrown instanceof LpmosError) return thrown;
  if (facts.timedOut) {
    const message = `No answer from ${facts.base} within ${facts.timeoutMs} ms; a write may have landed, so look before you repeat it`;
    return new LpmosError({ code: 'deadline_exceeded', message, cause: thrown });
  }
  const reason = causeOf(thrown);
  const message = `Cannot reach the control plane at ${facts.base} (${reason}); ${adviceFor(reason)}`;
  return new LpmosError({ code: 'unavailable', message, cause: thrown });
}

/** The codes of OpenSSL and of fetch for the two slips that look like a dead server. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /^ENOTFOUND$|^EAI_AGAIN$/,
    'no address is known by that name: correct it, or see the name servers of this host',
  ],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/, 'that port does not speak TLS: try http:'],
  [
    /^UND_ERR_SOCKET$|^HPE_/,
    'the connection was closed without an answer: it restarts, or that port speaks TLS (try https:)',
  ],
  [
    /SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)/,
    'its certificate is of a CA that this host does not know: name the file of that CA in NODE_EXTRA_CA_CERTS',
  ],
  [/^ERR_TLS_CERT_ALTNAME_INVALID$/, 'its certificate has another name: use a name that is in it'],
  [/^CERT_(?:HAS_EXPIRED|NOT_YET_VALID)$/, 'renew its certificate, or set the clocks right'],
];

function adviceFor(reason: string): string {
  return ADVICE.find(([pattern]) => pattern.test(reason))?.[1] ?? 'does it run there?';
}

/** fetch says only "fetch failed"; the reason is in its cause, or in that of an AggregateError when a name has two addresses. */
function causeOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause as { code?: unknown; message?: unknown } | undefined;
  if (typeof cause?.code === 'string') return cause.code;
  return typeof cause?.message === 'string' && cause.message !== '' ? cause.message : thrown.message;
}
