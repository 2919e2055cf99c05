import { createHmac, createSign, generateKeyPairSync } from 'node:crypto';
import { LpmosError } from '@lpmos/core';
import { sign } from 'jsonwebtoken';
import type { SignOptions } from 'jsonwebtoken';
import { keysOf, nowSeconds, pemOf, tokenFor, tokenPair } from '../testing/app-bench';
import { authenticate } from './authenticate';
import { readPublicKeys, thumbprint } from './public-keys';
import { verifyToken } from './verify-token';
import type { TokenRules } from './verify-token';

const rules: TokenRules = {
  keys: keysOf(tokenPair.publicKey),
  issuer: 'lpmos',
  audience: 'lpmos-api',
  clock: { nowMs: () => Date.now() },
};

const claims = (change: Record<string, unknown> = {}): Record<string, unknown> => ({
  iss: 'lpmos',
  aud: 'lpmos-api',
  sub: 'u',
  roles: ['viewer'],
  iat: nowSeconds(),
  exp: nowSeconds() + 600,
  ...change,
});

function signed(change: Record<string, unknown> = {}, options: SignOptions = {}): string {
  const payload = Object.fromEntries(
    Object.entries(claims(change)).filter(([, value]) => value !== undefined),
  );
  return sign(payload, tokenPair.privateKey, { algorithm: 'ES256', ...options });
}

