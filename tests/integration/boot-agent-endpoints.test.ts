/**
 * A whole agent and a region of two daemons over real sockets: it finds the one that leads, whichever of them that is, and goes on with its
 * session when the leadership moves.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { makeTestImage, prepareBench } from '@lpmos/boot-agent';
import type { Bench, BenchMessage } from '@lpmos/boot-agent';

const image = makeTestImage();
let bench: Bench;
let ended: Promise<number> | undefined;

beforeEach(async () => {
  bench = await prepareBench(image, { daemons: 2 });
});
afterEach(async () => {
  await bench.stop();
});

const report = (message: BenchMessage) => (message.$case === 'hardware' ? message.value : undefined);
const obeyed = (message: BenchMessage) => (message.$case === 'cancelObeyed' ? message.value : undefined);
const proofs = ({ hellos }: Bench['region']): unknown[] => hellos.map(({ proof }) => proof);

async function leave(from: Bench['region']): Promise<void> {
  from.send({ $case: 'reboot', value: { reason: 'test' } });
  expect(await ended).toBe(0);
}

describe('an agent of a region with two daemons', () => {
  it('shows both and reaches the second when the first does not listen', async () => {
    bench.region.stop();
    ended = bench.start();
    await bench.second.next('report', report);
    expect(proofs(bench.second)).toEqual([{ $case: 'ticket', value: 't1' }]);
    const [first, second] = [bench.region, bench.second].map(({ port }) => `127.0.0.1:${port}`);
    expect(bench.console()).toContain(`region   lab at ${first}\n         or at ${second}\n`);
    expect(bench.said()).toContain(`no session with region lab at ${first}: `);
    expect(bench.said()).toContain(`; try 2 at ${second} in `);
    expect(bench.said()).toContain('the regional daemon does not listen: is it running?');
    expect(bench.said()).toContain(`connected to region lab at ${second} as`);
    await leave(bench.second);
  });

  it('reaches the second when the first stands by, and turns to the first once that leads', async () => {
    bench.region.policy.standsBy = true;
    ended = bench.start();
    await bench.second.next('report', report);
    expect(bench.region.received).toEqual([]);
    expect(bench.said()).toContain(
      `region lab at 127.0.0.1:${bench.region.port}: this daemon stands by; try 2`,
    );
    bench.region.policy.standsBy = false;
    bench.second.policy.standsBy = true;
    bench.second.dropLink();
    await bench.until(() => bench.region.hellos.length === 2);
    expect(proofs(bench.region)).toEqual([
      { $case: 'ticket', value: 't1' },
      { $case: 'sessionToken', value: 'token-1' },
    ]);
    await bench.until(() => bench.said().includes(`resumed at 127.0.0.1:${bench.region.port}`));
    await leave(bench.region);
  });

  it('goes on with its session on the second when the first dies, and says there what nobody acknowledged', async () => {
    bench.region.policy.acknowledge = false;
    bench.second.policy.standsBy = true;
    ended = bench.start();
    await bench.region.next('report', report);
    bench.region.send({ $case: 'cancel', value: { reason: 'operator' } });
    await bench.region.next('answer', obeyed);
    bench.region.stop();
    // The region has no leader for a while: the agent goes round.
    await bench.until(() => bench.second.hellos.length >= 2);
    expect(bench.second.received).toEqual([]);
    bench.second.policy.standsBy = false;
    await bench.second.next('answer', obeyed);
    expect(proofs(bench.second).at(-1)).toEqual({ $case: 'sessionToken', value: 'token-1' });
    expect(bench.second.received.map(({ seq, message }) => `${seq} ${message?.$case}`)).toEqual(
      bench.region.received.map(({ seq, message }) => `${seq} ${message?.$case}`),
    );
    await leave(bench.second);
  });

  it('does not wait for ever for a host that takes calls and says nothing', async () => {
    const { port } = bench.region;
    bench.region.stop();
    const silent = await listenSilently(port);
    ended = bench.start();
    await bench.second.next('report', report);
    expect(bench.said()).toContain(
      `region lab at 127.0.0.1:${port}: the region does not answer within 5 s; try 2`,
    );
    await silent.close();
    await leave(bench.second);
  });
});

async function listenSilently(port: number): Promise<{ close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
