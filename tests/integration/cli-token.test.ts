/** `lpmos token create`: the token that the control plane expects, and no other. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createVerify } from 'node:crypto';
import { runLpmos } from './harness/cli-run';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'lpmos-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function keyFile(name: string, curve = 'P-256'): { readonly file: string; readonly publicPem: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: curve });
  const file = join(folder, name);
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return { file, publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString() };
}

const part = (text: string | undefined): unknown =>
  JSON.parse(Buffer.from(text ?? '', 'base64url').toString('utf8')) as unknown;

it('signs ES256 with subject, roles, issuer, audience and expiry; prints the token alone', async () => {
  const { file, publicPem } = keyFile('good.pem');
  const words =
    'token create --subject alice@example.com --role approver --role viewer --expires 2h --region dc1 --key-id k1 --key';
  const result = await runLpmos({ args: [...words.split(' '), file] });
  expect(result.exitCode).toBe(0);
  expect(result.stderr).toBe('');
  const [header, claims, signature] = result.stdout.trim().split('.');
  expect(part(header)).toEqual({ alg: 'ES256', typ: 'JWT', kid: 'k1' });
  const payload = part(claims) as { iat: number; exp: number };
  expect(payload).toMatchObject({
    sub: 'alice@example.com',
    roles: ['approver', 'viewer'],
    regions: ['dc1'],
    iss: 'lpmos',
    aud: 'lpmos-api',
  });
  expect(payload.exp - payload.iat).toBe(7200);
  const verify = createVerify('SHA256').update(`${header}.${claims}`);
  const key = { key: publicPem, dsaEncoding: 'ieee-p1363' as const };
  expect(verify.verify(key, Buffer.from(signature ?? '', 'base64url'))).toBe(true);
});

it.each([
  ['--role', 'token create --subject a --role root --key K'],
  ['--subject', 'token create --role viewer --key K'],
  ['--expires', 'token create --subject a --role viewer --expires never --key K'],
  ['--region', 'token create --subject a --role viewer --key K --region DC_1'],
  ['--key', 'token create --subject a --role viewer --key /nonexistent'],
  ['--key', 'token create --subject a --role viewer --key OTHER'],
])('refuses a wrong %s and names it', async (option, words) => {
  const files: Record<string, string> = {
    K: keyFile('k.pem').file,
    OTHER: keyFile('other.pem', 'P-384').file,
  };
  const result = await runLpmos({ args: words.split(' ').map((word) => files[word] ?? word) });
  expect(result).toMatchObject({ exitCode: 2, stdout: '' });
  expect(result.stderr).toContain(option);
});
