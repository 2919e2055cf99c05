/** Whether a port can be had, by opening and closing a socket on it: the kernel's own word about rights and about who was first. */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

export interface SocketPlace {
  readonly transport: 'udp' | 'tcp';
  readonly address: string;
  readonly port: number;
}

/** @returns the error's code, such as EADDRINUSE; undefined when the port can be had */
export function trySocket(place: SocketPlace): Promise<string | undefined> {
  return place.transport === 'udp' ? tryUdp(place) : tryTcp(place);
}

function tryUdp({ address, port }: SocketPlace): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket({ type: 'udp4' });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      socket.close();
      resolve(error.code ?? error.message);
    });
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(undefined)));
  });
}

function tryTcp({ address, port }: SocketPlace): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
