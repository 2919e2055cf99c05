/** TFTP transfers on real sockets: duplicates, ends of every kind, addresses, and the packets that a link sees. */
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { createFileTable, createTftpServer, type BootEvent, type TftpServer } from '@lpmos/netboot';
import { itWhen } from '../integration/harness/it-when';
import { missingNamespaces, openNamespacePair } from './harness/namespace-pair';
import { patternBytes, scratchFolder, systemClock, until } from './harness/netboot-foreign-clients';
import { rawTftp, rrq, type RawTftp } from './harness/raw-tftp';
import { startTftpProcess } from './harness/tftp-process';

const FILE = patternBytes(5000);
const events: BootEvent[] = [];
const clients: RawTftp[] = [];
const scratch = scratchFolder();
let server: TftpServer;
let port: number;
let silence: Promise<{ packets: string[]; waits: number[] }>;

function serve(address: string, onEvent: (event: BootEvent) => void = () => undefined): TftpServer {
  const files = createFileTable({ 'ipxe.efi': FILE });
  return createTftpServer({ address, port: 0, files, onEvent, clock: systemClock });
}

beforeAll(async () => {
  server = serve('127.0.0.1', (event) => events.push(event));
  ({ port } = await server.start());
  silence = beSilentAfterOneAck();
  silence.catch(() => undefined);
});
afterEach(async () => {
  // Closed ports answer with ICMP, so every transfer of a test ends with it.
  clients.splice(0).forEach((client) => client.close());
  await until('every transfer has ended', () => server.sessions() === 0);
});
afterAll(async () => {
  await server.stop();
  scratch.remove();
});

async function open(): Promise<RawTftp> {
  const client = await rawTftp();
  clients.push(client);
  return client;
}
const failed = () => events.filter((event) => event.outcome === 'failed').map((event) => event.reason);

/** A machine that loses its power in the middle; on a server of its own, because it takes the server many seconds to see. */
async function beSilentAfterOneAck(): Promise<{ packets: string[]; waits: number[] }> {
  const patient = serve('127.0.0.1');
  const started = await patient.start();
  const client = await rawTftp();
  client.send(rrq('ipxe.efi'), started.port);
  const { from } = await client.next();
  const silentFrom = performance.now();
  client.send({ kind: 'ACK', block: 1 }, from);
  const packets: string[] = [];
  const waits: number[] = [];
  while (patient.sessions() > 0 || client.inbox.length > 0) {
    const { packet } = await client.next(30_000);
    waits.push(performance.now() - silentFrom);
    packets.push(packet.kind === 'DATA' ? `DATA ${packet.block}` : packet.kind);
    if (packet.kind === 'ERROR') await until('the transfer is over', () => patient.sessions() === 0);
  }
  client.close();
  await patient.stop();
  return { packets, waits };
}

it('TF4: sends no DATA again for a duplicate ACK, however many come', async () => {
  const client = await open();
  client.send(rrq('ipxe.efi'), port);
  const { from } = await client.next();
  for (let copy = 0; copy < 20; copy += 1) client.send({ kind: 'ACK', block: 1 }, from);
  expect((await client.next()).packet).toMatchObject({ kind: 'DATA', block: 2 });
  for (let copy = 0; copy < 20; copy += 1) client.send({ kind: 'ACK', block: 1 }, from);
  client.send({ kind: 'ACK', block: 2 }, from);
  // Everything before this answer was read: there is one DATA 3 and no second DATA 2.
  expect((await client.next()).packet).toMatchObject({ kind: 'DATA', block: 3 });
  expect(client.inbox).toEqual([]);
});

it.each<[string, Uint8Array]>([
  ['ERROR 8 after DATA', Uint8Array.of(0, 5, 0, 8, 97, 0)],
  ['an ERROR without NUL', Uint8Array.of(0, 5, 0, 0, 97, 98)],
  ['an ERROR of 4 bytes', Uint8Array.of(0, 5, 0, 3)],
  ['an ERROR cut to 3 bytes', Uint8Array.of(0, 5, 0)],
])('TF15: %s ends the transfer at once', async (_what, error) => {
  events.length = 0;
  const client = await open();
  client.send(rrq('ipxe.efi'), port);
  const { from } = await client.next();
  client.send(error, from);
  await until('the transfer is over', () => server.sessions() === 0);
  expect(failed()).toEqual([expect.stringContaining('the client ended it with error')]);
  expect(client.inbox).toEqual([]);
});

