/**
 * Our DHCP server on real sockets of the loopback interface with ports that the system chose, and the clients, relays and other
 * servers around it. 127.0.0.0/8 is one link with thousands of addresses, so that no namespace and no privilege is needed.
 * Silence is proved without waiting: a marked client asks after the silent one, and the first answer must be to the marked one.
 */
import { createSocket } from 'node:dgram';
import type { Socket } from 'node:dgram';
import { once } from 'node:events';
import type { BootDecision, MacAddress, TaskId } from '@lpmos/core';
import type { BootEvent, BootRequest, DhcpLink, DhcpPacket, DhcpServer } from '@lpmos/netboot';
import {
  bootRequest,
  createDhcpServer,
  decodePacket,
  encodePacket,
  openUdpSocket,
  textOption,
  u16Option,
} from '@lpmos/netboot';
import { startDhcpReference } from './dhcp-reference';
import type { DhcpReference, DhcpReferenceName } from './dhcp-reference';

export const SERVER = '127.0.0.1';
export const RELAY = '127.0.0.7';
export const OTHER_RELAY = '127.0.0.8';
export const RESERVED = { mac: '52:54:00:00:99:01' as MacAddress, address: '127.0.9.1', hostname: 'node-9' };
const MARKED = { mac: '52:54:00:00:99:02' as MacAddress, address: '127.0.9.2' };
/** Not ours: its decision is silent. */
export const STRANGER = '52:54:00:00:99:03' as MacAddress;
const ANSWER_WITHIN_MS = 10_000;
/** Who differs by silence is waited for in vain in each run. */
const REFERENCE_WITHIN_MS = 4_000;

export const LINK: Omit<DhcpLink, 'ports'> = {
  name: 'wire',
  serverAddress: SERVER,
  subnet: '127.0.0.0/8',
  pool: { first: '127.0.1.1', last: '127.0.1.250' },
  router: '127.0.0.254',
  dnsServers: ['127.0.0.53'],
  domain: 'lab.example',
  leaseSeconds: 3600,
  offerSeconds: 60,
  reservations: [RESERVED, MARKED],
  relays: [RELAY, OTHER_RELAY],
  boot: {
    nextServer: SERVER,
    loaders: { bios: 'undionly.kpxe', x64: 'ipxe.efi', arm64: 'arm64.efi' },
    httpLoaders: { x64: 'http://127.0.0.1/ipxe.efi' },
    scriptUrl: 'http://127.0.0.1/boot/menu.ipxe',
  },
  unknownClients: 'lease',
};

export const PROXY_LINK = { mode: 'proxy', reservations: [], pool: undefined } as const;

export interface Heard {
  readonly packet: DhcpPacket;
  readonly bytes: Uint8Array;
  readonly from: string;
  /** The address at which it was heard; `broadcast` for the socket that hears all the rest. */
  readonly at: string;
}

export type Options = readonly (readonly [number, Uint8Array])[];

export interface WireOptions {
  /** Another server in our place, told the same link. */
  readonly against?: DhcpReferenceName;
  readonly link?: { readonly [K in keyof DhcpLink]?: DhcpLink[K] | undefined };
  readonly decision?: BootDecision;
}

const AGENT: BootDecision = {
  kind: 'agent',
  purpose: 'report',
  taskId: '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d' as TaskId,
  reason: 'the test says so',
};

/** Option 60 and 93 of PXE firmware. */
export function pxe(type = 7, vendorClass = 'PXEClient'): Options {
  const name = `${vendorClass}:Arch:${String(type).padStart(5, '0')}:UNDI:003000`;
  return [
    [60, textOption(name)],
    [93, u16Option(type)],
  ];
}

export const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
export const unhex = (digits: string): Uint8Array => Uint8Array.from(Buffer.from(digits, 'hex'));
export const typeOf = (packet: DhcpPacket): number | undefined => packet.options.get(53)?.[0];

