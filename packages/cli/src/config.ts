/**
 * What the surroundings tell the command line: the only file that reads process.env.
 * Options win over variables; a variable that is set but empty counts as absent, as shells make it easy to set one so.
 */
export interface CliEnvironment {
  readonly url: string | undefined;
  readonly token: string | undefined;
  readonly tokenFile: string | undefined;
  /** https://no-color.org: any non-empty value. */
  readonly noColor: boolean;
}

/** The variables of the command line, for help and docs. */
export const CLI_VARIABLES = [
  { env: 'LPMOS_URL', description: 'where the control plane is, as --url' },
  { env: 'LPMOS_TOKEN', description: 'the bearer token, as --token' },
  { env: 'LPMOS_TOKEN_FILE', description: 'a file that holds the token, as --token-file' },
  {
    env: 'NODE_EXTRA_CA_CERTS',
    description: 'a file with the CA of the control plane, where this host does not know it',
  },
  { env: 'NO_COLOR', description: 'any value: no colour, even on a terminal' },
] as const;

export function readCliEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): CliEnvironment {
  return {
    url: nonEmpty(env['LPMOS_URL']),
    token: nonEmpty(env['LPMOS_TOKEN']),
    tokenFile: nonEmpty(env['LPMOS_TOKEN_FILE']),
    noColor: nonEmpty(env['NO_COLOR']) !== undefined || env['TERM'] === 'dumb',
  };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
