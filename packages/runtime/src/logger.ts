/**
 * Structured logs on stderr, one JSON object a line. Field names are the same everywhere: task_id, region_id, mac, xid.
 * Secrets are redacted by name as a last line of defence; code must not hand them over in the first place.
 */
import { pino } from 'pino';

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

const SECRET_NAMES = ['token', 'ticket', 'grant', 'authorization', 'password', 'secret', 'private_key'];

export function createLogger(options: {
  readonly name: string;
  readonly level: LogLevel;
  readonly write?: (line: string) => void;
}): Logger {
  const { write } = options;
  const destination = write === undefined ? pino.destination(2) : { write };
  return pino(
    {
      level: options.level,
      base: { service: options.name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: {
        err: pino.stdSerializers.err,
        cause: pino.stdSerializers.err,
        error: pino.stdSerializers.err,
      },
      redact: { paths: SECRET_NAMES.flatMap((name) => [name, `*.${name}`]), censor: '[secret]' },
    },
    destination,
  );
}

export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
