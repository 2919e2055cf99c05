/**
 * The region's own secret and what is derived from it. It lives in the state directory (0600), is made on first start and never
 * leaves the daemon; tokens are recomputed instead of stored, so a restarted daemon still knows those it gave out.
 */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '@lpmos/runtime';

const SECRET_BYTES = 32;

export type TokenPurpose = 'ticket' | 'session' | 'check-in';

export interface RegionSecrets {
  /** 32 bytes of HMAC-SHA-256 over the parts, keyed for one purpose. */
  mac(purpose: TokenPurpose, ...parts: readonly string[]): Buffer;
}

/** @throws ConfigError when the directory cannot be used, and when the file has the wrong size or is readable by others than its owner cannot be mended. */
export function openRegionSecrets(stateDir: string): RegionSecrets {
  return regionSecrets(secretIn(stateDir));
}

function secretIn(stateDir: string): Uint8Array {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    const path = join(stateDir, 'region-secret');
    createOnce(path);
    chmodSync(path, 0o600);
    return readFileSync(path);
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new ConfigError([
      `LPMOS_STATE_DIR=${stateDir}: must be a directory that this user may write: ${reason}`,
    ]);
  }
}

export function regionSecrets(secret: Uint8Array): RegionSecrets {
  if (secret.length !== SECRET_BYTES) throw new Error(`The region secret must have ${SECRET_BYTES} bytes`);
  const keys = new Map<TokenPurpose, Buffer>();
  return {
    mac(purpose, ...parts) {
      const key =
        keys.get(purpose) ?? Buffer.from(hkdfSync('sha256', secret, '', `lpmos ${purpose}`, SECRET_BYTES));
      keys.set(purpose, key);
      // Lengths are hashed with the parts, so that no two lists of parts share a message.
      const message = parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join('');
      return createHmac('sha256', key).update(message).digest();
    },
  };
}

export function sameToken(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

/** link(2) refuses an existing name, so two daemons that start at once agree on one secret, and a crash leaves none half written. */
function createOnce(path: string): void {
  const temporary = `${path}.${process.pid}.new`;
  writeFileSync(temporary, randomBytes(SECRET_BYTES), { mode: 0o600, flush: true });
  try {
    linkSync(temporary, path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'EEXIST') throw thrown;
  } finally {
    rmSync(temporary, { force: true });
  }
}
