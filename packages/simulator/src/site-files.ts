/**
 * What belongs to a site, found in the initramfs files that the region served: its CA, the public key of grants, the name in its
 * certificate. A real machine reads the same files after the kernel unpacked them; an agent without them trusts nobody.
 */
import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readInitramfs } from './cpio-reader';

export interface SiteFiles {
  /** PEM. */
  readonly ca: string;
  readonly grantKey: KeyObject;
  readonly regionId: string;
  readonly tlsServerName: string;
}

const CA = '/lpmos/site/ca.pem';
const GRANT_KEY = '/lpmos/site/grant.pem';
const SITE = '/lpmos/site/site.json';

/** @throws Error naming the file that is missing or unusable. */
export function readSiteFiles(initramfsFiles: readonly Uint8Array[]): SiteFiles {
  const files = new Map(initramfsFiles.flatMap((bytes) => [...readInitramfs(bytes)]));
  const text = (name: string): string => {
    const bytes = files.get(name);
    if (bytes === undefined)
      throw new Error(`no initramfs of this boot holds ${name}; the region must append it`);
    return Buffer.from(bytes).toString('utf8');
  };
  return { ca: text(CA), grantKey: readGrantKey(text(GRANT_KEY)), ...readSite(text(SITE)) };
}

function readGrantKey(pem: string): KeyObject {
  const key = createPublicKey(pem);
  if (key.asymmetricKeyType !== 'ec') throw new Error(`${GRANT_KEY} must be an EC public key (ES256)`);
  return key;
}

function readSite(json: string): Pick<SiteFiles, 'regionId' | 'tlsServerName'> {
  const site = JSON.parse(json) as Record<string, unknown> | null;
  const { schema_version: version, region_id: regionId, tls_server_name: tlsServerName } = site ?? {};
  if (version !== 1) throw new Error(`${SITE}: schema_version must be 1, is ${JSON.stringify(version)}`);
  if (typeof regionId !== 'string' || typeof tlsServerName !== 'string') {
    throw new Error(`${SITE}: region_id and tls_server_name must be texts`);
  }
  return { regionId, tlsServerName };
}