let machines = 0;
/** A machine that no test had before. */
export function newMac(): MacAddress {
  machines += 1;
  const digits = machines.toString(16).padStart(6, '0');
  return `52:54:01:${(digits.match(/../g) ?? []).join(':')}` as MacAddress;
}

const openWires: Wire[] = [];
/** For afterEach. */
export async function closeWires(): Promise<void> {
  await Promise.all(openWires.splice(0).map((wire) => wire.close()));
}

export class Wire {
  readonly events: BootEvent[] = [];
  readonly time = { ms: 1_000_000 };
  readonly #inbox: Heard[] = [];
  readonly #sockets: Socket[] = [];
  #waiting: (() => void) | undefined;
  #xid = 1;
  server!: DhcpServer;
  port = 0;
  bootServerPort = 0;
  clientPort = 0;

  static async open(options: WireOptions = {}): Promise<Wire> {
    const wire = new Wire();
    openWires.push(wire);
    const broadcast = await wire.#socket('0.0.0.0', 0, 'broadcast');
    wire.clientPort = broadcast.address().port;
    await wire.hearAt(RELAY);
    await wire.hearAt(OTHER_RELAY);
    wire.#sender = await wire.#socket('127.0.0.1', 0, 'the sender');
    await wire.#start(options);
    return wire;
  }