it('TF24: answers from the address that was asked, on a host with several', async () => {
  const addresses = ['127.0.0.41', '127.0.0.42'];
  for (const address of addresses) {
    const other = serve(address);
    const started = await other.start();
    const client = await rawTftp(address);
    client.send(rrq('ipxe.efi', ['blksize', '1000']), started.port);
    const answer = await client.next();
    expect(answer.address).toBe(address);
    client.send({ kind: 'ACK', block: 0 }, answer.from);
    expect((await client.next()).address).toBe(address);
    client.close();
    await other.stop();
  }
});

it('TF5: tries a machine that fell silent five times with back-off, then says ERROR 0 and forgets it', async () => {
  const { packets, waits } = await silence;
  expect(packets).toEqual(['DATA 2', 'DATA 2', 'DATA 2', 'DATA 2', 'DATA 2', 'ERROR']);
  // From the ACK, because a busy machine may take one packet late and the next in time. The tenth is for the grain of a loaded loop.
  const soonest = [0, 1000, 3000, 7000, 15_000].map((ms) => 0.9 * ms);
  expect(waits.slice(0, 5).map((ms, index) => ms >= (soonest[index] ?? 0))).toEqual(Array(5).fill(true));
}, 60_000);

const SIZE = 300_000;
/** The discard port (RFC 863): a packet to it marks the end of what a capture is about. */
const END_PORT = '9';

/** @returns fragments and packets that the link saw while curl fetched with the largest blksize there is. */
async function capture(mtuBytes: number): Promise<{ fragments: number; packets: number; copied: number }> {
  const pair = openNamespacePair();
  try {
    const [pcap, copy] = [scratch.path(`mtu-${mtuBytes}.pcap`), scratch.path(`mtu-${mtuBytes}.bin`)];
    const tftp = await startTftpProcess({
      address: pair.serverAddress,
      port: 69,
      files: { 'big.bin': SIZE },
      limits: { mtuBytes },
      namespace: pair.server,
    });
    // Headers are enough. With whole packets the default buffer of 2 MiB has slots for eight, and a loaded machine loses the rest.
    const options = ['-s', '96', '-B', '16384', '--immediate-mode', '-U', '-w', pcap];
    const dump = pair.start('tcpdump', '-i', pair.device, ...options, 'ip');
    let said = '';
    dump.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await until('tcpdump listens', () => said.includes('listening on'));
    pair.run('curl', '-sS', '--tftp-blksize', '65464', '-o', copy, `tftp://${pair.serverAddress}/big.bin`);
    const lines = (...filter: string[]) =>
      pair
        .run('tcpdump', '-n', '-r', pcap, ...filter)
        .split('\n')
        .filter((line) => / IP /.test(line)).length;
    // A capture is written in order, so all of the transfer is in the file once this packet is.
    pair.run('bash', '-c', `echo end >/dev/udp/${pair.serverAddress}/${END_PORT}`);
    await until('the capture holds the whole transfer', () => lines('udp', 'dst', 'port', END_PORT) > 0);
    const gone = once(dump, 'close');
    dump.kill('SIGTERM');
    await gone;
    await tftp.stop();
    expect(said).toContain('0 packets dropped by kernel');
    return { fragments: lines('ip[6:2] & 0x3fff != 0'), packets: lines(), copied: statSync(copy).size };
  } finally {
    pair.close();
  }
}

describe('TF26: on a link of 1500 bytes', () => {
  const test = itWhen(missingNamespaces('curl', 'tcpdump'));

  test('no packet is a fragment, whatever blksize is asked', async () => {
    const { fragments, packets, copied } = await capture(1500);
    expect(copied).toBe(SIZE);
    expect(packets).toBeGreaterThan((2 * SIZE) / 1468);
    expect(fragments).toBe(0);
  }, 60_000);

  test('the capture would see fragments: with a limit that is wrong for the link there are some', async () => {
    expect((await capture(9000)).fragments).toBeGreaterThan(0);
  }, 60_000);
});
