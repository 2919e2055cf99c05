/**
 * `lpmos token create`: signs an API token (RFC 7519, ES256 alone) with a private key from a file. Needs no control plane.
 * Prints the token and nothing else on stdout; the key never leaves this process.
 */
import { createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ROLES } from '@lpmos/api';
import type { Role } from '@lpmos/api';
import { parseRegionId } from '@lpmos/core';
import jwt from 'jsonwebtoken';
import { optionList, optionText, requiredText } from '../command';
import type { CommandContext, CommandRun } from '../command';
import { parseDuration } from '../duration';
import { EXIT_DONE } from '../exit-codes';
import { say, sayJson } from '../terminal';
import { invalidOption } from '../usage-error';

export const run: CommandRun = async ({ context, options }) => {
  const roles = optionList(options, 'role').map(checkRole);
  const expiresMs = parseDuration(requiredText(options, 'expires'), '--expires');
  const key = await readKey(context, requiredText(options, 'key'));
  const regions = optionList(options, 'region').map((id) => parseRegionId(id, '--region'));
  const keyId = optionText(options, 'keyId');
  const issuedAt = Math.floor(context.nowMs() / 1000);
  const expiresAt = issuedAt + Math.max(1, Math.floor(expiresMs / 1000));
  const token = jwt.sign(
    {
      iat: issuedAt,
      exp: expiresAt,
      roles: [...new Set(roles)],
      ...(regions.length === 0 ? {} : { regions }),
    },
    key,
    {
      algorithm: 'ES256',
      subject: checkSubject(requiredText(options, 'subject')),
      issuer: requiredText(options, 'issuer'),
      audience: requiredText(options, 'audience'),
      ...(keyId === undefined ? {} : { keyid: keyId }),
    },
  );
  if (context.format === 'json') {
    sayJson(context.terminal, { token, expires_at: new Date(expiresAt * 1000).toISOString() });
  } else say(context.terminal, token);
  return EXIT_DONE;
};

function checkRole(text: string): Role {
  const role = ROLES.find((known) => known === text);
  if (role === undefined) throw invalidOption('--role', `must be one of ${ROLES.join(', ')}, not "${text}"`);
  return role;
}

/** It is written into audit trails and shown on terminals. */
function checkSubject(text: string): string {
  if (/^[\x21-\x7e]{1,128}$/.test(text)) return text;
  throw invalidOption(
    '--subject',
    'must be 1 to 128 printable characters without spaces, such as alice@example.com',
  );
}

async function readKey(context: CommandContext, file: string): Promise<KeyObject> {
  let key: KeyObject;
  try {
    key = createPrivateKey(await context.readFile(file));
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw invalidOption('--key', `must be a readable private key in PEM form: ${file}: ${reason}`);
  }
  if (key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1') return key;
  throw invalidOption(
    '--key',
    'must be an EC key on P-256; make one with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out jwt-key.pem',
  );
}
