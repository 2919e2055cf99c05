/**
 * DHCP servers on the link that are not ours: what their replies show, and how often that is worth a report.
 * A second server gives machines addresses and boot files behind our back; most often it is a forgotten lab box, sometimes an attack.
 * Reads packets and remembers servers; hears nothing itself (server.ts has the port) and stops nobody. Bounded: MAX_REMEMBERED.
 */
import type { MacAddress } from '@lpmos/core';
import { macFromBytes } from '@lpmos/core';
import type { Endpoint } from './datagram-port';
import type { LinkPlan } from './link';
import type { MessageTypeName } from './option-codes';
import { OPTION, messageTypeName } from './option-codes';
import { readAddress, readU8 } from './options';
import type { DhcpPacket } from './packet';

export interface ForeignReply {
  readonly type: MessageTypeName;
  /** Option 54, or the sender's address when there is none. */
  readonly server: string;
  /** Sender of the datagram: the server itself or a relay. */
  readonly sender: string;
  /** The machine that was answered. */
  readonly client?: MacAddress;
  /** What the machine was told to boot, if anything. */
  readonly bootFile?: string;
}

const BOOTREPLY = 2;
const FROM_SERVERS: ReadonlySet<MessageTypeName | undefined> = new Set(['DHCPOFFER', 'DHCPACK', 'DHCPNAK']);

/** The reply of another server, or undefined for our own, for one that is there on purpose, and for what is no reply. */
export function foreignReply(packet: DhcpPacket, from: Endpoint, plan: LinkPlan): ForeignReply | undefined {
  if (packet.op !== BOOTREPLY) return undefined;
  const type = messageTypeName(readU8(packet.options, OPTION.messageType) ?? 0);
  if (type === undefined || !FROM_SERVERS.has(type)) return undefined;
  const server = readAddress(packet.options, OPTION.serverIdentifier) ?? from.address;
  if (isOurs(server, from.address, plan) || plan.knownServers.has(server)) return undefined;
  const client = macFromBytes(packet.chaddr);
  return {
    type,
    server,
    sender: from.address,
    ...(client === undefined ? {} : { client }),
    ...(packet.file === '' ? {} : { bootFile: packet.file }),
  };
}

/**
 * A relay on our own wire, such as the router of a segment that relays in all of them, broadcasts what we answered it. Who else sends from
 * another address under our name is foreign, and worse.
 */
function isOurs(server: string, sender: string, { link, relays }: LinkPlan): boolean {
  return sender === link.serverAddress || (server === link.serverAddress && relays.has(sender));
}

/** One report an hour for each server: it answers every client, and one line tells all. */
const REPORT_EVERY_MS = 3_600_000;
/** Names are claims of the sender: a liar must not fill our memory, nor our log. */
const MAX_REMEMBERED = 64;

export interface ForeignServerWatch {
  /** True when this sighting is worth a report. */
  isNews(reply: ForeignReply, nowMs: number): boolean;
}

export function createForeignServerWatch(): ForeignServerWatch {
  const reportedAtMs = new Map<string, number>();
  return {
    isNews(reply, nowMs) {
      const key = `${reply.server} ${reply.sender}`;
      const last = reportedAtMs.get(key);
      if (last !== undefined && nowMs - last < REPORT_EVERY_MS) return false;
      if (last === undefined && reportedAtMs.size >= MAX_REMEMBERED) {
        const [oldest] = reportedAtMs;
        // The first entry is the oldest; as long as that is fresh, the table is full of news and more would be a flood.
        if (oldest === undefined || nowMs - oldest[1] < REPORT_EVERY_MS) return false;
        reportedAtMs.delete(oldest[0]);
      }
      reportedAtMs.delete(key);
      reportedAtMs.set(key, nowMs);
      return true;
    },
  };
}

/** One sentence for people. Text of the packet is quoted and printable: it ends in logs. */
export function describeForeignReply(reply: ForeignReply, plan: LinkPlan, mac?: MacAddress): string {
  const via = reply.sender === reply.server ? '' : ` (sent by ${reply.sender})`;
  const hardware = mac === undefined ? '' : `, MAC ${mac}`;
  const boots = reply.bootFile === undefined ? '' : `, boot file ${printable(reply.bootFile)}`;
  const claimsUs =
    reply.server === plan.link.serverAddress
      ? ' under our own name (option 54), which no honest server does'
      : '';
  return `another DHCP server is on link ${plan.link.name}: ${reply.server}${via}${hardware}${boots}${claimsUs}; stop it, or name it among the known servers of the link (known_servers) when it is meant to be there`;
}

function printable(text: string): string {
  return JSON.stringify(text.slice(0, 64).replace(/[^\x20-\x7e]/g, '?'));
}