const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A token whose header and body are written by hand and truly signed, so that only our own checks stand in its way. */
function handMade(header: unknown, body: unknown): string {
  const text = `${part(header)}.${part(body)}`;
  const signature = createSign('sha256')
    .update(text)
    .sign({ key: tokenPair.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

function refusalOf(token: string, using: TokenRules = rules): string {
  try {
    verifyToken(token, using);
  } catch (thrown) {
    if (thrown instanceof LpmosError && thrown.code === 'unauthenticated') return thrown.message;
    throw thrown;
  }
  throw new Error('the token was accepted');
}

describe('verifyToken', () => {
  it('accepts what we sign, with and without kid, and says who it is', () => {
    expect(verifyToken(signed(), rules)).toMatchObject({ subject: 'u', roles: ['viewer'] });
    const keyid = thumbprint(tokenPair.publicKey);
    const token = signed({ regions: ['dc1'] }, { keyid });
    expect(verifyToken(token, rules)).toMatchObject({ regions: ['dc1'] });
    expect(verifyToken(handMade({ alg: 'ES256', typ: 'JWT' }, claims()), rules)).toMatchObject({
      subject: 'u',
    });
  });

  it('accepts both keys while one is rotated', () => {
    const next = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const both = { ...rules, keys: keysOf(tokenPair.publicKey, next.publicKey) };
    const token = sign(claims(), next.privateKey, { algorithm: 'ES256' });
    expect(verifyToken(token, both)).toMatchObject({ subject: 'u' });
    expect(refusalOf(token)).toContain('not signed by a known key');
  });

  const hs256 = (): string => {
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims())}`;
    return `${text}.${createHmac('sha256', pemOf(tokenPair.publicKey)).update(text).digest('base64url')}`;
  };
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = stranger.publicKey.export({ format: 'jwk' });

  it.each<[string, () => string]>([
    ['nothing', () => ''],
    ['no token', () => 'abc'],
    ['five parts', () => 'a.b.c.d.e'],
    ['alg none', () => `${part({ alg: 'none' })}.${part(claims())}.`],
    ['alg None with a signature', () => handMade({ alg: 'None' }, claims())],
    ['an empty signature', () => `${signed().split('.').slice(0, 2).join('.')}.`],
    ['HS256 signed with the public key', hs256],
    ['alg ES384 in the header', () => handMade({ alg: 'ES384' }, claims())],
    ['alg with a look-alike letter', () => handMade({ alg: 'ЕS256' }, claims())],
    ['alg with a NUL', () => handMade({ alg: 'ES256\u0000' }, claims())],
    ['a key of its own in the header', () => handMade({ alg: 'ES256', jwk }, claims())],
    ['a key URL in the header', () => handMade({ alg: 'ES256', jku: 'https://evil.example/k' }, claims())],
    ['crit', () => handMade({ alg: 'ES256', crit: ['exp'] }, claims())],
    ['a kid that is a path', () => handMade({ alg: 'ES256', kid: '../../dev/null' }, claims())],
    ['a kid that is a prototype member', () => handMade({ alg: 'ES256', kid: '__proto__' }, claims())],
    ['a kid that is no text', () => handMade({ alg: 'ES256', kid: ['a'] }, claims())],
    ['another signer', () => sign(claims(), stranger.privateKey, { algorithm: 'ES256' })],
    ['another issuer', () => signed({ iss: 'other' })],
    ['another audience', () => signed({ aud: 'lpmos-boot-agent' })],
    ['no issuer', () => signed({ iss: undefined })],
    ['no audience', () => signed({ aud: undefined })],
    ['expired by a second', () => signed({ exp: nowSeconds() - 1 })],
    ['no exp', () => signed({ exp: undefined })],
    ['exp as text', () => handMade({ alg: 'ES256' }, claims({ exp: '99999999999' }))],
    ['nbf in the future', () => signed({ nbf: nowSeconds() + 120 })],
    ['issued in the future', () => signed({ iat: nowSeconds() + 120, exp: nowSeconds() + 600 })],
    ['no iat', () => handMade({ alg: 'ES256' }, claims({ iat: undefined }))],
    ['a life of a month', () => signed({ exp: nowSeconds() + 30 * 86_400 })],
    ['no sub', () => signed({ sub: undefined })],
    ['an empty sub', () => handMade({ alg: 'ES256' }, claims({ sub: '' }))],
    ['a sub with a line break', () => signed({ sub: 'a\nb' })],
    ['no roles', () => signed({ roles: undefined })],
    ['an unknown role', () => signed({ roles: ['root'] })],
    ['roles as text', () => signed({ roles: 'admin' })],
    ['regions as text', () => signed({ regions: 'dc1' })],
    ['regions that are null', () => signed({ regions: null })],
    [
      'duplicate claims',
      () => handMade({ alg: 'ES256' }, JSON.stringify(claims()).replace('{', '{"roles":["admin"],')),
    ],
    ['a duplicate alg', () => handMade('{"alg":"ES256","alg":"ES256"}', claims())],
    ['a payload that is a list', () => handMade({ alg: 'ES256' }, [])],
    ['a megabyte', () => signed({ pad: 'x'.repeat(1_000_000) })],
    [
      'a changed payload',
      () => `${part({ alg: 'ES256' })}.${part(claims({ roles: ['admin'] }))}.${signed().split('.')[2]}`,
    ],
    [
      'a grant',
      () =>
        sign({ ...claims({ aud: 'lpmos-boot-agent', iss: 'lpmos-control-plane' }) }, tokenPair.privateKey, {
          algorithm: 'ES256',
        }),
    ],
  ])('refuses %s', (_name, make) => {
    expect(refusalOf(make())).toMatch(/^The bearer token /);
  });
});

describe('authenticate', () => {
  const ask =
    (...rawHeaders: string[]): (() => unknown) =>
    () =>
      authenticate({ rawHeaders }, rules);

  it('takes exactly one Bearer header', () => {
    expect(ask('Host', 'x', 'authorization', `Bearer ${tokenFor()}`)()).toMatchObject({ roles: ['admin'] });
  });

  it.each([
    ['none', ask('Host', 'x')],
    ['two', ask('Authorization', `Bearer ${tokenFor()}`, 'authorization', `Bearer ${tokenFor()}`)],
    ['Basic', ask('Authorization', 'Basic YTpi')],
    ['two tokens in one', ask('Authorization', `Bearer ${tokenFor()}, ${tokenFor()}`)],
    ['a bare token', ask('Authorization', tokenFor())],
  ])('refuses %s', (_name, request) => {
    expect(request).toThrow(LpmosError);
  });
});

describe('readPublicKeys', () => {
  it.each([
    ['nothing', '', 'no PEM block'],
    [
      'a private key',
      tokenPair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      'private key',
    ],
    ['RSA', pemOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey), 'not EC P-256'],
    ['P-384', pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey), 'not EC P-256'],
    ['rubbish', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'no public key'],
    ['too many', Array.from({ length: 5 }, () => pemOf(tokenPair.publicKey)).join('\n'), 'more than 4'],
  ])('says what is wrong with %s', (_name, pem, words) => {
    expect(readPublicKeys(pem)).toEqual({ problem: expect.stringContaining(words) });
  });
});
