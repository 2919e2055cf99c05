/** Who may load boot files, machines of the link and nobody else; and whose an address is. */
import type { MacAddress } from '@lpmos/core';
import { LAB } from './fixtures/lab';
import type { PeerQuestion } from './known-peer';
import { holderAt, isKnownPeer } from './known-peer';
import type { Lease } from './lease-table';
import type { LinkMode } from './link';
import { planLink } from './link';

const lease: Lease = {
  mac: '52:54:00:00:00:01' as MacAddress,
  address: '10.77.0.50',
  state: 'bound',
  expiresAtMs: 1_000_000,
  sinceMs: 0,
};
function question(change: Partial<Lease>, nowMs: number, mode: LinkMode): PeerQuestion {
  const held = { ...lease, ...change };
  const table = { ofAddress: (number: number) => (number === 0x0a4d0032 ? held : undefined) };
  return { plan: planLink({ ...LAB, relays: ['10.99.0.1'], mode }), table, nowMs };
}
const known = (
  address: string,
  change: Partial<Lease> = {},
  nowMs = 500_000,
  mode: LinkMode = 'server',
): boolean => isKnownPeer(question(change, nowMs, mode), address);
const holder = (
  change: Partial<Lease> = {},
  nowMs = 500_000,
  mode: LinkMode = 'server',
  address = lease.address,
): MacAddress | undefined => holderAt(question(change, nowMs, mode), address);

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

describe('holderAt', () => {
  it('names who was leased the address, and for ten minutes who had it', () => {
    expect([holder(), holder({ state: 'offered' })]).toEqual([lease.mac, lease.mac]);
    expect(holder({}, 1_600_000)).toBe(lease.mac);
    // The sister daemon may have given it to another machine since.
    expect(holder({}, 1_600_001)).toBeUndefined();
  });

  it('names nobody for an offer that nobody took, a declined address and a stranger', () => {
    expect(holder({ state: 'offered' }, 1_000_001)).toBeUndefined();
    expect(holder({ state: 'declined' })).toBeUndefined();
    expect(holder({}, 500_000, 'server', '10.77.0.51')).toBeUndefined();
    expect(holder({}, 500_000, 'server', 'no address')).toBeUndefined();
  });

  it.each(['observe', 'proxy'] as const)('names nobody where another server leases: mode %s', (mode) => {
    expect(holder({}, 500_000, mode)).toBeUndefined();
  });
});
