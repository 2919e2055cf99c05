/**
 * The region's own secret and what is derived from it. It lives in the state directory (0600), is made on first start and never
 * leaves the daemon; of two daemons that serve one region both are given the same file instead. Tokens are recomputed instead of stored, so
 * a restarted daemon still knows those it gave out.
 */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '@lpmos/runtime';

const SECRET_BYTES = 32;

export type TokenPurpose = 'ticket' | 'session' | 'check-in';

export interface RegionSecrets {
  /** 32 bytes of HMAC-SHA-256 over the parts, keyed for one purpose. */
  mac(purpose: TokenPurpose, ...parts: readonly string[]): Buffer;
}

/**
 * @param places a `secretFile` of the site's own is read and never made or changed
 * @throws ConfigError when the directory cannot be used, and when the file has the wrong size or is readable by others than its owner cannot be mended.
 */
export function openRegionSecrets(places: {
  readonly stateDir: string;
  readonly secretFile?: string | undefined;
}): RegionSecrets {
  const own = secretIn(places.stateDir, places.secretFile === undefined);
  return regionSecrets(own ?? readFileSync(places.secretFile ?? ''));
}

/** Makes the directory in any case, and the secret where it is wanted. */
function secretIn(stateDir: string, isWanted: boolean): Uint8Array | undefined {
  try {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    if (!isWanted) return undefined;
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

/** What is wrong with a secret of the site's own, in words; undefined when it can be used. */
export function secretFileProblem(path: string): string | undefined {
  const make = `make it on one host with "openssl rand -out FILE ${SECRET_BYTES}" and copy it to the other`;
  try {
    const { size, mode } = statSync(path);
    if (size !== SECRET_BYTES) return `${path} has ${size} bytes instead of ${SECRET_BYTES}; ${make}`;
    if ((mode & 0o077) !== 0) return `${path} may be read by others; chmod 600, owned by the daemon's user`;
    accessSync(path, constants.R_OK);
    return undefined;
  } catch (thrown) {
    const why = (thrown as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not there' : 'cannot be read';
    return `${path} ${why}; ${make}`;
  }
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
