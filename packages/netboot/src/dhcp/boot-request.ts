/**
 * Messages as a client sends them, for simulated machines and for tests: the fields of RFC 2131 table 5 with their defaults.
 * Adds no option of its own but 53, so that a caller can send exactly the bytes of a captured client.
 */
import type { MacAddress } from '@lpmos/core';
import { macToBytes } from '@lpmos/core';
import { NO_ADDRESS } from './ipv4';
import type { MessageTypeName } from './option-codes';
import { MESSAGE_TYPE, OPTION } from './option-codes';
import { u8 } from './options';
import type { DhcpOptions, DhcpPacket } from './packet';
import { BROADCAST_FLAG } from './packet';

export interface BootRequest {
  readonly type: MessageTypeName;
  readonly mac: MacAddress;
  readonly xid: number;
  /** Seconds since the client began; firmware sends 4 and more. */
  readonly secs?: number;
  readonly broadcast?: boolean;
  readonly ciaddr?: string;
  /** The relay's address, when the sender plays a relay: the server answers there. */
  readonly giaddr?: string;
  readonly hops?: number;
  /** Sent after 53, in this order. */
  readonly options?: DhcpOptions;
}

export function bootRequest(request: BootRequest): DhcpPacket {
  return {
    op: 1,
    htype: 1,
    hlen: 6,
    hops: request.hops ?? 0,
    xid: request.xid,
    secs: request.secs ?? 0,
    flags: request.broadcast === true ? BROADCAST_FLAG : 0,
    ciaddr: request.ciaddr ?? NO_ADDRESS,
    yiaddr: NO_ADDRESS,
    siaddr: NO_ADDRESS,
    giaddr: request.giaddr ?? NO_ADDRESS,
    chaddr: macToBytes(request.mac),
    sname: '',
    file: '',
    options: new Map([[OPTION.messageType, u8(MESSAGE_TYPE[request.type])], ...(request.options ?? [])]),
  };
}
