/** What is copied of leases, when, and what no longer: write by write. */
import { MAC, OTHER_MAC } from './fixtures/lab';
import { LeaseCopies } from './lease-copies';
import type { Lease } from './lease-table';

const NOW = 1_000_000_000;
const LEASE_MS = 800_000;

function lease(address: string, rest: Partial<Lease> = {}): Lease {
  const sinceMs = rest.sinceMs ?? NOW;
  return { mac: MAC, address, state: 'bound', sinceMs, expiresAtMs: sinceMs + LEASE_MS, ...rest };
}

/** Everything that waits, as it would be stored; it counts as stored then. */
function written(copies: LeaseCopies): Record<string, string> {
  const change = copies.take(100);
  copies.landed(change);
  const text = (entry: Lease | undefined): string =>
    entry === undefined ? 'gone' : `${entry.mac} ${entry.state} +${(entry.expiresAtMs - NOW) / 1000}`;
  return Object.fromEntries([...change].map(([address, entry]) => [address, text(entry)]));
}

describe('copies of leases', () => {
  it('last an eighth longer than their leases, so that a boot of four exchanges is one write', () => {
    const copies = new LeaseCopies([]);
    copies.hear(lease('10.77.0.100'));
    expect(written(copies)).toEqual({ '10.77.0.100': `${MAC} bound +900` });
    for (const afterMs of [1_000, 20_000, 100_000])
      copies.hear(lease('10.77.0.100', { sinceMs: NOW + afterMs }));
    expect(written(copies)).toEqual({});
    copies.hear(lease('10.77.0.100', { sinceMs: NOW + 100_001 }));
    expect(written(copies)).toEqual({ '10.77.0.100': `${MAC} bound +1000.001` });
  });

  it('go with a release, and with the address that a machine has left', () => {
    const copies = new LeaseCopies([lease('10.77.0.100'), lease('10.77.0.101', { mac: OTHER_MAC })]);
    copies.hear(lease('10.77.0.100', { state: 'released' }));
    copies.hear(lease('10.77.0.105', { mac: OTHER_MAC }));
    expect(written(copies)).toEqual({
      '10.77.0.100': 'gone',
      '10.77.0.101': 'gone',
      '10.77.0.105': `${OTHER_MAC} bound +900`,
    });
  });

  it('never drop what somebody else has by now', () => {
    const copies = new LeaseCopies([lease('10.77.0.100')]);
    copies.hear(lease('10.77.0.100', { mac: OTHER_MAC }));
    copies.hear(lease('10.77.0.101'));
    expect(written(copies)).toEqual({
      '10.77.0.100': `${OTHER_MAC} bound +900`,
      '10.77.0.101': `${MAC} bound +900`,
    });
  });

  it('keep a quarantine beside the next address of its finder', () => {
    const copies = new LeaseCopies([lease('10.77.0.100')]);
    copies.hear(lease('10.77.0.100', { state: 'declined' }));
    copies.hear(lease('10.77.0.101'));
    expect(Object.keys(written(copies))).toEqual(['10.77.0.100', '10.77.0.101']);
  });

  it('are no business of offers', () => {
    const copies = new LeaseCopies([]);
    copies.hear(lease('10.77.0.100', { state: 'offered' }));
    expect(copies.waiting).toBe(0);
  });

  it('that could not be written wait again, unless the lease has changed meanwhile', () => {
    const copies = new LeaseCopies([]);
    copies.hear(lease('10.77.0.100'));
    copies.hear(lease('10.77.0.101', { mac: OTHER_MAC }));
    const failed = copies.take(100);
    copies.hear(lease('10.77.0.101', { mac: OTHER_MAC, state: 'released' }));
    copies.putBack(failed);
    expect(written(copies)).toEqual({ '10.77.0.101': 'gone', '10.77.0.100': `${MAC} bound +900` });
  });

  it('leave in batches, the oldest first', () => {
    const copies = new LeaseCopies([]);
    copies.hear(lease('10.77.0.100'));
    copies.hear(lease('10.77.0.101', { mac: OTHER_MAC }));
    expect([...copies.take(1).keys()]).toEqual(['10.77.0.100']);
    expect([...copies.take(1).keys()]).toEqual(['10.77.0.101']);
    expect(copies.waiting).toBe(0);
  });
});
