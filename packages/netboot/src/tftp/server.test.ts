/** Sequences of requests from one port, over sockets that only note what is sent. */
import type { FoundFile } from '../file-finder';
import type { BootEvent } from '../boot-event';
import { createFileTable } from './names';
import { encodeTftpPacket } from './packet';
import { createTftpServer } from './server';
import type { SocketFactory, UdpPeer } from './sockets';

const PEER: UdpPeer = { address: '10.0.0.9', port: 2070 };
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function lab() {
  const sent: string[] = [];
  let hear: (bytes: Uint8Array, peer: UdpPeer) => void = () => undefined;
  const sockets: SocketFactory = {
    listen: async ({ onDatagram }) => {
      hear = onDatagram;
      return { port: 69, reply: () => undefined, close: async () => undefined };
    },
    connect: async () => ({
      send: (pieces) => void sent.push(Buffer.concat(pieces).subarray(4).toString()),
      close: () => undefined,
    }),
  };
  let give: (file: FoundFile) => void = () => undefined;
  const events: BootEvent[] = [];
  const server = createTftpServer({
    ...{ address: '10.0.0.1', port: 69, socketFactory: sockets, onEvent: (event) => events.push(event) },
    files: createFileTable({ 'shim.efi': Buffer.from('shim') }),
    find: (name) => (name === 'late' ? new Promise((resolve) => (give = resolve)) : undefined),
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
  });
  await server.start();
  const ask = (filename: string) =>
    hear(encodeTftpPacket({ kind: 'RRQ', filename, mode: 'octet', options: [] }), PEER);
  return { ask, sent, events, server, give: (text: string) => give({ bytes: Buffer.from(text) }) };
}

it('forgets a file that is still being looked for when its client begins anew with one that is there', async () => {
  const { ask, sent, server, give } = await lab();
  ask('late');
  ask('shim.efi');
  await settled();
  give('what was asked for before the reset');
  await settled();
  expect(sent).toEqual(['shim']);
  expect(server.sessions()).toBe(1);
  await server.stop();
});
