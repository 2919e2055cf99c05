/** The id that ties an answer, the log and the timeline together: the caller's own if it is harmless, else a new one. */
import { randomUUID } from 'node:crypto';

/** Goes into logs, headers and etcd as it is: a closed set of characters and a length. */
const ACCEPTABLE = /^[A-Za-z0-9._:-]{1,64}$/;

export function requestIdOf(header: string | string[] | undefined): string {
  return typeof header === 'string' && ACCEPTABLE.test(header) ? header : randomUUID();
}
