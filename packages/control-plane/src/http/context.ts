/** What a handler gets beside its checked input, and what the table of handlers looks like. */
import type { OperationId, RouteInput } from '@lpmos/api';
import type { Logger } from '@lpmos/runtime';
import type { ServerResponse } from 'node:http';
import type { Caller } from '../use-cases/use-case';
import type { Answer } from './answer';

export interface RequestContext extends Caller {
  readonly logger: Logger;
  /** For streams only; everybody else hands back an Answer. */
  readonly response: ServerResponse;
}

export type Handler<K extends OperationId> = (
  input: RouteInput<K>,
  context: RequestContext,
) => Promise<Answer> | Answer;

/** One handler per row of the route table: a missing or a surplus one does not compile. */
export type Handlers = { readonly [K in OperationId]: Handler<K> };
