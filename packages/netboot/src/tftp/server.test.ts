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
  let fail: (code: string) => void = () => undefined;
  let answer: (bytes: Uint8Array) => void = () => undefined;
  const sent: string[] = [];
  let hear: (bytes: Uint8Array, peer: UdpPeer) => void = () => undefined;
  const sockets: SocketFactory = {
    listen: async ({ onDatagram }) => {
      hear = onDatagram;
      return { port: 69, reply: () => undefined, close: async () => undefined };
    },
    connect: async ({ onDatagram, onError }) => {
      answer = onDatagram;
      fail = (code) => onError(Object.assign(new Error(code), { code }));
      return {
        send: (pieces) => void sent.push(Buffer.concat(pieces).subarray(4).toString()),
        close: () => undefined,
      };
    },
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
  return {
    ...{ ask, sent, events, server },
    give: (text: string) => give({ bytes: Buffer.from(text) }),
    fail: (code: string) => fail(code),
    acknowledge: (block: number) => answer(encodeTftpPacket({ kind: 'ACK', block })),
  };
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

it('takes what the host cannot send for a lost packet, and goes on when the link is back', async () => {
  const { ask, events, server, fail, acknowledge } = await lab();
  ask('shim.efi');
  await settled();
  fail('ENETUNREACH');
  expect(server.sessions()).toBe(1);
  acknowledge(1);
  expect(events.map(({ outcome }) => outcome)).toEqual(['answered', 'completed']);
  await server.stop();
});

it('says that the host could not send, where a transfer ends for that', async () => {
  const { ask, events, server, fail } = await lab();
  ask('shim.efi');
  await settled();
  fail('EPERM');
  await server.stop();
  expect(events.at(-1)?.reason).toBe('the server stops; this host could not send: EPERM');
});

it.each([
  ['ECONNREFUSED', 'the client closed its port after block 0 of 1'],
  ['EMSGSIZE', 'the socket failed: EMSGSIZE'],
])('ends a transfer at once on %s', async (code, reason) => {
  const { ask, events, server, fail } = await lab();
  ask('shim.efi');
  await settled();
  fail(code);
  expect(events.at(-1)).toMatchObject({ outcome: 'failed', reason });
  expect(server.sessions()).toBe(0);
  await server.stop();
});
