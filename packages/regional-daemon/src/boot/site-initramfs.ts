/**
 * The second, small initramfs: what belongs to a site (region CA, grant public key, names) while the ramdisk itself is the same everywhere.
 * The kernel unpacks it over the first one. Deterministic: same site, same bytes.
 */
import { gzipSync } from 'node:zlib';
import { encodeCpio, withParents } from '@lpmos/netboot';

export interface SiteFiles {
  /** PEM of the CA that signed the region's certificate. */
  readonly caPem: string;
  /** PEM of the public key that verifies grants. */
  readonly grantPublicKeyPem: string;
  readonly regionId: string;
  /** Name in the region's certificate, whatever address the machine dials. */
  readonly tlsServerName: string;
}

export function siteInitramfs(site: SiteFiles): Uint8Array {
  const document = { schema_version: 1, region_id: site.regionId, tls_server_name: site.tlsServerName };
  const files = {
    'ca.pem': site.caPem,
    'grant.pem': site.grantPublicKeyPem,
    'site.json': `${JSON.stringify(document)}\n`,
  };
  const entries = Object.entries(files).map(([name, text]) => ({
    kind: 'file' as const,
    name: `lpmos/site/${name}`,
    mode: 0o644,
    content: Buffer.from(text),
  }));
  return gzipSync(encodeCpio(withParents(entries)), { level: 9 });
}
