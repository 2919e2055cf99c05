/**
 * The second, small initramfs: what belongs to a site (region CA, grant public key, names) while the ramdisk itself is the same everywhere.
 * A gzipped cpio archive in the "newc" format (Documentation/driver-api/early-userspace/buffer-format.rst of the Linux kernel);
 * the kernel unpacks it over the first one. Deterministic: same site, same bytes.
 */
import { gzipSync } from 'node:zlib';

export interface SiteFiles {
  /** PEM of the CA that signed the region's certificate. */
  readonly caPem: string;
  /** PEM of the public key that verifies grants. */
  readonly grantPublicKeyPem: string;
  readonly regionId: string;
  /** Name in the region's certificate, whatever address the machine dials. */
  readonly tlsServerName: string;
}

export const SITE_DIRECTORY = 'lpmos/site';

const DIRECTORY = 0o040755;
const FILE = 0o100644;

export function siteInitramfs(site: SiteFiles): Uint8Array {
  const document = {
    schema_version: 1,
    region_id: site.regionId,
    tls_server_name: site.tlsServerName,
  };
  const entries: readonly [name: string, mode: number, text: string][] = [
    ['lpmos', DIRECTORY, ''],
    [SITE_DIRECTORY, DIRECTORY, ''],
    [`${SITE_DIRECTORY}/ca.pem`, FILE, site.caPem],
    [`${SITE_DIRECTORY}/grant.pem`, FILE, site.grantPublicKeyPem],
    [`${SITE_DIRECTORY}/site.json`, FILE, `${JSON.stringify(document)}\n`],
    ['TRAILER!!!', 0, ''],
  ];
  const archive = Buffer.concat(
    entries.map(([name, mode, text], index) => entry(index + 1, name, mode, text)),
  );
  return gzipSync(archive, { level: 9 });
}

function entry(inode: number, name: string, mode: number, text: string): Buffer {
  const data = Buffer.from(text);
  const nameBytes = Buffer.from(`${name}\0`);
  const links = name === 'TRAILER!!!' || mode === FILE ? 1 : 2;
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, nameBytes.length, 0];
  const header = Buffer.from(`070701${fields.map((value) => value.toString(16).padStart(8, '0')).join('')}`);
  return Buffer.concat([pad4(Buffer.concat([header, nameBytes])), pad4(data)]);
}

function pad4(bytes: Buffer): Buffer {
  const rest = bytes.length % 4;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - rest)]);
}
