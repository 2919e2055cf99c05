/**
 * The last line of defence against secrets in logs: fields that are named like one, in an object that is a field of a line.
 * Those at the top are pino's to hide. Its own wildcard for the level below costs three times as much as the whole rest of
 * a line (measured), and a region writes a line for each boot request.
 */

export const SECRET_NAMES = [
  'token',
  'ticket',
  'grant',
  'authorization',
  'password',
  'secret',
  'private_key',
] as const;
export const SECRET_SHOWN = '[secret]';

/** The very same object when it holds no secret, which is nearly always; errors are left to their serializer. */
export function hideSecretsBelow<T extends object>(fields: T): T {
  let shown: T | undefined;
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value !== 'object' || value === null || value instanceof Error) continue;
    const safe: object = hideSecrets(value);
    if (safe !== value) shown = { ...(shown ?? fields), [name]: safe };
  }
  return shown ?? fields;
}

/** The object with its own secrets hidden. */
export function hideSecrets<T extends object>(value: T): T {
  const found = SECRET_NAMES.filter((name) => Object.hasOwn(value, name));
  if (found.length === 0) return value;
  return { ...value, ...Object.fromEntries(found.map((name) => [name, SECRET_SHOWN])) };
}
