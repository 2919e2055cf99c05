/** Who may load boot files: machines of the link, and nobody else. */
import type { MacAddress } from '@lpmos/core';
import { LAB } from './fixtures/lab';
import { isKnownPeer } from './known-peer';
import type { Lease } from './lease-table';
import { planLink } from './link';

const lease: Lease = {
  mac: '52:54:00:00:00:01' as MacAddress,
  address: '10.77.0.50',
  state: 'bound',
  expiresAtMs: 1_000_000,
  sinceMs: 0,
};
const known = (address: string, change: Partial<Lease> = {}, nowMs = 500_000, mode?: 'proxy'): boolean => {
  const held = { ...lease, ...change };
  const table = { ofAddress: (number: number) => (number === 0x0a4d0032 ? held : undefined) };
  const plan = planLink({ ...LAB, relays: ['10.99.0.1'], ...(mode === undefined ? {} : { mode }) });
  return isKnownPeer({ plan, table, nowMs }, address);
};

describe('isKnownPeer', () => {
  it('knows who holds a lease, and for ten minutes who held it', () => {
    expect(known('10.77.0.50')).toBe(true);
    expect(known('10.77.0.50', { state: 'offered' })).toBe(true);
    expect(known('10.77.0.50', {}, 1_600_000)).toBe(true);
    expect(known('10.77.0.50', {}, 1_600_001)).toBe(false);
  });

  it('does not know strangers, declined addresses or nonsense', () => {
    expect(known('10.77.0.51')).toBe(false);
    expect(known('192.0.2.1')).toBe(false);
    expect(known('10.77.0.50', { state: 'declined' })).toBe(false);
    expect(known('not an address')).toBe(false);
  });

  it('trusts relays, and beside another DHCP server every host of the subnet', () => {
    expect(known('10.99.0.1')).toBe(true);
    expect(known('10.77.0.51', {}, 0, 'proxy')).toBe(true);
    expect(known('10.78.0.51', {}, 0, 'proxy')).toBe(false);
  });
});
