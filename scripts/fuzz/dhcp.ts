/**
 * DHCP and the boot server's port under attack: mutated captures of real firmware and systems, and well-framed packets with every
 * combination of options, at five servers with different settings. Marked requests show that each port has read everything before.
 * Wrong is: an answer that breaks a rule of its mode (dhcp-answers.ts), more leases than addresses, an internal fault, a good client not
 * served.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import type { BootDecision, MacAddress, TaskId } from '@lpmos/core';
import {
  addressOption,
  bootRequest,
  createDhcpServer,
  encodePacket,
  openUdpSocket,
  textOption,
  u16Option,
  type BootEvent,
  type DhcpLink,
  type DhcpOptions,
  type DhcpServer,
} from '@lpmos/netboot';
import { answerFault, answerName } from './dhcp-answers';
import { nextPacket, readCorpus } from './dhcp-packets';
import type { FuzzTarget } from './harness';

const SERVER = '127.0.0.1';
const RELAYS = ['127.0.0.7', '127.0.0.8'];
const GOOD = { mac: '52:54:00:00:99:01' as MacAddress, address: '127.0.9.1' };
const MARKED = { mac: '52:54:00:00:99:02' as MacAddress, address: '127.0.9.2' };
const AROUND = { server: SERVER, relays: RELAYS, reserved: GOOD.address };
const GOOD_SENDER = '127.0.0.6';
const READ_WITHIN_MS = 10_000;
const SENDERS = 6;

const BASE: Omit<DhcpLink, 'ports' | 'name'> = {
  serverAddress: SERVER,
  subnet: '127.0.0.0/8',
  pool: { first: '127.0.1.1', last: '127.0.8.250' },
  router: '127.0.0.254',
  dnsServers: ['127.0.0.53'],
  domain: 'lab.example',
  leaseSeconds: 3600,
  offerSeconds: 60,
  reservations: [GOOD, MARKED],
  relays: RELAYS,
  boot: {
    nextServer: SERVER,
    loaders: { bios: 'undionly.kpxe', x64: 'ipxe.efi' },
    httpLoaders: { x64: 'http://127.0.0.1/ipxe.efi' },
    scriptUrl: 'http://127.0.0.1/boot/menu.ipxe?mac=${net0/mac}',
  },
  unknownClients: 'lease',
};
const { pool: _none, ...UNPOOLED } = BASE;
const LINKS: readonly Omit<DhcpLink, 'ports'>[] = [
  { ...BASE, name: 'open' },
  // Two addresses for everybody: nearly always full.
  {
    ...BASE,
    name: 'tiny',
    pool: { first: '127.0.1.1', last: '127.0.1.2' },
    leaseSeconds: 60,
    offerSeconds: 1,
  },
  { ...UNPOOLED, name: 'closed', unknownClients: 'ignore', relays: [] },
  { ...UNPOOLED, name: 'beside', mode: 'proxy', reservations: [] },
  { ...BASE, name: 'watching', mode: 'observe' },
];

export async function openDhcpFuzz(): Promise<FuzzTarget> {
  const faults: string[] = [];
  const tally: Record<string, number> = {};
  const count = (what: string) => (tally[what] = (tally[what] ?? 0) + 1);
  const time = { ms: 1_700_000_000_000 };
  const servers: Site[] = [];
  const inbox = await openInbox((bytes, port) => {
    const site = servers.find((each) => each.port === port || each.bootServerPort === port);
    if (site === undefined) return;
    count(answerName(bytes));
    const fault = answerFault(bytes, { link: site.link, fromBootServer: port === site.bootServerPort });
    if (fault !== undefined)
      faults.push(`${site.link.name} sent ${fault}: ${Buffer.from(bytes).toString('hex')}`);
  });
  for (const link of LINKS) {
    const ports = { server: 0, client: inbox.port, relay: inbox.port };
    servers.push(await openSite({ link: { ...link, ports }, time, count, faults }));
  }
  const senders = await Promise.all(Array.from({ length: SENDERS }, () => openSender()));
  const corpus = readCorpus();
  return {
    async attack(_first, packets, random) {
      for (let index = 0; index < packets; index += 1) {
        const site = random.pick(servers);
        const port = random.chance(0.3) ? site.bootServerPort : site.port;
        random.pick(senders).send(nextPacket(corpus, AROUND, random), port, SERVER);
      }
      // Leases end while the attack goes on.
      time.ms += 500;
      for (const site of servers) await site.hasReadAll(senders);
      for (const site of servers) faults.push(...tableFaults(site));
    },
    async serveGoodClient() {
      await serveByLease(servers[0], inbox, senders[0]);
      await serveByProxy(servers[3], inbox, senders[0]);
    },
    faults: () => faults,
    tally: () => tally,
    async stop() {
      senders.forEach((sender) => sender.close());
      inbox.close();
      await Promise.all(servers.map(({ server }) => server.stop()));
    },
  };
}

interface Site {
  readonly link: DhcpLink;
  readonly server: DhcpServer;
  readonly port: number;
  readonly bootServerPort: number;
  hasReadAll(senders: readonly Socket[]): Promise<void>;
}

interface SiteOptions {
  readonly link: DhcpLink;
  readonly time: { readonly ms: number };
  readonly count: (what: string) => void;
  readonly faults: string[];
}

async function openSite({ link, time, count, faults }: SiteOptions): Promise<Site> {
  const marker = createMarker();
  const server = createDhcpServer({
    link,
    decider: { decide: decisionFor },
    clock: { nowMs: () => time.ms, monotonicMs: () => time.ms },
    open: openUdpSocket({ serverAddress: SERVER, port: 0 }),
    openBootServer: openUdpSocket({ serverAddress: SERVER, port: 0 }),
    onFailure: (error) => faults.push(`a socket of ${link.name} broke: ${error.message}`),
    onEvent: (event) => {
      if (event.mac === MARKED.mac) marker.seen();
      count(event.outcome);
      const fault = eventFault(event);
      if (fault !== undefined) faults.push(`${link.name}: ${fault}`);
    },
  });
  const { port } = await server.start();
  const bootServerPort = server.bootServer()?.port ?? 0;
  return {
    link,
    server,
    port,
    bootServerPort,
    async hasReadAll(senders) {
      // One marked packet at each port; datagrams of one socket are read in the order in which they came.
      for (const to of [port, bootServerPort]) senders[0]?.send(MARK, to, SERVER);
      await marker.passed(2, link.name);
    },
  };
}

/** A release of what it does not hold: every mode tells an event of it, none answers. */
const MARK = encodePacket(bootRequest({ type: 'DHCPRELEASE', mac: MARKED.mac, xid: 1, ciaddr: '127.0.0.0' }));

