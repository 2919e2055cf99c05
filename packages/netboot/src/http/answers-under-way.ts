/**
 * How many answers are under way on each connection: what belongs to a connection that is in the middle of an answer differs from what
 * belongs to a quiet one. node answers requests that come together side by side and sends the answers in order.
 */
import type { ServerResponse } from 'node:http';

export interface AnswersUnderWay {
  /** Counts the answer until it has left. @returns how many the connection waits for now */
  begin(connection: object, response: Pick<ServerResponse, 'once'>): number;
  on(connection: object): number;
}

export function createAnswersUnderWay(): AnswersUnderWay {
  // What a closed connection still waits for is forgotten with it.
  const counts = new WeakMap<object, number>();
  const on = (connection: object): number => counts.get(connection) ?? 0;
  return {
    on,
    begin(connection, response) {
      counts.set(connection, on(connection) + 1);
      response.once('close', () => counts.set(connection, on(connection) - 1));
      return on(connection);
    },
  };
}
