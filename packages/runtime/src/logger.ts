/**
 * Structured logs on stderr, one JSON object a line. Field names are the same everywhere: task_id, region_id, mac, xid.
 * Secrets are redacted by name as a last line of defence; code must not hand them over in the first place.
 */
import { pino } from 'pino';
import { standardErrorLines } from './log-lines';
import { hideSecrets, hideSecretsBelow, SECRET_NAMES, SECRET_SHOWN } from './log-secrets';

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Logger;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export function createLogger(options: {
  readonly name: string;
  readonly level: LogLevel;
  readonly write?: (line: string) => void;
}): Logger {
  const { write } = options;
  const destination = write === undefined ? standardErrorLines() : { write };
  const describeError = (error: Error) => hideSecrets(pino.stdSerializers.err(error));
  const root = pino(
    {
      level: options.level,
      base: { service: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: hideSecretsBelow },
      serializers: { err: describeError, cause: describeError, error: describeError },
      redact: { paths: [...SECRET_NAMES], censor: SECRET_SHOWN },
    },
    destination,
  );
  // Children inherit from the root; pino gives them no formatter of their own.
  const { child } = root;
  return Object.assign(root, {
    child(this: typeof root, fields: LogFields) {
      return child.call(this, hideSecretsBelow(fields));
    },
  });
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
