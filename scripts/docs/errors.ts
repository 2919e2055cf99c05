/** docs/errors.md: the closed set of errors and what each becomes, from core's table. */
import { problemBody } from '@lpmos/api';
import { ERROR_CODES, ERROR_TABLE, LpmosError } from '@lpmos/core';
import { exitCodeTable } from '@lpmos/cli';
import { code, fence, markdownTable, page } from './page';
import type { Page } from './page';

/** RFC-like names of gRPC's numbers. */
const GRPC_NAMES: Readonly<Record<number, string>> = {
  3: 'INVALID_ARGUMENT',
  4: 'DEADLINE_EXCEEDED',
  5: 'NOT_FOUND',
  6: 'ALREADY_EXISTS',
  7: 'PERMISSION_DENIED',
  8: 'RESOURCE_EXHAUSTED',
  9: 'FAILED_PRECONDITION',
  10: 'ABORTED',
  12: 'UNIMPLEMENTED',
  13: 'INTERNAL',
  14: 'UNAVAILABLE',
  15: 'DATA_LOSS',
  16: 'UNAUTHENTICATED',
};

const RETRY_WORDS = {
  never: 'no: change the request',
  'after-reread': 'after looking again',
  later: 'yes, later',
} as const;

/** Made by the function that answers requests, so that the page cannot show another body. */
const EXAMPLE = problemBody(
  new LpmosError({
    code: 'invalid_argument',
    message:
      'The request is invalid: target_mac must be a unicast MAC address such as 00:1a:2b:3c:4d:5e (and 1 more)',
    fields: [
      { path: 'target_mac', problem: 'must be a unicast MAC address such as 00:1a:2b:3c:4d:5e' },
      { path: 'os_typ', problem: 'is not a field of this request: remove it or correct its spelling' },
    ],
  }),
  '0f8c2c5e',
);

export function errorsPage(): Page {
  return page(
    'docs/errors.md',
    'Errors',
    'LPMOS says the same closed set of errors on every face: REST, gRPC, command line. Programs branch on `code`, never on text. ' +
      'A message is public and says what to do; its cause is in the log under the request id and never leaves the process.',
    markdownTable(
      ['code', 'when', 'HTTP', 'gRPC', 'exit code', 'send it again?'],
      ERROR_CODES.map((name) => {
        const { sentence, http, grpc, exit, retry } = ERROR_TABLE[name];
        return [code(name), sentence, String(http), GRPC_NAMES[grpc] ?? String(grpc), String(exit), RETRY_WORDS[retry]];
      }),
    ),
    '## On REST',
    'An RFC 9457 problem body (`application/problem+json`) that lists *every* invalid field:',
    fence('json', JSON.stringify(EXAMPLE, null, 2)),
    '## On the command line',
    markdownTable(
      ['exit code', 'meaning'],
      exitCodeTable().map(({ exit, meaning }) => [String(exit), meaning]),
    ),
  );
}
