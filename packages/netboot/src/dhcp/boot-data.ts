/**
 * What a reply says about booting: the loader of the firmware's architecture, the script for iPXE, or nothing.
 * The decision comes from the region (BootDecider); here it only becomes DHCP fields. RFC 4578, PXE 2.1, UEFI HTTP boot.
 * Invariant: a machine that is not ours (`silent`) and an operating system never get a byte that could change a boot.
 */
import type { BootDecision } from '@lpmos/core';
import type { DhcpClient } from './client';
import { architectureType } from './firmware';
import type { BootSources } from './link';
import { IPXE_SUBOPTION, OPTION } from './option-codes';
import { subOptions, text, u8 } from './options';
import type { DhcpOptions } from './packet';
import { MAX_FILE } from './packet';

export interface BootData {
  readonly siaddr: string;
  readonly file: string;
  readonly options: DhcpOptions;
  /** For the event: what was handed out. */
  readonly what: string;
}

export type BootAnswer =
  | { readonly kind: 'boot'; readonly data: BootData }
  /** `fault` when the machine should boot from us and cannot: somebody has to mend the configuration. */
  | { readonly kind: 'none'; readonly fault: boolean; readonly reason: string };

export interface BootQuestion {
  readonly client: DhcpClient;
  readonly decision: BootDecision;
  readonly sources: BootSources;
  /** Options of the request; 97 is echoed. */
  readonly options: DhcpOptions;
}

/** PXE discovery control, bit 3: load the named file, no menu, no multicast, no visit to port 4011 (PXE 2.1, option 43.6). */
const DIRECT_BOOT = Uint8Array.of(6, 1, 8, 255);

export function bootData(question: BootQuestion): BootAnswer {
  const { client, decision } = question;
  if (decision.kind === 'silent') return none('no boot data for a machine that is not ours');
  if (client.stage === 'os') return none('an operating system asks, which boots nothing');
  if (client.stage === 'ipxe') return forIpxe(question);
  return client.method === 'http' ? forHttpFirmware(question) : forPxeFirmware(question);
}

function forIpxe({ client, sources, options }: BootQuestion): BootAnswer {
  const scheme = /^https:/i.test(sources.scriptUrl) ? 'https' : 'http';
  if (client.features?.[scheme] === false) {
    return fault(`this iPXE cannot fetch ${scheme} URLs (option 175) and the script is at one`);
  }
  const own: Entry[] = [
    // iPXE would otherwise wait 3 s for an offer of a proxy (and ask port 4011, as option 60 invites it to).
    [OPTION.ipxeEncapsulated, subOptions([[IPXE_SUBOPTION.noPxeDhcp, u8(1)]])],
  ];
  return answer({
    siaddr: sources.nextServer,
    name: sources.scriptUrl,
    options: [...identity('PXEClient', options), ...own],
    what: 'the boot script',
  });
}

function forPxeFirmware(question: BootQuestion): BootAnswer {
  const { sources, options } = question;
  const name = pickLoader(question, sources.loaders);
  if (name === undefined) return noLoader(question, 'TFTP');
  const own: Entry[] = [
    [OPTION.vendorSpecific, DIRECT_BOOT],
    // Some ROMs read only siaddr, others only option 66: both, and the same.
    [OPTION.tftpServerName, text(sources.nextServer)],
  ];
  return answer({
    siaddr: sources.nextServer,
    name,
    options: [...identity('PXEClient', options), ...own],
    what: `loader ${name}`,
  });
}

/** An HTTP client must see `HTTPClient` in option 60 and a URL, never the name of a TFTP file (xcat#7743). */
function forHttpFirmware(question: BootQuestion): BootAnswer {
  const { sources, options } = question;
  const name = pickLoader(question, sources.httpLoaders ?? {});
  if (name === undefined) return noLoader(question, 'HTTP');
  return answer({
    siaddr: sources.nextServer,
    name,
    options: identity('HTTPClient', options),
    what: `loader ${name}`,
  });
}

type Entry = readonly [number, Uint8Array];

/** Option 97 goes back unchanged, whatever it holds: firmware compares it and nothing else uses it. */
function identity(vendorClass: 'PXEClient' | 'HTTPClient', request: DhcpOptions): Entry[] {
  const machine = request.get(OPTION.clientMachineIdentifier);
  return [
    [OPTION.vendorClassIdentifier, text(vendorClass)],
    ...(machine === undefined ? [] : [[OPTION.clientMachineIdentifier, machine] as const]),
  ];
}

interface Parts {
  readonly siaddr: string;
  readonly name: string;
  readonly options: readonly Entry[];
  readonly what: string;
}

/** A name that is too long for `file` stands in option 67 alone: a cut name would be a wrong one. */
function answer({ siaddr, name, options, what }: Parts): BootAnswer {
  const file = name.length <= MAX_FILE ? name : '';
  return {
    kind: 'boot',
    data: { siaddr, file, options: new Map([...options, [OPTION.bootfileName, text(name)]]), what },
  };
}

/** Option 93 may name several types; the first that we can serve wins. */
function pickLoader({ client }: BootQuestion, loaders: BootSources['loaders']): string | undefined {
  for (const type of client.architectureTypes) {
    const key = architectureType(type)?.loader;
    const name = key === undefined ? undefined : loaders[key];
    if (name !== undefined) return name;
  }
  return undefined;
}

function noLoader({ client }: BootQuestion, protocol: 'TFTP' | 'HTTP'): BootAnswer {
  if (client.architectureTypes.length === 0)
    return fault('the firmware does not say its architecture (option 93)');
  const types = client.architectureTypes.slice(0, 8).map((type) => {
    const row = architectureType(type);
    return row === undefined ? `${type} (unknown)` : `${type} (${row.firmware} ${row.architecture})`;
  });
  return fault(`no ${protocol} loader is configured for option 93 = ${types.join(', ')}`);
}

function none(reason: string): BootAnswer {
  return { kind: 'none', fault: false, reason };
}

function fault(reason: string): BootAnswer {
  return { kind: 'none', fault: true, reason };
}
