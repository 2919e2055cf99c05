/**
 * How a reply must look for the client at hand, as data: one row for each class of clients, what is different for it, and why.
 * Rows are read in order and later ones win; a client that no row names gets BASE. boot-data.ts writes the options that a style asks for.
 * Rule for a new row: a public report or a capture, named in its comment, and a predicate that healthy clients of the class survive too.
 */
import type { BootStage, DhcpClient } from './client';

export interface BootStyle {
  /** Option 60 of the reply. EDK2 drops what does not say its own kind. */
  readonly vendorClass: 'PXEClient' | 'HTTPClient';
  /** Option 66: the TFTP server once more, as a dotted quad, because ROMs do not resolve names. */
  readonly serverName: boolean;
  /** Whether the boot file stands in the field `file` as well, when it fits. */
  readonly fileField: boolean;
  /** Option 67, with or without a NUL at its end that its length counts. */
  readonly bootfile: 'plain' | 'with-nul';
  /** Option 43: load the named file at once (06 01 08), or nothing. */
  readonly vendorOptions: 'direct-boot' | 'none';
  /** Option 175.176: wait for no proxy. */
  readonly noProxyWait: boolean;
}

/** Which clients a row means; all that is said must hold. */
export interface QuirkMatch {
  readonly stage?: BootStage;
  readonly method?: 'pxe' | 'http';
  /** One of these is the client's first architecture type. */
  readonly architectures?: readonly number[];
}

export interface Quirk {
  readonly name: string;
  readonly match: QuirkMatch;
  readonly style: Partial<BootStyle>;
}

const BASE: BootStyle = {
  vendorClass: 'PXEClient',
  serverName: false,
  // U-Boot and the oldest ROMs read nothing else (siderolabs/booter#12); an HTTP URL is read from either place.
  fileField: true,
  bootfile: 'plain',
  vendorOptions: 'none',
  noProxyWait: false,
};

export const QUIRKS: readonly Quirk[] = [
  {
    name: 'firmware that boots by PXE',
    match: { stage: 'firmware', method: 'pxe' },
    style: {
      // Some ROMs look at siaddr only, others at 66 only (staticdhcpd#31, raspberrypi/firmware#801, nethsecurity#1810).
      serverName: true,
      // With option 60 and no 43 EDK2 takes the offer for one of BINL and asks port 4011 before it loads (fog-docs#188, edk2#8149).
      vendorOptions: 'direct-boot',
    },
  },
  {
    name: 'ROM of BIOS',
    match: { stage: 'firmware', method: 'pxe', architectures: [0] },
    // UNDI ROMs up to about 2012 read option 67 to the next NUL and ask for name + 0xff, the end option (netboot.xyz#1198). RFC 2132
    // section 2 lets receivers cut the NUL; dnsmasq has sent one for years. UEFI is left out: it is the newer code, and P6 asks for plain.
    style: { bootfile: 'with-nul' },
  },
  {
    name: 'firmware that boots by HTTP',
    match: { stage: 'firmware', method: 'http' },
    // It must see its own class and a URL, and nothing of TFTP (xcat#7743).
    style: { vendorClass: 'HTTPClient' },
  },
  {
    name: 'iPXE',
    match: { stage: 'ipxe' },
    // It would wait 3 s for the offer of a proxy, and ask port 4011 because option 60 says PXEClient (ipxe: dhcp.c).
    style: { noProxyWait: true },
  },
];

export function bootStyle(client: DhcpClient): BootStyle {
  return QUIRKS.filter(({ match }) => matches(client, match)).reduce<BootStyle>(
    (style, quirk) => ({ ...style, ...quirk.style }),
    BASE,
  );
}

function matches(client: DhcpClient, match: QuirkMatch): boolean {
  const [architecture] = client.architectureTypes;
  if (match.stage !== undefined && match.stage !== client.stage) return false;
  if (match.method !== undefined && match.method !== client.method) return false;
  return (
    match.architectures === undefined ||
    (architecture !== undefined && match.architectures.includes(architecture))
  );
}