  /** What only our own server shows. */
  ours(look: (server: DhcpServer) => void): void {
    if (this.#reference === undefined) look(this.server);
  }

  /** Hears unicasts to an address of a client, at the clients' port. */
  async hearAt(address: string): Promise<void> {
    await this.#socket(address, this.clientPort, address);
  }

  /** A client with an address and a port of its own, for port 4011. */
  async clientAt(
    address: string,
  ): Promise<{ ask(packet: DhcpPacket): Promise<Heard>; send(bytes: Uint8Array): void; port: number }> {
    const name = `${address} itself`;
    const socket = await this.#socket(address, 0, name);
    const send = (bytes: Uint8Array): void => void socket.send(bytes, this.bootServerPort, SERVER);
    return {
      send,
      port: socket.address().port,
      ask: (packet) => {
        send(encodePacket(packet));
        return this.next();
      },
    };
  }

  request(request: Partial<BootRequest> & Pick<BootRequest, 'type'>, options: Options = []): DhcpPacket {
    this.#xid += 1;
    const relayed = this.#isRelayed && request.ciaddr === undefined ? { giaddr: RELAY } : {};
    return bootRequest({ mac: newMac(), xid: this.#xid, ...relayed, ...request, options: new Map(options) });
  }

  send(packet: DhcpPacket | Uint8Array, port = this.port): void {
    const bytes = packet instanceof Uint8Array ? packet : encodePacket(packet);
    // From a port that is neither 67 nor 68: where a request comes from must not matter.
    this.#sender.send(bytes, port, SERVER);
  }

  async ask(packet: DhcpPacket | Uint8Array): Promise<Heard> {
    this.send(packet);
    return this.next();
  }

  /** DISCOVER and REQUEST; the acknowledged address. */
  async lease(mac: MacAddress, options: Options = []): Promise<string> {
    const { packet } = await this.ask(this.request({ type: 'DHCPDISCOVER', mac }, options));
    const chosen: Options = [
      [50, Uint8Array.from(packet.yiaddr.split('.').map(Number))],
      [54, Uint8Array.from(SERVER.split('.').map(Number))],
      ...options,
    ];
    const ack = await this.ask(this.request({ type: 'DHCPREQUEST', mac }, chosen));
    if (typeOf(ack.packet) !== 5) throw new Error(`no ACK but ${typeOf(ack.packet)}`);
    return ack.packet.yiaddr;
  }

  async next(): Promise<Heard> {
    const within = this.#reference === undefined ? ANSWER_WITHIN_MS : REFERENCE_WITHIN_MS;
    const deadline = performance.now() + within;
    while (this.#inbox.length === 0) {
      const left = deadline - performance.now();
      if (left <= 0) throw new Error(`no answer; events: ${JSON.stringify(this.events.slice(-3))}`);
      await this.#news(left);
    }
    const heard = this.#inbox.shift();
    if (heard === undefined) throw new Error('the answer vanished');
    return heard;
  }

  /** Nothing answers these. */
  async silence(...packets: readonly (DhcpPacket | Uint8Array)[]): Promise<void> {
    packets.forEach((packet) => this.send(packet));
    await this.nothingMore();
  }

  /** A marked client is served next, and nobody else has been. */
  async nothingMore(): Promise<void> {
    const marked = this.request({ type: 'DHCPDISCOVER', mac: MARKED.mac }, pxe());
    this.send(marked);
    const heard = await this.next();
    // Answers to other sockets lie in the kernel already: two turns of the loop bring them in.
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
    const all = [heard, ...this.#inbox.splice(0)];
    const xids = all.map(({ packet, at }) => `${packet.xid} at ${at}`);
    expect(xids).toEqual([`${marked.xid} at ${this.#isRelayed ? RELAY : 'broadcast'}`]);
  }

  /** What has been heard and not taken, once the loop has read what the kernel holds. */
  async pending(): Promise<readonly Heard[]> {
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
    return this.#inbox.splice(0);
  }

  reasons(): readonly string[] {
    return this.events.map(({ outcome, reason }) => `${outcome}: ${reason}`);
  }

  async close(): Promise<void> {
    await (this.#reference ?? (this.server as DhcpServer | undefined))?.stop();
    this.#sockets.splice(0).forEach((socket) => socket.close());
  }

  #sender!: Socket;
  #reference: DhcpReference | undefined;
  /** Kea cannot broadcast on loopback: its clients all stand behind a relay. */
  #isRelayed = false;

  async #start({ link, decision = AGENT, against }: WireOptions): Promise<void> {
    const { pool, ...whole } = {
      ...LINK,
      ...link,
      ports: { server: 0, client: this.clientPort, relay: this.clientPort },
    };
    const given = { ...whole, ...(pool === undefined ? {} : { pool }) } as DhcpLink;
    if (against !== undefined) return this.#startReference(against, given);
    const decisionOf = (mac: MacAddress): BootDecision =>
      mac === STRANGER ? { kind: 'silent', reason: 'a stranger' } : decision;
    this.server = createDhcpServer({
      link: given,
      decider: { decide: decisionOf },
      clock: { nowMs: () => this.time.ms, monotonicMs: () => this.time.ms },
      open: openUdpSocket({ serverAddress: SERVER, port: 0 }),
      openBootServer: openUdpSocket({ serverAddress: SERVER, port: 0 }),
      onEvent: (event) => this.events.push(event),
    });
    this.port = (await this.server.start()).port;
    this.bootServerPort = this.server.bootServer()?.port ?? 0;
  }

  async #startReference(name: DhcpReferenceName, link: DhcpLink): Promise<void> {
    this.#reference = await startDhcpReference({ name, link, clientPort: this.clientPort });
    this.#isRelayed = name === 'kea';
    this.port = this.#reference.port;
    // dnsmasq answers relays at its own port.
    for (const relay of name === 'dnsmasq' ? [RELAY, OTHER_RELAY] : []) {
      await this.#socket(relay, this.port, relay);
    }
  }

  async #socket(address: string, port: number, at: string): Promise<Socket> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    this.#sockets.push(socket);
    socket.on('message', (bytes, from) => {
      const decoded = decodePacket(bytes);
      if (decoded.kind !== 'packet') throw new Error(`the server sent nonsense: ${decoded.problem}`);
      this.#inbox.push({
        packet: decoded.packet,
        bytes: new Uint8Array(bytes),
        from: `${from.address}:${from.port}`,
        at,
      });
      this.#waiting?.();
    });
    socket.bind(port, address);
    await once(socket, 'listening');
    return socket;
  }

  async #news(withinMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#waiting = resolve;
      timer = setTimeout(resolve, withinMs);
    });
    clearTimeout(timer);
  }
}
