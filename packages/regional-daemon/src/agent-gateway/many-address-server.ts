/**
 * One HTTP server on several addresses: node's listens once, so what further listeners accept is handed to it as its own connections.
 * The bound on connections is one for all addresses, divided between them.
 */
import type { Server as HttpServer } from 'node:http';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

export interface ManyAddressServerOptions {
  readonly server: HttpServer;
  /** At least one. */
  readonly addresses: readonly string[];
  /** 0 for a free one, which all addresses then have. */
  readonly port: number;
  readonly maxConnections: number;
}

export interface ManyAddressServer {
  start(): Promise<{ readonly port: number }>;
  /** Closes connections that are open. */
  stop(): Promise<void>;
}

export function manyAddressServer(options: ManyAddressServerOptions): ManyAddressServer {
  const { server, port } = options;
  const [first = '127.0.0.1', ...others] = options.addresses;
  // The HTTP server knows a connection only once its TLS is up, and would wait minutes for one that never begins it.
  const connections = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
  const doors = others.map((address) => ({
    address,
    listener: createServer((socket) => void server.emit('connection', socket)),
  }));
  const listeners: readonly Server[] = [server, ...doors.map(({ listener }) => listener)];
  for (const listener of listeners) {
    listener.maxConnections = Math.floor(options.maxConnections / listeners.length);
  }
  return {
    async start() {
      const bound = await listenAt(server, first, port);
      for (const { address, listener } of doors) await listenAt(listener, address, bound);
      return { port: bound };
    },
    async stop() {
      const closed = listeners.map((listener) => new Promise((done) => listener.close(done)));
      for (const socket of connections) socket.destroy();
      await Promise.all(closed);
    },
  };
}

function listenAt(listener: Server, address: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, address, () => {
      listener.off('error', reject);
      const bound = listener.address();
      resolve(typeof bound === 'object' && bound !== null ? bound.port : port);
    });
  });
}
