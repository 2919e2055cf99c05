/**
 * What a reply says about booting: the loader of the firmware's architecture, the script for iPXE, or nothing.
 * The decision comes from the region (BootDecider); here it only becomes DHCP fields. RFC 4578, PXE 2.1, UEFI HTTP boot.
 * Invariant: a machine that is not ours (`silent`) and an operating system never get a byte that could change a boot.
 */
import type { BootDecision, MacAddress } from '@lpmos/core';
import { exitWay, macWithHyphens } from '@lpmos/core';
import type { DhcpClient } from './client';
import { architectureType } from './firmware';
import { MAC_PLACEHOLDER } from './link';
import type { BootSources } from './link';
import { IPXE_SUBOPTION, OPTION } from './option-codes';
import { subOptions, text, u8 } from './options';
import type { DhcpOptions } from './packet';
import { concat, MAX_FILE } from './packet';
import { bootStyle } from './quirks';
import type { BootStyle } from './quirks';

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
  /** Hardware address of the card that asks (`chaddr`). */
  readonly mac: MacAddress;
  readonly client: DhcpClient;
  readonly decision: BootDecision;
  readonly sources: BootSources;
  /** Options of the request; 97 is echoed. */
  readonly options: DhcpOptions;
}

/** PXE discovery control, bit 3: load the named file, no menu, no multicast, no visit to port 4011 (PXE 2.1, option 43.6). */
const DIRECT_BOOT = Uint8Array.of(6, 1, 8, 255);
const NUL = Uint8Array.of(0);

export function bootData(question: BootQuestion): BootAnswer {
  const { client, decision } = question;
  if (decision.kind === 'silent') return none('no boot data for a machine that is not ours');
  if (client.stage === 'os') return none('an operating system asks, which boots nothing');
  if (decision.kind === 'local-disk' && exitWay(decision.exitMethod).silent) {
    return none('no boot data, so that the firmware goes on by itself (exit method silent)');
  }
  if (client.stage === 'ipxe') return forIpxe(question);
  return forFirmware(question, client.method === 'http' ? 'HTTP' : 'TFTP');
}

function forIpxe(question: BootQuestion): BootAnswer {
  const { client, sources, mac } = question;
  const scheme = /^https:/i.test(sources.scriptUrl) ? 'https' : 'http';
  if (client.features?.[scheme] === false) {
    return fault(`this iPXE cannot fetch ${scheme} URLs (option 175) and the script is at one`);
  }
  // The card that asks is known here for certain; iPXE's own `net0` is the first card, not the one that booted.
  const name = sources.scriptUrl.replaceAll(MAC_PLACEHOLDER, macWithHyphens(mac));
  return answer(question, name, 'the boot script');
}

function forFirmware(question: BootQuestion, protocol: 'TFTP' | 'HTTP'): BootAnswer {
  const { sources } = question;
  const name = pickLoader(question, protocol === 'TFTP' ? sources.loaders : (sources.httpLoaders ?? {}));
  return name === undefined ? noLoader(question, protocol) : answer(question, name, `loader ${name}`);
}

/** A name that is too long for `file` stands in option 67 alone: a cut name would be a wrong one. */
function answer({ client, sources, options }: BootQuestion, name: string, what: string): BootAnswer {
  const style = bootStyle(client);
  const machine = options.get(OPTION.clientMachineIdentifier);
  return {
    kind: 'boot',
    data: {
      siaddr: sources.nextServer,
      file: style.fileField && name.length <= MAX_FILE ? name : '',
      options: new Map([
        [OPTION.vendorClassIdentifier, text(style.vendorClass)],
        // Unchanged, whatever it holds: firmware compares it and nothing else uses it.
        ...optional(machine !== undefined, OPTION.clientMachineIdentifier, machine),
        ...styleOptions(style, sources, name),
      ]),
      what,
    },
  };
}

type Entry = readonly [number, Uint8Array];

function styleOptions(style: BootStyle, sources: BootSources, name: string): Entry[] {
  const noPxeDhcp = subOptions([[IPXE_SUBOPTION.noPxeDhcp, u8(1)]]);
  const bootfile = style.bootfile === 'with-nul' ? concat([text(name), NUL]) : text(name);
  return [
    ...optional(style.noProxyWait, OPTION.ipxeEncapsulated, noPxeDhcp),
    ...optional(style.vendorOptions === 'direct-boot', OPTION.vendorSpecific, DIRECT_BOOT),
    ...optional(style.serverName, OPTION.tftpServerName, text(sources.nextServer)),
    [OPTION.bootfileName, bootfile],
  ];
}

function optional(wanted: boolean, code: number, value: Uint8Array | undefined): Entry[] {
  return wanted && value !== undefined ? [[code, value]] : [];
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
