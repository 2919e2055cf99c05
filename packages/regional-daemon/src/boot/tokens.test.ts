import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXAMPLE_NOW_MS, EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import type { TaskId } from '@lpmos/core';
import { SECRETS, temporaryFolder } from '../testing/region-fixtures';
import { openRegionSecrets, regionSecrets, sameToken, secretFileProblem } from './secrets';
import { checkInToken, mintTicket, readSessionToken, readTicket, sessionIdOf, sessionToken } from './tokens';

const OTHER_TASK = EXAMPLE_TASK_ID.replace('5891', '5892') as TaskId;
const NEIGHBOUR = regionSecrets(new Uint8Array(32).fill(8));
const ticket = { taskId: EXAMPLE_TASK_ID, expiresAtSeconds: EXAMPLE_NOW_MS / 1000 + 60, nonce: 'ab12' };
const text = mintTicket(SECRETS, ticket);

describe('a ticket', () => {
  it('says what it was minted for, to its own region', () => {
    expect(readTicket(SECRETS, text, EXAMPLE_NOW_MS)).toEqual(ticket);
  });

  it('ends with its time', () => {
    expect(readTicket(SECRETS, text, EXAMPLE_NOW_MS + 60_000)).toEqual(ticket);
    expect(readTicket(SECRETS, text, EXAMPLE_NOW_MS + 60_001)).toEqual({
      problem: 'the ticket has expired; boot the machine again',
    });
  });

  it('of another region is none', () => {
    expect(readTicket(NEIGHBOUR, text, EXAMPLE_NOW_MS)).toEqual({
      problem: 'the ticket was not made by this region',
    });
  });

  it('cannot be changed: not one character of it', () => {
    for (let at = 0; at < text.length; at += 1) {
      const changed = text.slice(0, at) + (text[at] === 'a' ? 'b' : 'a') + text.slice(at + 1);
      expect(readTicket(SECRETS, changed, EXAMPLE_NOW_MS)).toHaveProperty('problem');
    }
    const [task = '', expires = '', nonce = '', mac = ''] = text.split('.');
    for (const forged of [
      [OTHER_TASK, expires, nonce, mac],
      [task, 'zzzzzzz', nonce, mac],
      [task, expires, 'cd34', mac],
      [task, `${expires}${nonce}`, mac],
      [task, expires, nonce, ''],
    ]) {
      expect(readTicket(SECRETS, forged.join('.'), EXAMPLE_NOW_MS)).toHaveProperty('problem');
    }
  });

  it.each(['', '....', 'x'.repeat(10_000), '💣.1.2.3', `${text}.${text}`])('is not %.20s', (hostile) => {
    expect(readTicket(SECRETS, hostile, EXAMPLE_NOW_MS)).toHaveProperty('problem');
  });
});

describe('a session', () => {
  const id = sessionIdOf(SECRETS, ticket, 'f'.repeat(32));

  it('is the same for the same ticket and agent, and another for any other', () => {
    expect(sessionIdOf(SECRETS, ticket, 'f'.repeat(32))).toBe(id);
    expect(sessionIdOf(SECRETS, ticket, 'e'.repeat(32))).not.toBe(id);
    expect(sessionIdOf(SECRETS, { ...ticket, nonce: 'ab13' }, 'f'.repeat(32))).not.toBe(id);
  });

  it('is resumed with its token, for its task, in its region', () => {
    const token = sessionToken(SECRETS, EXAMPLE_TASK_ID, id);
    expect(readSessionToken(SECRETS, EXAMPLE_TASK_ID, token)).toBe(id);
    expect(readSessionToken(SECRETS, OTHER_TASK, token)).toBeUndefined();
    expect(readSessionToken(NEIGHBOUR, EXAMPLE_TASK_ID, token)).toBeUndefined();
    expect(readSessionToken(SECRETS, EXAMPLE_TASK_ID, `${token}x`)).toBeUndefined();
    expect(readSessionToken(SECRETS, EXAMPLE_TASK_ID, `${'0'.repeat(32)}${token.slice(32)}`)).toBeUndefined();
    expect(readSessionToken(SECRETS, EXAMPLE_TASK_ID, id)).toBeUndefined();
  });

  it('has a token that serves for nothing else', () => {
    const tokens = [sessionToken(SECRETS, EXAMPLE_TASK_ID, id), checkInToken(SECRETS, EXAMPLE_TASK_ID), text];
    expect(new Set(tokens.map((token) => token.split('.').at(-1))).size).toBe(3);
    expect(checkInToken(SECRETS, OTHER_TASK)).not.toBe(checkInToken(SECRETS, EXAMPLE_TASK_ID));
  });
});

describe('the region secret', () => {
  const folder = temporaryFolder();

  it('is made once, kept for the next start, and readable by its owner alone', () => {
    const first = openRegionSecrets({ stateDir: join(folder(), 'state') });
    const again = openRegionSecrets({ stateDir: join(folder(), 'state') });
    expect(checkInToken(again, EXAMPLE_TASK_ID)).toBe(checkInToken(first, EXAMPLE_TASK_ID));
    expect(statSync(join(folder(), 'state', 'region-secret')).mode & 0o777).toBe(0o600);
    const other = openRegionSecrets({ stateDir: join(folder(), 'other') });
    expect(checkInToken(other, EXAMPLE_TASK_ID)).not.toBe(checkInToken(first, EXAMPLE_TASK_ID));
  });

  it('of the wrong size is refused, not padded', () => {
    writeFileSync(join(folder(), 'region-secret'), 'short');
    expect(() => openRegionSecrets({ stateDir: folder() })).toThrow('32 bytes');
  });

  it('of two daemons is one file, which is neither made nor changed', () => {
    const file = join(folder(), 'shared');
    writeFileSync(file, Buffer.alloc(32, 7), { mode: 0o600 });
    const daemons = ['one', 'other'].map((name) =>
      openRegionSecrets({ stateDir: join(folder(), name), secretFile: file }),
    );
    const [one, other] = daemons.map((secrets) => checkInToken(secrets, EXAMPLE_TASK_ID));
    expect(one).toBe(other);
    expect(existsSync(join(folder(), 'one', 'region-secret'))).toBe(false);
    expect(secretFileProblem(file)).toBeUndefined();
  });

  it.each([
    ['is not there', () => undefined],
    [
      'has 5 bytes instead of 32; make it on one host with "openssl rand',
      (file: string) => writeFileSync(file, 'short', { mode: 0o600 }),
    ],
    [
      'may be read by others; chmod 600',
      (file: string) => writeFileSync(file, Buffer.alloc(32), { mode: 0o644 }),
    ],
  ])('of a site that %s is told with the remedy', (words, make) => {
    const file = join(folder(), 'of-the-site');
    make(file);
    expect(secretFileProblem(file)).toContain(words);
  });

  it('names the setting of a directory that is none', () => {
    const file = join(folder(), 'file');
    writeFileSync(file, '');
    expect(() => openRegionSecrets({ stateDir: file })).toThrow(
      `LPMOS_STATE_DIR=${file}: must be a directory`,
    );
  });

  it('keeps lists of parts apart', () => {
    expect(SECRETS.mac('ticket', 'ab', 'c')).not.toEqual(SECRETS.mac('ticket', 'a', 'bc'));
    expect(SECRETS.mac('ticket', 'ab')).not.toEqual(SECRETS.mac('session', 'ab'));
  });

  it('compares without a throw, whatever the lengths', () => {
    expect([sameToken('a', 'a'), sameToken('a', 'b'), sameToken('a', 'aa'), sameToken('ä', 'aa')]).toEqual([
      ...[true, false, false, false],
    ]);
  });
});
