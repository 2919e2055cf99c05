import type { MacAddress } from '@lpmos/core';
import fc from 'fast-check';
import { LAB, MAC, OTHER_MAC, RESERVED_MAC } from './fixtures/lab';
import { formatIpv4, readIpv4 } from './ipv4';
import { canGrant, chooseAddress } from './lease-pool';
import type { Lease } from './lease-table';
import { LeaseTable } from './lease-table';
import { planLink } from './link';

const NOW = 1_000_000;
const PLAN = planLink(LAB);
const macOf = (index: number): MacAddress =>
  `02:00:00:00:${(index >> 8).toString(16).padStart(2, '0')}:${(index & 255).toString(16).padStart(2, '0')}` as MacAddress;
const number = (dotted: string): number => readIpv4(dotted) ?? Number.NaN;

function lease(mac: MacAddress, address: string, rest: Partial<Lease> = {}): Lease {
  return { mac, address, state: 'bound', sinceMs: NOW, expiresAtMs: NOW + 60_000, ...rest };
}

function tableOf(...leases: Lease[]): LeaseTable {
  const table = new LeaseTable(PLAN);
  for (const entry of leases) table.apply(entry);
  return table;
}

function choose(
  table: LeaseTable,
  mac: MacAddress,
  { wish, nowMs = NOW }: { wish?: string; nowMs?: number } = {},
) {
  const chosen = chooseAddress(PLAN, table, { mac, nowMs }, wish === undefined ? undefined : number(wish));
  return chosen === undefined ? undefined : formatIpv4(chosen);
}

/** Fills the pool of eleven addresses with other machines. */
function fullPool(rest: Partial<Lease> = {}): LeaseTable {
  return tableOf(
    ...Array.from({ length: 11 }, (_, index) => lease(macOf(index), `10.77.0.${100 + index}`, rest)),
  );
}

describe('chooseAddress', () => {
  it('gives a reservation to its machine only', () => {
    expect(choose(tableOf(), RESERVED_MAC)).toBe('10.77.0.9');
    expect(choose(tableOf(), MAC, { wish: '10.77.0.9' })).not.toBe('10.77.0.9');
  });

  it('gives a machine the same address in every process, and machines different ones', () => {
    const first = choose(tableOf(), MAC);
    expect(choose(tableOf(), MAC)).toBe(first);
    expect(choose(tableOf(lease(MAC, String(first))), OTHER_MAC)).not.toBe(first);
    const spread = new Set(Array.from({ length: 40 }, (_, index) => choose(tableOf(), macOf(index))));
    expect(spread.size).toBeGreaterThan(5);
  });

  it('gives a machine its old address back, also when the lease has expired', () => {
    const expired = tableOf(lease(MAC, '10.77.0.105', { expiresAtMs: NOW - 1 }));
    expect(choose(expired, MAC)).toBe('10.77.0.105');
    expect(choose(tableOf(lease(MAC, '10.77.0.105')), MAC, { wish: '10.77.0.107' })).toBe('10.77.0.105');
  });

  it.each([
    ['a free pool address', '10.77.0.107', true],
    ['an address of another network', '192.168.1.5', false],
    ['an address outside of the pool', '10.77.0.50', false],
    ['the network address', '10.77.0.0', false],
    ['the broadcast address', '10.77.0.255', false],
    ['our own address', '10.77.0.1', false],
    ['the router', '10.77.0.254', false],
  ])('honours the wish for %s as far as it may', (_, wish, honoured) => {
    expect(choose(tableOf(), MAC, { wish }) === wish).toBe(honoured);
  });

  it('never gives away what a name server of the link uses, even inside the pool', () => {
    const plan = planLink({
      ...LAB,
      dnsServers: ['10.77.0.104'],
      pool: { first: '10.77.0.104', last: '10.77.0.104' },
    });
    expect(chooseAddress(plan, new LeaseTable(plan), { mac: MAC, nowMs: NOW })).toBeUndefined();
  });

  it('has nothing to give when the pool is full, and still serves those who are in', () => {
    expect(choose(fullPool(), MAC)).toBeUndefined();
    expect(choose(fullPool(), macOf(3))).toBe('10.77.0.103');
  });

  it('recycles expired leases, and offers that nobody took for ten seconds', () => {
    const offered = { state: 'offered', expiresAtMs: NOW + 30_000 } as const;
    expect(choose(fullPool({ expiresAtMs: NOW }), MAC)).toBeDefined();
    expect(choose(fullPool(offered), MAC, { nowMs: NOW + 9_999 })).toBeUndefined();
    expect(choose(fullPool(offered), MAC, { nowMs: NOW + 10_000 })).toBeDefined();
  });

  it('prefers addresses that nobody ever had over expired ones', () => {
    const all = fullPool({ expiresAtMs: NOW - 1 }).all();
    const table = tableOf(...all.filter((entry) => entry.address !== '10.77.0.110'));
    expect(choose(table, MAC)).toBe('10.77.0.110');
  });

  it('takes no offer from a client that may still ask while there are expired leases, and the longest expired first', () => {
    const table = fullPool({ state: 'offered', sinceMs: NOW - 20_000, expiresAtMs: NOW + 40_000 });
    table.apply(lease(macOf(4), '10.77.0.104', { expiresAtMs: NOW - 1 }));
    table.apply(lease(macOf(7), '10.77.0.107', { expiresAtMs: NOW - 86_400_000 }));
    const taken = [MAC, OTHER_MAC, macOf(99)].map((mac) => {
      const address = choose(table, mac);
      table.apply(lease(mac, String(address)));
      return address;
    });
    expect(taken.slice(0, 2)).toEqual(['10.77.0.107', '10.77.0.104']);
    expect(taken[2]).toBeDefined();
  });

  it('walks the pool and nothing else: reserved and excluded addresses of it are never found', () => {
    const plan = planLink({
      ...LAB,
      dnsServers: ['10.77.0.101'],
      pool: { first: '10.77.0.100', last: '10.77.0.102' },
      reservations: [{ mac: RESERVED_MAC, address: '10.77.0.102' }],
    });
    const table = new LeaseTable(plan);
    for (let start = 0; start < 7; start += 1)
      expect(table.searchPool(start, NOW)).toBe(number('10.77.0.100'));
    table.apply(lease(MAC, '10.77.0.100', { expiresAtMs: 0 }));
    expect(table.searchPool(1, NOW)).toBe(number('10.77.0.100'));
    table.apply(lease(MAC, '10.77.0.100'));
    table.apply(lease(RESERVED_MAC, '10.77.0.102', { expiresAtMs: 0 }));
    expect(table.searchPool(1, NOW)).toBeUndefined();
    table.apply(lease(MAC, '10.77.0.100', { state: 'released' }));
    expect(table.searchPool(1, NOW)).toBe(number('10.77.0.100'));
  });

  it('keeps a declined address from everybody, its finder included, until the quarantine ends', () => {
    const table = tableOf(lease(MAC, '10.77.0.105', { state: 'declined' }));
    expect(choose(table, MAC, { wish: '10.77.0.105' })).not.toBe('10.77.0.105');
    expect(choose(table, OTHER_MAC, { wish: '10.77.0.105' })).not.toBe('10.77.0.105');
    expect(choose(table, OTHER_MAC, { wish: '10.77.0.105', nowMs: NOW + 60_000 })).toBe('10.77.0.105');
  });

  it('lets a machine live in the pool while somebody else sits on its reservation, and calls it home afterwards', () => {
    const table = tableOf(lease(OTHER_MAC, '10.77.0.9'));
    const meanwhile = choose(table, RESERVED_MAC);
    expect(meanwhile).toMatch(/^10\.77\.0\.1\d\d$/);
    table.apply(lease(RESERVED_MAC, String(meanwhile)));
    expect(choose(table, RESERVED_MAC)).toBe(meanwhile);
    expect(choose(table, RESERVED_MAC, { nowMs: NOW + 60_000 })).toBe('10.77.0.9');
    expect(canGrant(PLAN, table, { mac: OTHER_MAC, nowMs: NOW }, number('10.77.0.9'))).toBe(false);
  });
});

