/**
 * Asks DHCP questions on the client's port and gathers who answers until the time is over; and one question to the boot server's port.
 * What the answers mean is dhcp-check.ts.
 */
import type { MacAddress } from '@lpmos/core';
import { bootServerQuestion, questions, readAnswer } from './dhcp-check';
import type { BootServerResult, DhcpAnswer, Question } from './dhcp-check';
import { pause } from '../pause';
import { openUdp } from './udp-socket';
import type { UdpPeer } from './udp-socket';

const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const BOOT_SERVER_PORT = 4011;
const BROADCAST: UdpPeer = { address: '255.255.255.255', port: SERVER_PORT };
const ANY = '0.0.0.0';
/** The questions go out again after a third and two thirds of the time: broadcasts get lost. */
const ROUNDS = 3;

export interface Gather {
  readonly mac: MacAddress;
  /** Address of the interface to ask on. */
  readonly address: string;
  readonly firstXid: number;
  readonly forMs: number;
  readonly signal: AbortSignal;
}

/** @throws what the system says of port 68, with its `code`. */
export async function gatherOffers(options: Gather): Promise<DhcpAnswer[]> {
  const asked = questions(options);
  return gather(options, asked, {
    bind: [
      { address: options.address, port: CLIENT_PORT },
      { address: ANY, port: CLIENT_PORT },
    ],
    to: BROADCAST,
  });
}

/** As a relay of this host: answers come to its port 67. @throws as above. */
export async function askAsRelay(options: Gather & { readonly region: string }): Promise<DhcpAnswer[]> {
  const asked = questions({ ...options, giaddr: options.address });
  const bind = [{ address: options.address, port: SERVER_PORT }] as const;
  return gather(options, asked, { bind, to: { address: options.region, port: SERVER_PORT } });
}

interface Way {
  readonly bind: readonly [UdpPeer, ...UdpPeer[]];
  readonly to: UdpPeer;
}

async function gather(
  { mac, forMs, signal }: Gather,
  asked: readonly Question[],
  way: Way,
): Promise<DhcpAnswer[]> {
  const xids = new Map(asked.map(({ xid, client }) => [xid, client]));
  const answers = new Map<string, DhcpAnswer>();
  const socket = await openUdp({
    bind: way.bind,
    onDatagram: (bytes, from) => {
      const answer = readAnswer(bytes, from.address, { mac, xids });
      if (answer !== undefined) answers.set(JSON.stringify(answer), answer);
    },
  });
  try {
    for (let round = 0; round < ROUNDS && !signal.aborted; round += 1) {
      for (const { bytes } of asked) socket.send(bytes, way.to);
      await pause(forMs / ROUNDS, signal);
    }
  } finally {
    socket.close();
  }
  return [...answers.values()];
}

export interface AskBootServer {
  readonly mac: MacAddress;
  readonly address: string;
  readonly region: string;
  readonly xid: number;
  readonly deadlineMs: number;
}

/** A port that cannot be opened here, or a way that does not exist, is silence too. */
export async function askBootServer(options: AskBootServer): Promise<BootServerResult> {
  const { mac, address, region, xid, deadlineMs } = options;
  const question = bootServerQuestion(mac, xid, address);
  const to = { address: region, port: BOOT_SERVER_PORT };
  const heard = new AbortController();
  let result: BootServerResult = { kind: 'silence' };
  const end = (found: BootServerResult): void => {
    if (!heard.signal.aborted) result = found;
    heard.abort();
  };
  const socket = await openUdp({
    bind: [{ address, port: 0 }],
    connect: to,
    onDatagram: (bytes, from) => {
      const answer = readAnswer(bytes, from.address, { mac, xids: new Map([[xid, undefined]]) });
      if (answer !== undefined) end({ kind: 'answer', answer });
    },
    onError: (code) => end({ kind: code === 'ECONNREFUSED' ? 'closed' : 'silence' }),
  }).catch(() => undefined);
  if (socket === undefined) return result;
  try {
    for (let round = 0; round < ROUNDS && !heard.signal.aborted; round += 1) {
      socket.send(question, to);
      await pause(deadlineMs / ROUNDS, heard.signal);
    }
  } finally {
    socket.close();
  }
  return result;
}
