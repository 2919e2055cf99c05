/**
 * A bad network in user space: a UDP wire between clients and one server that loses, delays, reorders and doubles datagrams,
 * each way on its own. Understands no packet, only TFTP's habit of answering from a new port: to each pair (client, server port)
 * belongs one port of the wire, so a client sees a new server port for each transfer, as it would without the wire.
 * All chances come from one seed. What happens to which packet depends also on the order in which packets come.
 */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { createSeededRandom, type SeededRandom } from '../../../scripts/fuzz/seeded-random';

export interface WireFaults {
  /** Chance from 0 to 1 that a datagram is lost, in each direction. */
  readonly loss: number;
  /** Chance that it comes twice, the second one later. */
  readonly duplication: number;
  /** Each copy takes a random time up to this, so later ones overtake. */
  readonly jitterMs: number;
}

export interface WireCounts {
  readonly carried: number;
  readonly lost: number;
  readonly doubled: number;
}

export interface FaultWire {
  /** What clients take for the server's well-known port. */
  readonly port: number;
  counts(): WireCounts;
  close(): void;
}

export interface FaultWireOptions {
  readonly serverPort: number;
  readonly faults: WireFaults;
  readonly seed: number;
}

/** Both ends are on this machine. */
const LOOPBACK = '127.0.0.1';
/** More client ports than any test has; beyond it new ones are not carried. */
const MAX_CLIENTS = 2048;

export async function openFaultWire(options: FaultWireOptions): Promise<FaultWire> {
  const wire = new Wire(options);
  await wire.open();
  return wire;
}

type Deliver = () => void;

class Wire implements FaultWire {
  readonly #options: FaultWireOptions;
  readonly #random: SeededRandom;
  readonly #counts = { carried: 0, lost: 0, doubled: 0 };
  readonly #front = createSocket('udp4');
  readonly #sockets = new Set<Socket>([this.#front]);
  readonly #timers = new Set<NodeJS.Timeout>();
  /** By client port: the socket that the server takes for the client. */
  readonly #clients = new Map<number, Promise<Socket>>();
  /** By client port and server port: the socket that the client takes for the transfer. */
  readonly #transfers = new Map<string, Promise<Socket>>();
  #closed = false;

  constructor(options: FaultWireOptions) {
    this.#options = options;
    this.#random = createSeededRandom(options.seed);
  }

  async open(): Promise<void> {
    this.#front.on('message', (bytes, from) =>
      this.#carry(() => this.#toServer(bytes, from.port, this.#options.serverPort)),
    );
    this.#front.on('error', () => undefined);
    this.#front.bind(0, LOOPBACK);
    await once(this.#front, 'listening');
  }

  get port(): number {
    return this.#front.address().port;
  }

  counts(): WireCounts {
    return { ...this.#counts };
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const socket of this.#sockets) socket.close();
    this.#sockets.clear();
  }

  #carry(deliver: Deliver): void {
    const { loss, duplication, jitterMs } = this.#options.faults;
    if (this.#random.chance(loss)) {
      this.#counts.lost += 1;
      return;
    }
    this.#later(deliver, this.#random.next() * jitterMs);
    if (!this.#random.chance(duplication)) return;
    this.#counts.doubled += 1;
    this.#later(deliver, this.#random.next() * 2 * jitterMs);
  }

  #later(deliver: Deliver, delayMs: number): void {
    this.#counts.carried += 1;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#closed) deliver();
    }, delayMs);
    this.#timers.add(timer);
  }

  #toServer(bytes: Buffer, clientPort: number, serverPort: number): void {
    if (!this.#clients.has(clientPort) && this.#clients.size >= MAX_CLIENTS) return;
    const socket = remembered(this.#clients, clientPort, () =>
      this.#socket((answer, from) => this.#carry(() => this.#toClient(answer, clientPort, from))),
    );
    void socket.then((opened) => this.#send(opened, bytes, serverPort));
  }

  #toClient(bytes: Buffer, clientPort: number, serverPort: number): void {
    // What the well-known port itself says (an ERROR) must come from the port that the client asked.
    const socket =
      serverPort === this.#options.serverPort
        ? Promise.resolve(this.#front)
        : remembered(this.#transfers, `${clientPort} ${serverPort}`, () =>
            this.#socket((answer, from) => this.#carry(() => this.#toServer(answer, from, serverPort))),
          );
    void socket.then((opened) => this.#send(opened, bytes, clientPort));
  }

  #send(socket: Socket, bytes: Buffer, port: number): void {
    if (!this.#closed) socket.send(bytes, port, LOOPBACK);
  }

  async #socket(onMessage: (bytes: Buffer, fromPort: number) => void): Promise<Socket> {
    const socket = createSocket('udp4');
    socket.on('error', () => undefined);
    socket.on('message', (bytes, from) => onMessage(bytes, from.port));
    socket.bind(0, LOOPBACK);
    await once(socket, 'listening');
    if (this.#closed) socket.close();
    else this.#sockets.add(socket);
    return socket;
  }
}

function remembered<Key>(
  map: Map<Key, Promise<Socket>>,
  key: Key,
  make: () => Promise<Socket>,
): Promise<Socket> {
  const known = map.get(key) ?? make();
  map.set(key, known);
  return known;
}