function createMarker(): { seen(): void; passed(times: number, name: string): Promise<void> } {
  let seen = 0;
  let wake: (() => void) | undefined;
  return {
    seen() {
      seen += 1;
      wake?.();
    },
    async passed(times, name) {
      const deadline = performance.now() + READ_WITHIN_MS;
      while (seen < times) {
        const left = deadline - performance.now();
        if (left <= 0) throw new Error(`server ${name} read nothing within ${READ_WITHIN_MS} ms`);
        let timer: NodeJS.Timeout | undefined;
        await new Promise<void>((resolve) => {
          wake = resolve;
          timer = setTimeout(resolve, left);
        });
        clearTimeout(timer);
      }
      seen -= times;
    },
  };
}

/** Each kind of decision, by the last bit of the MAC, so that it stays with the machine. */
function decisionFor(mac: MacAddress): BootDecision {
  const taskId = '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d' as TaskId;
  if (mac === GOOD.mac) return { kind: 'agent', purpose: 'report', taskId, reason: 'the good client' };
  const last = Number.parseInt(mac.slice(-1), 16) % 4;
  if (last === 0) return { kind: 'silent', reason: 'a stranger' };
  if (last === 1) return { kind: 'local-disk', reason: 'installed' };
  if (last === 2) return { kind: 'wait', retryAfterSeconds: 5, reason: 'no view yet' };
  return { kind: 'agent', purpose: 'install', taskId, reason: 'a live grant' };
}

function eventFault({ request, reason }: BootEvent): string | undefined {
  if (!/^[\x20-\x7e’]*$/.test(request + reason)) return 'an event holds unprintable text of the wire';
  if (/internal fault|TypeError|RangeError/.test(reason)) return `an event tells of ${reason}`;
  return undefined;
}

