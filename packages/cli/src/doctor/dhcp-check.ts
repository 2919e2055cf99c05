/**
 * DHCP from the side of a machine, pure: the questions to send, what an answer says, and what the answers together mean. Only DISCOVER is
 * ever sent, so nobody's lease is touched: servers keep the offered address for a moment and forget it.
 * RFC 2131, PXE 2.1; the options of the questions are boot/client-table.ts.
 */
import type { MacAddress } from '@lpmos/core';
import { macFromBytes } from '@lpmos/core';
import {
  bootRequest,
  decodePacket,
  encodePacket,
  messageTypeName,
  OPTION,
  readAddress,
  readText,
  readU8,
} from '@lpmos/netboot';
import { readBootClient, requestOptions } from '../boot/client-table';
import { bootFileOf } from '../boot/dhcp-fields';
import { bad, info, ok, warning } from './findings';
import type { Finding } from './findings';

/** The three stages that a region answers differently, in the two firmwares of nearly every hall. */
export const ASKED_CLIENTS = ['bios', 'uefi-x64', 'ipxe-bios'] as const;
export type AskedClient = (typeof ASKED_CLIENTS)[number];

export interface Question {
  readonly client: AskedClient;
  readonly xid: number;
  readonly bytes: Uint8Array;
}

export interface QuestionOptions {
  readonly mac: MacAddress;
  /** The first of as many numbers as there are clients. */
  readonly firstXid: number;
  /** Speaks as a relay with this address. */
  readonly giaddr?: string;
}

/** What a request may take on any path. */
const MAX_BYTES = 1472;
const BOOTREPLY = 2;
const NO_ADDRESS = '0.0.0.0';

export function questions({ mac, firstXid, giaddr }: QuestionOptions): Question[] {
  return ASKED_CLIENTS.map((client, index) => {
    const xid = (firstXid + index) >>> 0;
    const packet = bootRequest({
      ...{ type: 'DHCPDISCOVER', mac, xid, secs: 4, broadcast: true },
      ...(giaddr === undefined ? {} : { giaddr, hops: 1 }),
      options: new Map(requestOptions(readBootClient(client, 'client'))),
    });
    return { client, xid, bytes: encodePacket(packet, { maxBytes: MAX_BYTES }) };
  });
}

/** As firmware asks the boot server's port for its boot file. */
export function bootServerQuestion(mac: MacAddress, xid: number, address: string): Uint8Array {
  const options = new Map(requestOptions(readBootClient('uefi-x64', 'client')));
  return encodePacket(bootRequest({ type: 'DHCPREQUEST', mac, xid, ciaddr: address, options }), {
    maxBytes: MAX_BYTES,
  });
}

export interface DhcpAnswer {
  readonly client?: AskedClient;
  /** Option 54, or the sender. */
  readonly server: string;
  readonly sender: string;
  readonly type: string;
  /** Absent in the answer of a proxy. */
  readonly offered?: string;
  readonly relay?: string;
  readonly bootFile?: string;
  readonly nextServer?: string;
}

/** @returns undefined for what is no answer to one of the questions. */
export function readAnswer(
  bytes: Uint8Array,
  sender: string,
  asked: { readonly mac: MacAddress; readonly xids: ReadonlyMap<number, AskedClient | undefined> },
): DhcpAnswer | undefined {
  const decoded = decodePacket(bytes);
  if (decoded.kind === 'malformed') return undefined;
  const { packet } = decoded;
  if (packet.op !== BOOTREPLY || !asked.xids.has(packet.xid) || macFromBytes(packet.chaddr) !== asked.mac)
    return undefined;
  const client = asked.xids.get(packet.xid);
  const bootFile = bootFileOf(packet);
  const nextServer =
    packet.siaddr === NO_ADDRESS ? readText(packet.options, OPTION.tftpServerName) : packet.siaddr;
  return {
    ...(client === undefined ? {} : { client }),
    server: readAddress(packet.options, OPTION.serverIdentifier) ?? sender,
    sender,
    type: messageTypeName(readU8(packet.options, OPTION.messageType) ?? 0) ?? 'BOOTP',
    ...(packet.yiaddr === NO_ADDRESS ? {} : { offered: packet.yiaddr }),
    ...(packet.giaddr === NO_ADDRESS ? {} : { relay: packet.giaddr }),
    ...(bootFile === undefined ? {} : { bootFile }),
    ...(nextServer === undefined ? {} : { nextServer }),
  };
}

/** The region's address, from the script that it tells iPXE to load. */
export function regionAddressIn(answers: readonly DhcpAnswer[]): string | undefined {
  const script = answers.find((each) => each.client === 'ipxe-bios' && isScriptUrl(each.bootFile));
  return script === undefined ? undefined : /^https?:\/\/([^/:]+)/.exec(script.bootFile ?? '')?.[1];
}

export function isScriptUrl(file: string | undefined): boolean {
  return file !== undefined && /^https?:\/\/[^/]+\/boot\/menu\.ipxe/.test(file);
}

export interface DhcpFacts {
  readonly answers: readonly DhcpAnswer[];
  readonly regionAddress?: string;
  readonly interfaceName: string;
  readonly mac: MacAddress;
}

