/** From options and variables to a control plane: URL, token, timeout, each checked before anything is sent. */
import { createApiClient } from '@lpmos/api';
import { LpmosError } from '@lpmos/core';
import type { CliHost } from './cli';
import { optionText, requiredText } from './command';
import type { CommandOptions } from './command';
import type { ControlPlane } from './control-plane';
import { parseDuration } from './duration';
import { DEFAULT_URL } from './program';
import { invalidOption } from './usage-error';

export async function connect(host: CliHost, globals: CommandOptions): Promise<ControlPlane> {
  const url = checkUrl(optionText(globals, 'url') ?? host.environment.url ?? DEFAULT_URL);
  const token = await findToken(host, globals);
  return createApiClient({
    baseUrl: url,
    timeoutMs: parseDuration(requiredText(globals, 'timeout'), '--timeout'),
    fetch: interruptible(host.signal),
    ...(token === undefined ? {} : { token }),
  });
}

/** Ctrl-C ends a request at once instead of after its deadline. */
function interruptible(interrupted: AbortSignal): typeof fetch {
  return (input, init) =>
    fetch(input, {
      ...init,
      signal: init?.signal ? AbortSignal.any([init.signal, interrupted]) : interrupted,
    });
}

/** Nearest wins: option before variable, text before file. */
async function findToken(host: CliHost, globals: CommandOptions): Promise<string | undefined> {
  const token = optionText(globals, 'token');
  if (token !== undefined) return checkToken(token, '--token');
  const file = optionText(globals, 'tokenFile');
  if (file !== undefined) return readToken(host, file);
  const { environment } = host;
  if (environment.token !== undefined) return checkToken(environment.token, 'LPMOS_TOKEN');
  return environment.tokenFile === undefined ? undefined : readToken(host, environment.tokenFile);
}

async function readToken(host: CliHost, file: string): Promise<string> {
  let text: string;
  try {
    text = await host.readFile(file);
  } catch (cause) {
    throw new LpmosError({
      code: 'invalid_argument',
      message: `The token file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    });
  }
  return checkToken(text, file);
}

/** A header value may hold no control characters, and a token no spaces; the value itself is never shown. */
function checkToken(text: string, where: string): string {
  const token = text.trim();
  if (/^[A-Za-z0-9._~+/=-]{1,8192}$/.test(token)) return token;
  throw invalidOption(where, 'holds no token: it must be one line such as `lpmos token create` prints');
}

function checkUrl(text: string): string {
  const rule = 'must be an http or https URL such as https://lpmos.example.com';
  if (!URL.canParse(text)) throw invalidOption('--url', `${rule}, not "${text}"`);
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalidOption('--url', rule);
  if (url.username !== '' || url.search !== '' || url.hash !== '') {
    throw invalidOption('--url', 'must hold no user, query or fragment; the token goes into --token-file');
  }
  return url.href.replace(/\/+$/, '');
}
