/** The bound of the lease table, which lease-pool.test.ts cannot reach with its small pool. */
import type { MacAddress } from '@lpmos/core';
import { LAB, RESERVED_MAC } from './fixtures/lab';
import { formatIpv4, readIpv4 } from './ipv4';
import type { Lease } from './lease-table';
import { LeaseTable, MAX_LEASES } from './lease-table';
import { planLink } from './link';

const NOW = 1_000_000;
const FIRST = readIpv4('10.78.0.0') ?? 0;
const PLAN = planLink({
  ...LAB,
  subnet: '10.64.0.0/10',
  pool: { first: '10.78.0.0', last: '10.78.255.255' },
});

function lease(index: number, expiresAtMs: number): Lease {
  const digits = index.toString(16).padStart(8, '0').match(/../g) ?? [];
  const mac = `02:00:${digits.join(':')}` as MacAddress;
  return { mac, address: formatIpv4(FIRST + index), state: 'offered', sinceMs: NOW, expiresAtMs };
}

const RESERVED: Lease = {
  mac: RESERVED_MAC,
  address: '10.77.0.9',
  state: 'offered',
  sinceMs: NOW,
  expiresAtMs: NOW + 60_000,
};

function fullTable(expiresAtMs: (index: number) => number): LeaseTable {
  const table = new LeaseTable(PLAN);
  for (let index = 0; index < MAX_LEASES; index += 1) table.apply(lease(index, expiresAtMs(index)));
  return table;
}

it('forgets who left when it is full, so that a flood that used up a large pool keeps no reserved machine out', () => {
  const table = fullTable((index) => (index === 700 ? NOW : NOW + 60_000));
  expect(table.apply(RESERVED)).toBe(true);
  expect([table.size, table.ofMac(RESERVED_MAC), table.ofAddress(FIRST + 700)]).toEqual([
    MAX_LEASES,
    RESERVED,
    undefined,
  ]);
  expect(table.searchPool(0, NOW)).toBe(FIRST + 700);
});

it('takes nobody more while all that it has is in use', () => {
  const table = fullTable(() => NOW + 60_000);
  expect(table.apply(RESERVED)).toBe(false);
  expect([table.size, table.ofMac(RESERVED_MAC)]).toEqual([MAX_LEASES, undefined]);
});
