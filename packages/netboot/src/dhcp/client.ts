/**
 * Who is asking: the firmware of a machine, iPXE, or an operating system, read from options 60, 77, 93, 97 and 175.
 * A classification and nothing more; boot-data.ts decides what the client gets. RFC 4578, RFC 3004, iPXE's option 175.
 * Everything here is a claim of the client: it may choose a file, and never the identity, which is the MAC.
 */
import { IPXE_SUBOPTION, OPTION } from './option-codes';
import { latin1, readSubOptions, readText, readU16List } from './options';
import type { DhcpOptions } from './packet';

export type BootStage = 'firmware' | 'ipxe' | 'os';

export interface IpxeFeatures {
  readonly http: boolean;
  readonly https: boolean;
}

export interface DhcpClient {
  readonly stage: BootStage;
  /** How it wants to be booted (option 60); absent for an operating system. */
  readonly method?: 'pxe' | 'http';
  /** Values of option 93, in the client's order of preference; empty when unsaid. */
  readonly architectureTypes: readonly number[];
  /** What this build of iPXE can fetch. */
  readonly features?: IpxeFeatures;
}

const IPXE = 'iPXE';

export function classifyClient(options: DhcpOptions): DhcpClient {
  const vendorClass = readText(options, OPTION.vendorClassIdentifier) ?? '';
  const method = bootMethod(vendorClass);
  const base = {
    ...(method === undefined ? {} : { method }),
    architectureTypes: architectureTypes(options, vendorClass),
  };
  if (isIpxe(options)) return { ...base, stage: 'ipxe', features: ipxeFeatures(options) };
  return { ...base, stage: method === undefined ? 'os' : 'firmware' };
}

/** iPXE says "PXEClient" bare on port 4011, all others append architecture and UNDI version: a prefix is all that is common. */
function bootMethod(vendorClass: string): 'pxe' | 'http' | undefined {
  if (vendorClass.startsWith('PXEClient')) return 'pxe';
  if (vendorClass.startsWith('HTTPClient')) return 'http';
  return undefined;
}

/** ROMs from before RFC 4578 say it only in option 60; an option 93 of odd length counts as absent. */
function architectureTypes(options: DhcpOptions, vendorClass: string): readonly number[] {
  const listed = readU16List(options, OPTION.clientSystemArchitecture);
  if (listed !== undefined) return listed;
  const named = /:Arch:(\d{5})/.exec(vendorClass)?.[1];
  return named === undefined ? [] : [Number(named)];
}

/**
 * iPXE sends its user class bare; RFC 3004 wants each class behind its length, and other senders (and patched builds) do that.
 * Option 175 alone is proof too: nobody else sends it.
 */
function isIpxe(options: DhcpOptions): boolean {
  if (options.has(OPTION.ipxeEncapsulated)) return true;
  const userClass = options.get(OPTION.userClass);
  if (userClass === undefined) return false;
  return readText(options, OPTION.userClass) === IPXE || prefixedClasses(userClass).includes(IPXE);
}

function prefixedClasses(value: Uint8Array): string[] {
  const classes: string[] = [];
  let at = 0;
  while (at < value.length) {
    const length = value[at] ?? 0;
    if (length === 0 || at + 1 + length > value.length) return [];
    classes.push(latin1(value.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return classes;
}

function ipxeFeatures(options: DhcpOptions): IpxeFeatures {
  const value = options.get(OPTION.ipxeEncapsulated);
  const features = value === undefined ? undefined : readSubOptions(value);
  // A build that lists nothing readable is taken for a plain one: every iPXE in the field has HTTP, not every one has TLS.
  if (features === undefined) return { http: true, https: false };
  return { http: features.has(IPXE_SUBOPTION.http), https: features.has(IPXE_SUBOPTION.https) };
}
