/** DHCP of several links as one service, on loopback: a reload reaches every link whatever the service is doing, and only those that changed. */
import type { MacAddress } from '@lpmos/core';
import type { Lease } from '@lpmos/netboot';
import { silentLogger } from '@lpmos/runtime';
import { readLinkList } from './boot/link-settings';
import { readLoaders } from './boot/loaders';
import { createDhcpService } from './dhcp-service';
import type { DhcpService } from './dhcp-service';
import { daemonLinks } from './links/daemon-links';
import type { DaemonLink } from './links/daemon-links';
import { temporaryFolder, testClock } from './testing/region-fixtures';

const folder = temporaryFolder();
const PORTS = { server: 0, client: 6801, relay: 6701, proxy: 0 };

function linksOf(...raw: readonly object[]): readonly DaemonLink[] {
  const read = readLinkList(raw);
  if ('problems' in read) throw new Error(read.problems.join('\n'));
  return daemonLinks(read.value, { serviceAddress: '127.0.0.1' });
}

const NEAR = { name: 'near', subnet: '127.0.0.0/24', ports: PORTS, relays: ['127.0.0.2'] };
const FAR = {
  ...{ name: 'far', subnet: '127.3.0.0/24', service_address: '127.0.0.3', ports: PORTS },
  relays: ['127.3.0.2'],
};
const before = linksOf(NEAR, FAR);

const relayOf = (turn: number): string => `127.9.${Math.floor(turn / 250)}.${(turn % 250) + 1}`;

async function serviceOf(
  links = before,
  read: (ended: AbortSignal) => Promise<ReadonlyMap<string, readonly Lease[]>> = async () => new Map(),
): Promise<DhcpService> {
  const clock = testClock();
  return createDhcpService({
    ...{ links, passed: [], stateDir: folder(), clock, logger: silentLogger },
    loaders: await readLoaders({ directory: folder() }),
    decider: { decide: () => ({ kind: 'silent', reason: 'nobody is known' }) },
    onEvent: () => undefined,
    onFailure: (_link, error) => {
      throw error;
    },
    baseUrl: (address) => `http://${address}`,
    copies: { read, hear: () => undefined },
    leads: () => true,
  });
}

describe('DHCP of the links', () => {
  it('has the settings of the last reload that came while it started', async () => {
    const service = await serviceOf();
    let started = false;
    const starting = service.start().finally(() => (started = true));
    let turn = 0;
    for (; !started; turn += 1) {
      service.reconfigure(linksOf(NEAR, { ...FAR, relays: [relayOf(turn)] }));
      await new Promise(setImmediate);
    }
    await starting;
    const known = Array.from({ length: turn }, (_, index) => relayOf(index)).filter(service.knows);
    await service.stop();
    expect(known).toEqual([relayOf(turn - 1)]);
  });

  it('keeps its sockets through a reload that came while it started', async () => {
    const alone = { ...NEAR, ports: { ...PORTS, proxy: undefined } };
    const service = await serviceOf(linksOf(alone));
    const starting = service.start();
    service.reconfigure(linksOf({ ...alone, relays: [] }));
    const port = await starting;
    await service.stop();
    expect(port).toBeGreaterThan(0);
  });

  it('opens nothing when it is stopped while it waits for the copies of leases', async () => {
    const waits = (ended: AbortSignal): Promise<ReadonlyMap<string, readonly Lease[]>> =>
      new Promise((given) => ended.addEventListener('abort', () => given(new Map())));
    const service = await serviceOf(before, waits);
    const starting = service.start();
    await service.stop();
    expect(await starting).toBe(0);
    expect(service.knows('127.0.0.2')).toBe(false);
  });

  it('knows the machines whose leases the other daemon copied', async () => {
    const address = '127.0.0.77';
    const lease = { mac: '52:54:00:00:00:77' as MacAddress, address, state: 'bound' as const };
    const times = { sinceMs: testClock().nowMs(), expiresAtMs: testClock().nowMs() + 60_000 };
    const service = await serviceOf(before, async () => new Map([['near', [{ ...lease, ...times }]]]));
    await service.start();
    const holder = service.machineAt(address);
    await service.stop();
    expect(holder).toBe(lease.mac);
  });

  it('changes nothing where one of the links is wrong', async () => {
    const service = await serviceOf();
    await service.start();
    const wrong = linksOf({ ...NEAR, relays: ['127.0.0.8'] }, { ...FAR, router: '192.0.2.1' });
    expect(() => service.reconfigure(wrong)).toThrow('dhcp_links[1].router is outside of the subnet');
    const known = ['127.0.0.2', '127.0.0.8'].filter((relay) => service.knows(relay));
    await service.stop();
    expect(known).toEqual(['127.0.0.2']);
  });
});
