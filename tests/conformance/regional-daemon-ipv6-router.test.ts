/**
 * What a daemon tells machines of a link without an IPv6 router, on real wires: who is told is counted by the kernels of the machines, which also
 * judge the message (who sends one with a wrong hop limit or checksum is no router to them). That iPXE stops waiting is seen in tests/e2e, in seconds.
 */
import { readFileSync } from 'node:fs';
import { itWhen } from '../integration/harness/it-when';
import { missingClient } from './harness/netboot-foreign-clients';
import { missingNamespaces } from './harness/namespace-pair';
import { LinksLab, removeLinksPrograms } from './harness/region-links-lab';
import type { Place } from './harness/region-links-lab';

const missing = missingNamespaces('udhcpc', 'perl') ?? missingClient('etcd', 'etcd-server');
const test = itWhen(missing);
afterAll(removeLinksPrograms);

/** What iPXE says it is. */
const IPXE = ['-V', 'PXEClient:Arch:00007:UNDI:003016', '-x', '0x5d:0007', '-x', '0xaf:130101240101'];

function links(lab: LinksLab) {
  return [
    ['a', '10.81.1'],
    ['b', '10.81.2'],
  ].map(([name, net]) => ({
    name,
    interface: lab.device(name as 'a' | 'b'),
    service_address: `${net}.1`,
    subnet: `${net}.0/24`,
    pool: { first: `${net}.100`, last: `${net}.150` },
    ipv6_router: 'none',
  }));
}

describe('a link without an IPv6 router', () => {
  let lab: LinksLab;
  const counted = (place: Place, name: string): number =>
    Number(new RegExp(`^${name}\\s+(\\d+)$`, 'm').exec(lab.run(place, 'cat', '/proc/net/snmp6'))?.[1]);
  const told = (place: Place): number => counted(place, 'Icmp6InRouterAdvertisements');
  const settled = (place: Place, device: string): boolean =>
    lab
      .run(place, 'ip', '-6', 'addr', 'show', 'dev', device, 'scope', 'link', '-tentative')
      .includes('fe80::');
  const helpers = (): readonly string[] => {
    const pids = readFileSync(`/proc/${lab.daemonPid}/task/${lab.daemonPid}/children`, 'latin1').trim();
    return pids.split(' ').filter((pid) => pid !== '');
  };

  beforeAll(async () => {
    if (missing !== undefined) return;
    lab = await LinksLab.open({ config: (of) => ({ dhcp_links: links(of) }), tasksFor: ['a'] });
    await lab.until('addresses of IPv6 are in use', () =>
      (['a', 'b'] as const).every((name) => settled(name, 'eth0') && settled('region', lab.device(name))),
    );
  }, 120_000);
  afterAll(async () => lab?.close(), 60_000);

  test('is told to a machine of ours that iPXE has just asked for, with each of its answers', async () => {
    const before = lab.run('a', 'ip', '-6', 'route');
    await lab.lease('a', ...IPXE);
    await lab.until('two advertisements arrived', () => told('a') === 2);
    expect(counted('a', 'Icmp6InErrors')).toBe(0);
    await lab.until('the kernel took one in', () =>
      / lladdr \S+ router /.test(lab.run('a', 'ip', '-6', 'neigh', 'show', 'dev', 'eth0')),
    );
    // Nothing else follows from it: no default route, no prefix.
    expect(lab.run('a', 'ip', '-6', 'route')).toBe(before);
  }, 60_000);

  test('is told to nobody else: not to others on the wire, not to strangers, not to an installed system', async () => {
    const before = told('a');
    await lab.lease('b', ...IPXE);
    await lab.lease('a');
    // Notices leave in order, so whoever should not have had one would have it before this.
    await lab.lease('a', ...IPXE);
    await lab.until('the next two arrived', () => told('a') >= before + 2);
    expect([told('a') - before, told('b'), told('relay')]).toEqual([2, 0, 0]);
  }, 60_000);

  test('is told again after the end of the helper that sends, and DHCP does not notice', async () => {
    const [helper] = helpers();
    process.kill(Number(helper), 'SIGKILL');
    await lab.until('its end is said', () =>
      lab.lines.some((line) => line.includes('the helper that sends router advertisements ended')),
    );
    const before = told('a');
    const deadline = performance.now() + 60_000;
    while (told('a') === before && performance.now() < deadline) {
      const lease = await lab.lease('a', ...IPXE);
      expect(lease.get('serverid')).toBe('10.81.1.1');
    }
    expect(told('a')).toBeGreaterThan(before);
    expect(helpers()).not.toContain(helper);
  }, 120_000);
});
