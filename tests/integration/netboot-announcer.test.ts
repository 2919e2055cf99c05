/** The helper that sends router advertisements: refused devices are named with what to do, and it never outlives its owner. What it sends is in tests/conformance. */
import { readFileSync } from 'node:fs';
import { LpmosError } from '@lpmos/core';
import { startAnnouncer } from '@lpmos/netboot';
import { itWhen } from './harness/it-when';

const isRoot = process.getuid?.() === 0;

function children(): string {
  return readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'latin1').trim();
}

describe('the announcer', () => {
  it('names each device that it cannot send on, and what to do', async () => {
    const devices = [{ device: 'nosuch0', path: 'dhcp_links[0].ipv6_router' }, { device: 'nosuch1' }];
    const refused: unknown = await startAnnouncer({ devices, onProblem: () => undefined }).catch(
      (thrown: unknown) => thrown,
    );
    const problem = isRoot ? /^there is no interface nosuch/ : /^needs CAP_NET_RAW/;
    expect(refused).toBeInstanceOf(LpmosError);
    expect((refused as LpmosError).fields).toEqual([
      { path: 'dhcp_links[0].ipv6_router', problem: expect.stringMatching(problem) as string },
      { path: 'nosuch1', problem: expect.stringMatching(problem) as string },
    ]);
  });

  itWhen(isRoot ? undefined : 'raw sockets need root')('leaves no process behind', async () => {
    const before = children();
    const announcer = await startAnnouncer({ devices: [{ device: 'lo' }], onProblem: () => undefined });
    expect(children()).not.toBe(before);
    await announcer.stop();
    await announcer.stop();
    expect(children()).toBe(before);
  });
});
