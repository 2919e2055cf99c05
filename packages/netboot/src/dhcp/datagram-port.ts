/**
 * The seam between the DHCP server and the network: datagrams in and out. udp-socket.ts implements it on Node's sockets;
 * a test or a simulated network implements it in memory.
 */

export interface Endpoint {
  /** Dotted quad; 255.255.255.255 leaves by the link that the port belongs to. */
  readonly address: string;
  readonly port: number;
}

/** Which port of ours a datagram came to: the server's (67), the boot server's (4011), or the clients' (68), where we only listen. */
export type Inlet = 'dhcp' | 'boot-server' | 'client-port';

export interface DatagramPort {
  /** Where the port listens. */
  readonly local: Endpoint;
  /** Rejects when the system refuses the datagram. */
  send(bytes: Uint8Array, to: Endpoint): Promise<void>;
  /** One listener for datagrams and one for a broken socket; set once, before the first datagram can arrive. */
  listen(listener: DatagramListener): void;
  close(): Promise<void>;
}

export interface DatagramListener {
  readonly onDatagram: (bytes: Uint8Array, from: Endpoint) => void;
  readonly onError: (error: Error) => void;
}