function tableFaults({ server, link }: Site): string[] {
  const leases = server.leases();
  const machines = new Set(leases.filter(({ state }) => state !== 'declined').map(({ mac }) => mac));
  const addresses = new Set(leases.map(({ address }) => address));
  const declined = leases.filter(({ state }) => state === 'declined').length;
  if (addresses.size !== leases.length) return [`${link.name} has an address twice`];
  if (machines.size + declined !== leases.length) return [`${link.name} has a machine with two addresses`];
  if (link.mode === 'proxy' && leases.length > 0) return [`${link.name} is a proxy and leases`];
  return [];
}

type Inbox = Awaited<ReturnType<typeof openInbox>>;

/** The good client's first half: an offer. @returns the transaction that goes on. */
async function discover(site: Site, inbox: Inbox, sender: Socket): Promise<number> {
  const xid = inbox.nextXid();
  const offered = inbox.answerTo(xid);
  const ask = bootRequest({ type: 'DHCPDISCOVER', mac: GOOD.mac, xid, options: FIRMWARE });
  sender.send(encodePacket(ask), site.port, SERVER);
  await offered;
  return xid;
}

/** A whole lease for a reserved machine: attackers cannot take its address, however many they are. */
async function serveByLease(site: Site | undefined, inbox: Inbox, sender: Socket | undefined): Promise<void> {
  if (site === undefined || sender === undefined) throw new Error('nobody to ask');
  const xid = await discover(site, inbox, sender);
  const acknowledged = inbox.answerTo(xid);
  const options = new Map([...FIRMWARE, [50, addressOption(GOOD.address)], [54, addressOption(SERVER)]]);
  sender.send(
    encodePacket(bootRequest({ type: 'DHCPREQUEST', mac: GOOD.mac, xid, options })),
    site.port,
    SERVER,
  );
  await acknowledged;
  const lease = site.server.leaseOf(GOOD.mac);
  if (lease?.state !== 'bound' || lease.address !== GOOD.address)
    throw new Error('the good client has no lease');
}

async function serveByProxy(site: Site | undefined, inbox: Inbox, sender: Socket | undefined): Promise<void> {
  if (site === undefined || sender === undefined) throw new Error('nobody to ask');
  const xid = await discover(site, inbox, sender);
  // Its own port: the boot server answers where it was asked from.
  const acknowledged = inbox.answerTo(xid);
  const ask = bootRequest({
    type: 'DHCPREQUEST',
    mac: GOOD.mac,
    xid,
    ciaddr: GOOD_SENDER,
    options: FIRMWARE,
  });
  inbox.send(encodePacket(ask), site.bootServerPort);
  await acknowledged;
}

const FIRMWARE: DhcpOptions = new Map([
  [60, textOption('PXEClient:Arch:00007:UNDI:003000')],
  [93, u16Option(7)],
]);

/** The clients' port: hears broadcasts and what is sent to clients and relays of 127.0.0.0/8. */
async function openInbox(onAnswer: (bytes: Uint8Array, port: number) => void) {
  const socket = createSocket({ type: 'udp4', reuseAddr: true, recvBufferSize: 4 * 1024 * 1024 });
  socket.bind(0, '0.0.0.0');
  await once(socket, 'listening');
  const asking = createSocket('udp4');
  // Another address than the server's, which no boot server answers.
  asking.bind(0, GOOD_SENDER);
  await once(asking, 'listening');
  const waiting = new Map<number, () => void>();
  let xid = 0xf0000000;
  for (const each of [socket, asking]) {
    each.on('message', (bytes, from) => {
      onAnswer(bytes, from.port);
      if (bytes.length >= 8) waiting.get(bytes.readUInt32BE(4))?.();
    });
  }
  return {
    port: socket.address().port,
    nextXid: () => (xid += 1),
    async answerTo(id: number): Promise<void> {
      let timer: NodeJS.Timeout | undefined;
      try {
        await new Promise<void>((resolve, reject) => {
          waiting.set(id, resolve);
          const late = (): void =>
            reject(new Error(`the good client had no answer within ${READ_WITHIN_MS} ms`));
          timer = setTimeout(late, READ_WITHIN_MS);
        });
      } finally {
        clearTimeout(timer);
        waiting.delete(id);
      }
    },
    send: (bytes: Uint8Array, port: number) => void asking.send(bytes, port, SERVER),
    close: () => [socket, asking].forEach((each) => each.close()),
  };
}

async function openSender(): Promise<Socket> {
  const socket = createSocket('udp4');
  socket.bind(0, '127.0.0.5');
  await once(socket, 'listening');
  socket.on('error', () => undefined);
  return socket;
}