describe('allocation under any sequence', () => {
  const step = fc.record({
    kind: fc.constantFrom('discover', 'request', 'release', 'decline', 'wait'),
    client: fc.nat(24),
    wish: fc.integer({ min: 0, max: 255 }),
  });

  it('never gives one address to two clients', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const table = new LeaseTable(PLAN);
        let nowMs = NOW;
        for (const { kind, client, wish } of steps) {
          const mac = client === 24 ? RESERVED_MAC : macOf(client);
          const claim = { mac, nowMs };
          const held = table.ofMac(mac);
          const before = table.all().filter((entry) => entry.expiresAtMs > nowMs && entry.mac !== mac);
          if (kind === 'wait') nowMs += wish * 100;
          else if (kind === 'release' && held) table.apply({ ...held, state: 'released' });
          else if (kind === 'decline' && held)
            table.apply({ ...held, state: 'declined', expiresAtMs: nowMs + 20_000 });
          else if (kind === 'discover' || kind === 'request') {
            const address = chooseAddress(PLAN, table, claim, number(`10.77.0.${wish}`));
            if (address === undefined) continue;
            const rivals = before.filter((entry) => entry.address === formatIpv4(address));
            // Only an offer that nobody took for ten seconds may be taken from somebody.
            for (const rival of rivals) {
              expect(rival.state).toBe('offered');
              expect(nowMs - rival.sinceMs).toBeGreaterThanOrEqual(10_000);
            }
            const state = kind === 'discover' ? 'offered' : 'bound';
            table.apply(
              lease(mac, formatIpv4(address), { state, sinceMs: nowMs, expiresAtMs: nowMs + 15_000 }),
            );
          }
          const live = table.all().filter((entry) => entry.expiresAtMs > nowMs);
          expect(new Set(live.map((entry) => entry.address)).size).toBe(live.length);
          const holders = live.filter((entry) => entry.state !== 'declined');
          expect(new Set(holders.map((entry) => entry.mac)).size).toBe(holders.length);
          for (const entry of holders) expect(table.ofMac(entry.mac)).toBe(entry);
          expect(table.size).toBeLessThanOrEqual(12);
        }
      }),
      { numRuns: 300 },
    );
  });
});
