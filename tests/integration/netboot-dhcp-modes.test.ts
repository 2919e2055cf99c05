/**
 * What the DHCP service does beside answering, on real sockets and in real processes: an observer's silence, another server's broadcast,
 * leases that outlive a killed daemon, and a short run of the fuzzer. The rules of the protocol are in tests/conformance.
 */
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { BootEvent, Lease } from '@lpmos/netboot';
import {
  addressOption,
  createDhcpServer,
  encodePacket,
  openUdpListener,
  openUdpSocket,
  u8Option,
} from '@lpmos/netboot';
import { runFuzz } from '../../scripts/fuzz/harness';
import { openDhcpFuzz } from '../../scripts/fuzz/dhcp';
import { LINK, SERVER, Wire, closeWires, newMac, pxe } from '../conformance/harness/netboot-dhcp-wire';

afterEach(closeWires);

const CLIENT = '127.0.1.200';

it('an observer sends nothing on either port, and says what it would have sent', async () => {
  const wire = await Wire.open({ link: { mode: 'observe' } });
  const client = await wire.clientAt(CLIENT);
  wire.send(wire.request({ type: 'DHCPDISCOVER' }, pxe()));
  client.send(encodePacket(wire.request({ type: 'DHCPREQUEST', ciaddr: CLIENT }, pxe())));
  const deadline = performance.now() + 10_000;
  while (wire.events.length < 2 && performance.now() < deadline) await new Promise(setImmediate);
  expect([...wire.reasons()].sort()).toEqual([
    expect.stringMatching(
      /^ignored: observed: as server would send DHCPOFFER .*; as proxy would send proxy DHCPOFFER/,
    ),
    expect.stringMatching(/^ignored: observed: would send proxy DHCPACK/),
  ]);
  expect(await wire.pending()).toEqual([]);
});

it('another server’s broadcast is heard on the clients’ port and reported with its address', async () => {
  const events: BootEvent[] = [];
  const listener = openUdpListener({ port: 0 });
  let clientPort = 0;
  const server = createDhcpServer({
    link: { ...LINK, reservations: [], ports: { server: 0, client: 68, relay: 67 } },
    decider: { decide: () => ({ kind: 'silent', reason: 'a stranger' }) },
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
    open: openUdpSocket({ serverAddress: SERVER, port: 0 }),
    openClientPort: async () => {
      const port = await listener();
      clientPort = port.local.port;
      return port;
    },
    onEvent: (event) => events.push(event),
  });
  await server.start();
  const rogue = createSocket('udp4');
  rogue.bind(0, '127.0.0.66');
  await once(rogue, 'listening');
  rogue.setBroadcast(true);
  try {
    const wire = await Wire.open();
    const discover = wire.request({ type: 'DHCPDISCOVER', mac: newMac() });
    const options = new Map([
      [53, u8Option(2)],
      [54, addressOption('127.0.0.66')],
    ]);
    for (let n = 0; n < 3; n += 1) {
      rogue.send(
        encodePacket({ ...discover, op: 2, file: 'evil.efi', options }),
        clientPort,
        '255.255.255.255',
      );
    }
    const deadline = performance.now() + 10_000;
    while (events.length < 1 && performance.now() < deadline)
      await new Promise((wake) => setTimeout(wake, 10));
    expect(events).toEqual([
      expect.objectContaining({
        request: 'DHCPOFFER of another server',
        peer: '127.0.0.66',
        outcome: 'failed',
        reason: expect.stringMatching(
          /another DHCP server is on link wire: 127\.0\.0\.66, boot file "evil\.efi"; stop it/,
        ) as string,
      }),
    ]);
  } finally {
    rogue.close();
    await server.stop();
  }
});

describe('a daemon that is killed', () => {
  const PROGRAM = resolve(__dirname, '../conformance/harness/netboot-dhcp-server.ts');
  const dir = mkdtempSync(join(tmpdir(), 'lpmos-dhcp-killed-'));
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  async function daemon(clientPort: number) {
    const ports = { server: 0, client: clientPort, relay: clientPort };
    const settings = { link: { ...LINK, reservations: [], ports }, decisions: {}, journalDir: dir };
    const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, JSON.stringify(settings)], {
      stdio: 'pipe',
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    const said: { ready?: { port: number }; leases?: readonly Lease[] } = {};
    createInterface({ input: child.stdout }).on('line', (line) => Object.assign(said, JSON.parse(line)));
    await until(`the daemon is ready ${errors}`, () => said.ready !== undefined, 60_000);
    return { child, said, port: said.ready?.port ?? 0 };
  }

  it('finds its leases again when it comes back', async () => {
    // The wire lends its sockets and its client; its own server is not asked.
    const wire = await Wire.open();
    const first = await daemon(wire.clientPort);
    const addresses = Array.from({ length: 20 }, (_, n) => `127.0.1.${n + 1}`);
    const macs = addresses.map(() => newMac());
    for (const [n, ciaddr] of addresses.entries()) {
      const mac = macs[n] ?? newMac();
      wire.send(wire.request({ type: 'DHCPREQUEST', mac, ciaddr }), first.port);
      expect((await wire.next()).packet.yiaddr).toBe(ciaddr);
    }
    const journal = join(dir, 'leases-wire.jsonl');
    const lines = (): number =>
      existsSync(journal) ? readFileSync(journal, 'latin1').split('\n').length - 1 : 0;
    await until('twenty leases are written', () => lines() === 20);
    first.child.kill('SIGKILL');
    await once(first.child, 'exit');
    const second = await daemon(wire.clientPort);
    second.child.stdin.write('\n');
    await until('the daemon lists its leases', () => second.said.leases !== undefined);
    expect(second.said.leases?.map(({ mac, address, state }) => [mac, address, state])).toEqual(
      macs.map((mac, n) => [mac, addresses[n], 'bound']),
    );
    second.child.kill('SIGKILL');
    await once(second.child, 'exit');
  }, 120_000);
});

it('serves good clients, stalls nowhere and leaks nothing under twenty thousand hostile packets', async () => {
  const report = await runFuzz(openDhcpFuzz, { packets: 20_000, seed: 20_261_120 });
  expect(report.faults).toEqual([]);
  expect([report.sent, report.goodClients]).toEqual([20_000, 20]);
  // Packets got past the first look: leases were given, boot data sent, clients refused.
  expect(Object.keys(report.tally)).toEqual(
    expect.arrayContaining(['sent OFFER', 'sent ACK', 'sent NAK', 'ignored', 'refused']),
  );
}, 120_000);

async function until(what: string, condition: () => boolean, withinMs = 20_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((wake) => setTimeout(wake, 10));
  }
}
