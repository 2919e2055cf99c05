/**
 * The one closed set of errors that LPMOS says to the outside, with what each becomes on HTTP, gRPC and as an exit code.
 * A message is public; the cause is for logs and never leaves the process. Adding a code means adding a row here,
 * and every face of the product follows, because all of them read this table.
 */

/** One thing wrong with one field of a request. `path` is dotted, e.g. `tags.environment`. */
export interface FieldProblem {
  readonly path: string;
  readonly problem: string;
}

interface ErrorRow {
  /** HTTP status (RFC 9110). */
  readonly http: number;
  /** gRPC status code number. */
  readonly grpc: number;
  /** Exit code of the command line. 0 is success and 1 is kept for crashes. */
  readonly exit: number;
  /** When the same request may be sent again. */
  readonly retry: 'never' | 'after-reread' | 'later';
  /** When this code is said. */
  readonly sentence: string;
}

export const ERROR_TABLE = {
  invalid_argument: {
    http: 400,
    grpc: 3,
    exit: 2,
    retry: 'never',
    sentence: 'The request is wrong whatever the state; every invalid field is listed.',
  },
  unauthenticated: {
    http: 401,
    grpc: 16,
    exit: 3,
    retry: 'never',
    sentence: 'No credential, or one that does not verify.',
  },
  forbidden: {
    http: 403,
    grpc: 7,
    exit: 4,
    retry: 'never',
    sentence: 'The credential is good, but its role may not do this.',
  },
  not_found: {
    http: 404,
    grpc: 5,
    exit: 5,
    retry: 'never',
    sentence: 'There is no such task, region or route.',
  },
  method_not_allowed: {
    http: 405,
    grpc: 12,
    exit: 2,
    retry: 'never',
    sentence: 'The resource exists and does not take this method; Allow names those it takes.',
  },
  already_exists: {
    http: 409,
    grpc: 6,
    exit: 6,
    retry: 'never',
    sentence: 'The thing exists already, such as an active task for the same machine, which is named.',
  },
  not_allowed_in_state: {
    http: 409,
    grpc: 9,
    exit: 7,
    retry: 'never',
    sentence: 'A right request in the wrong state; the state and what it allows are named.',
  },
  conflict: {
    http: 409,
    grpc: 10,
    exit: 8,
    retry: 'after-reread',
    sentence: 'Somebody else changed the same thing first, or the writer no longer leads its region.',
  },
  stale: {
    http: 412,
    grpc: 9,
    exit: 8,
    retry: 'after-reread',
    sentence: 'If-Match names an older version than the stored one: look again, then decide.',
  },
  too_large: {
    http: 413,
    grpc: 8,
    exit: 2,
    retry: 'never',
    sentence: 'The request is over a limit, which is named.',
  },
  unsupported_media_type: {
    http: 415,
    grpc: 3,
    exit: 2,
    retry: 'never',
    sentence: 'The body is not of the media type that the route takes.',
  },
  idempotency_mismatch: {
    http: 422,
    grpc: 3,
    exit: 2,
    retry: 'never',
    sentence: 'The Idempotency-Key was used before with another request.',
  },
  rate_limited: {
    http: 429,
    grpc: 8,
    exit: 9,
    retry: 'later',
    sentence: 'Too many requests; Retry-After says when.',
  },
  internal: {
    http: 500,
    grpc: 13,
    exit: 10,
    retry: 'never',
    sentence: 'A fault of LPMOS itself; the log has its cause under the request id.',
  },
  corrupt: {
    http: 500,
    grpc: 15,
    exit: 10,
    retry: 'never',
    sentence: 'A stored value does not decode; the key is named in the log.',
  },
  unavailable: {
    http: 503,
    grpc: 14,
    exit: 11,
    retry: 'later',
    sentence: 'etcd or a region cannot be asked now; nothing was half done.',
  },
  outcome_unknown: {
    http: 503,
    grpc: 14,
    exit: 11,
    retry: 'after-reread',
    sentence: 'The write may or may not have landed; read before trying again.',
  },
  deadline_exceeded: {
    http: 504,
    grpc: 4,
    exit: 12,
    retry: 'later',
    sentence: 'The answer did not come within its deadline.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;

export const ERROR_CODES = Object.keys(ERROR_TABLE) as ErrorCode[];

export interface ErrorInput {
  readonly code: ErrorCode;
  /** Public: names the field or the state, the problem and what to do next. */
  readonly message: string;
  readonly fields?: readonly FieldProblem[];
  /** Public machine-readable facts, such as the id of the task in the way. */
  readonly details?: Readonly<Record<string, string | number | boolean>>;
  /** Private: for the log only. */
  readonly cause?: unknown;
}

/** The only error type that crosses a package border. */
export class LpmosError extends Error {
  readonly code: ErrorCode;
  readonly fields: readonly FieldProblem[];
  readonly details: Readonly<Record<string, string | number | boolean>>;

  constructor(input: ErrorInput) {
    super(input.message, input.cause === undefined ? undefined : { cause: input.cause });
    this.name = 'LpmosError';
    this.code = input.code;
    this.fields = input.fields ?? [];
    this.details = input.details ?? {};
  }

  /** The one funnel for unknown throws: keeps an LpmosError, hides everything else behind `internal`. */
  static from(thrown: unknown): LpmosError {
    if (thrown instanceof LpmosError) return thrown;
    return new LpmosError({
      code: 'internal',
      message: 'An internal error occurred; the log has its cause under the request id.',
      cause: thrown,
    });
  }
}

/** `invalid_argument` for one field: the message is its name and its problem. */
export function invalidField(path: string, problem: string): LpmosError {
  return new LpmosError({
    code: 'invalid_argument',
    message: `${path} ${problem}`,
    fields: [{ path, problem }],
  });
}

/** Makes forgetting a case a compile error, and a loud fault should one appear at run time. */
export function assertNever(value: never, what: string): never {
  throw new LpmosError({ code: 'internal', message: `Unhandled ${what}: ${JSON.stringify(value)}` });
}
