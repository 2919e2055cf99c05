/**
 * The helper of a moment that opens sockets on devices, on the loopback interface: it hands over what was asked for and is gone then, because
 * a helper that lived on would hold the ports for the next start. What such sockets hear is in tests/conformance.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { LpmosError } from '@lpmos/core';
import { openDeviceSockets } from '@lpmos/netboot';

async function freePort(): Promise<number> {
  const probe = createSocket('udp4');
  probe.bind(0, '0.0.0.0');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

const request = (port: number) => [
  { device: 'lo', address: '0.0.0.0', port, alone: true },
  { device: 'lo', address: '127.0.0.1', port, alone: true },
];

function children(): string {
  return readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'latin1').trim();
}

/** A socket is closed a turn after it was told to. */
async function openSockets(): Promise<number> {
  await new Promise(setImmediate);
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // The descriptor of this very listing.
      return '';
    }
  });
  return links.filter((link) => link.startsWith('socket:')).length;
}

describe('sockets on a device', () => {
  it('come in the order of the requests, and their helper has ended by then', async () => {
    const port = await freePort();
    const before = children();
    const sockets = await openDeviceSockets(request(port));
    const behind = children();
    const addresses = sockets.map((socket) => socket.address());
    for (const socket of sockets) socket.close();
    expect(behind).toBe(before);
    expect(addresses).toMatchObject([
      { address: '0.0.0.0', port },
      { address: '127.0.0.1', port },
    ]);
    // Nobody holds the port any more, so whoever wants it alone gets it at once.
    const again = await openDeviceSockets(request(port));
    for (const socket of again) socket.close();
  });

  it('are all refused where one is taken, and none is left open', async () => {
    const [taken, free] = [await freePort(), await freePort()];
    const [open, before] = [await openSockets(), children()];
    const holder = createSocket('udp4');
    holder.bind(taken, '0.0.0.0');
    await once(holder, 'listening');
    const refused: unknown = await openDeviceSockets([...request(free), ...request(taken)]).catch(
      (thrown: unknown) => thrown,
    );
    holder.close();
    await once(holder, 'close');
    expect(refused).toBeInstanceOf(LpmosError);
    expect((refused as LpmosError).fields).toEqual([
      { path: 'lo', problem: expect.stringContaining(`UDP port ${taken} of lo is taken`) as string },
    ]);
    expect([await openSockets(), children()]).toEqual([open, before]);
  });
});
