import { createServer, get } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect } from 'node:net';
import { once } from 'node:events';
import { manyAddressServer } from './many-address-server';

const ADDRESSES = ['127.0.0.1', '127.0.0.2', '127.0.0.3'];

function serverOn(addresses: readonly string[], port = 0) {
  const server = createServer((request, response) => {
    response.end(`${request.url} on ${request.socket.localAddress}`);
  });
  return manyAddressServer({ server, addresses, port, maxConnections: 30 });
}

async function ask(address: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ host: address, port, path: '/x' }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

describe('one server on many addresses', () => {
  it('answers on each, on one port that the system chose', async () => {
    const server = serverOn(ADDRESSES);
    const { port } = await server.start();
    try {
      const answers = await Promise.all(ADDRESSES.map((address) => ask(address, port)));
      expect(answers).toEqual(ADDRESSES.map((address) => `/x on ${address}`));
      await expect(ask('127.0.0.4', port)).rejects.toThrow('ECONNREFUSED');
    } finally {
      await server.stop();
    }
  });

  it('stops, although somebody connected and says nothing', async () => {
    const server = serverOn(ADDRESSES);
    const { port } = await server.start();
    const silent = connect({ host: '127.0.0.2', port });
    const closed = once(silent, 'close');
    await once(silent, 'connect');
    await server.stop();
    await closed;
    await expect(ask('127.0.0.2', port)).rejects.toThrow('ECONNREFUSED');
  });

  it.each(ADDRESSES.slice(0, 2))(
    'stops, although somebody at %s never begins its TLS',
    async (address) => {
      const server = manyAddressServer({
        ...{ server: createTlsServer(), addresses: ADDRESSES, port: 0, maxConnections: 30 },
      });
      const { port } = await server.start();
      const silent = connect({ host: address, port });
      const closed = once(silent, 'close');
      await once(silent, 'connect');
      await server.stop();
      await closed;
    },
    2000,
  );

  it('says when one of its addresses is taken', async () => {
    const first = serverOn(['127.0.0.2']);
    const { port } = await first.start();
    const second = serverOn(ADDRESSES, port);
    await expect(second.start()).rejects.toThrow('EADDRINUSE');
    await second.stop();
    await first.stop();
  });
});