export function dhcpFindings(facts: DhcpFacts): Finding[] {
  const { answers, interfaceName } = facts;
  if (answers.length === 0) {
    return [
      bad(
        'dhcp answer',
        `nobody answered a DHCPDISCOVER on ${interfaceName}`,
        'see that the region is on this network or a relay leads to it, that the link is not in mode observe or external and not set to ignore unknown clients, that no firewall drops UDP 67 and 68, and that the switch port forwards at once (portfast)',
      ),
    ];
  }
  return [...serverFindings(facts), ...bootFindings(facts), ...relayFindings(answers)];
}

function serverFindings({ answers, regionAddress }: DhcpFacts): Finding[] {
  const servers = [...new Set(answers.map(({ server }) => server))];
  const leasing = [
    ...new Set(answers.filter(({ offered }) => offered !== undefined).map(({ server }) => server)),
  ];
  const isOurs = (server: string): boolean => server === regionAddress;
  const said = `answered by ${servers.join(', ')}`;
  if (regionAddress === undefined || !servers.some(isOurs)) {
    const whose =
      regionAddress === undefined
        ? 'and none is recognised as a region of LPMOS'
        : `and not by the region ${regionAddress}`;
    return [
      bad(
        'dhcp answer',
        `${said}, ${whose}`,
        'if another server is meant to lease here, set the link of the region to mode proxy; if not, stop that server. A machine that no task names is not told about booting: try --mac with one that has a task',
      ),
    ];
  }
  const foreign = leasing.filter((server) => !isOurs(server));
  const answer = ok('dhcp answer', `${said}; the region is ${regionAddress}`);
  if (foreign.length === 0) return [answer];
  if (!leasing.some(isOurs))
    return [
      answer,
      info('dhcp servers', `addresses come from ${foreign.join(', ')}, the region adds boot data (proxy)`),
    ];
  const offers = foreign.map((server) => `${server}${bootOf(answers, server)}`).join(', ');
  return [
    answer,
    bad(
      'dhcp servers',
      `more than one server gives addresses: the region and ${offers}; machines take whichever comes first`,
      'stop the other server, or set the link of the region to mode proxy',
    ),
  ];
}

function bootOf(answers: readonly DhcpAnswer[], server: string): string {
  const file = answers.find((each) => each.server === server && each.bootFile !== undefined)?.bootFile;
  return file === undefined ? '' : ` (which boots ${file})`;
}

function bootFindings({ answers, regionAddress, mac }: DhcpFacts): Finding[] {
  if (regionAddress === undefined) return [];
  const ours = answers.filter(({ server }) => server === regionAddress);
  if (ours.length === 0) return [];
  if (ours.every(({ bootFile }) => bootFile === undefined)) {
    return [
      info(
        'boot data',
        `the region told ${mac} nothing about booting, as it does with machines that no task names; give --mac of a machine with a task to see more`,
      ),
    ];
  }
  return ASKED_CLIENTS.map((client) => {
    const file = ours.find((each) => each.client === client && each.bootFile !== undefined)?.bootFile;
    if (file === undefined) {
      return bad(
        `boot data, ${client}`,
        `the region has no boot file for ${client}`,
        'install the package ipxe on the region or name a loader in LPMOS_LOADERS; `lpmos explain` shows the reason',
      );
    }
    const wrong = client === 'ipxe-bios' && !isScriptUrl(file);
    return wrong
      ? bad(
          `boot data, ${client}`,
          `iPXE is told to load ${file}, which is no script of a region`,
          'see who answered, above: this is an endless loop',
        )
      : ok(`boot data, ${client}`, file);
  });
}

function relayFindings(answers: readonly DhcpAnswer[]): Finding[] {
  const relays = [...new Set(answers.flatMap(({ relay }) => relay ?? []))];
  return relays.length === 0 ? [] : [ok('relay', `answers come through ${relays.join(', ')}`)];
}

/** The answers to questions that we sent as a relay. */
export function relayFinding(relay: string, region: string, answers: readonly DhcpAnswer[]): Finding {
  const answer = answers.find((each) => each.relay === relay);
  if (answer !== undefined) return ok('relay path', `${answer.server} answers the relay ${relay}`);
  return bad(
    'relay path',
    `the region ${region} does not answer a request that comes from the relay ${relay}`,
    `add ${relay} to relays of its link, and let UDP 67 pass in both directions between them`,
  );
}

export type BootServerResult =
  | { readonly kind: 'answer'; readonly answer: DhcpAnswer }
  | { readonly kind: 'closed' }
  | { readonly kind: 'silence' };

/** @param isProxy the region does not lease on this link, so firmware depends on this port. */
export function bootServerFinding(
  result: BootServerResult,
  isProxy: boolean,
  knownMachine: boolean,
): Finding {
  const check = 'port 4011';
  if (result.kind === 'answer')
    return ok(check, `the boot server answers with ${result.answer.bootFile ?? 'no boot file'}`);
  const fix = 'let UDP 4011 pass from the machines to the region, and their answers back';
  if (result.kind === 'closed') {
    const text = 'nobody listens on UDP 4011 of the region';
    return isProxy
      ? bad(check, text, 'set the link to mode proxy, or see why its daemon did not open the port')
      : info(check, `${text}; firmware needs it in mode proxy only`);
  }
  const text = 'no answer from UDP 4011 of the region';
  if (!knownMachine)
    return info(
      check,
      `${text}, which is right for a machine that no task names; give --mac of one with a task to know more`,
    );
  return isProxy ? bad(check, text, fix) : warning(check, text, fix);
}
