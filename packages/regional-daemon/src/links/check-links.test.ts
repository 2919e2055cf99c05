import { readLinkList } from '../boot/link-settings';
import type { HostFacts } from './check-links';
import { checkLinkHost, checkLinkSettings } from './check-links';
import type { DaemonLink } from './daemon-links';
import { daemonLinks, partnerBeside } from './daemon-links';

const OURS = '10.1.0.1';

function linksOf(...raw: readonly object[]): readonly DaemonLink[] {
  const read = readLinkList(raw);
  if ('problems' in read) throw new Error(read.problems.join('\n'));
  return daemonLinks(read.value, { serviceAddress: OURS });
}

const A = { name: 'a', interface: 'eth1', subnet: '10.1.0.0/24' };
const B = { name: 'b', interface: 'eth2', subnet: '10.2.0.0/24', service_address: '10.2.0.1' };
const MAC = '00:1a:2b:3c:4d:5e';

const said = (problems: readonly { path: string; problem: string }[]): readonly string[] =>
  problems.map(({ path, problem }) => `${path} ${problem}`);
const settingsOf = (...raw: readonly object[]): readonly string[] => said(checkLinkSettings(linksOf(...raw)));

describe('links by their settings', () => {
  it('are right as they should be', () => {
    const far = { name: 'far', subnet: '10.3.0.0/24', relays: ['10.3.0.1'], router: '10.3.0.1' };
    const external = {
      name: 'x',
      interface: 'eth3',
      subnet: '10.4.0.0/24',
      mode: 'external',
      service_address: '10.4.0.1',
    };
    expect(settingsOf(A, B, far, external)).toEqual([]);
    expect(settingsOf({ subnet: '10.1.0.0/24' })).toEqual([]);
  });

  it('have a partner each or none', () => {
    const partner = { partner_address: '10.1.0.2' };
    expect(settingsOf({ ...A, ...partner }, { ...B, partner_address: '10.2.0.2' })).toEqual([]);
    expect(settingsOf({ ...A, ...partner }, B)).toEqual([
      'dhcp_links[1].partner_address is required where other links have one: name the address of the other daemon on this link',
    ]);
    expect(settingsOf({ ...A, partner_address: OURS }, { ...B, partner_address: 'x' })).toEqual([
      'dhcp_links[0].partner_address is service_address; name the address of the other daemon',
      'dhcp_links[1].partner_address must be an IPv4 address such as 10.77.0.1',
    ]);
  });

  it('have the daemon’s partner where they have its address', () => {
    const read = readLinkList([A, B]);
    if ('problems' in read) throw new Error(read.problems.join('\n'));
    const own = { serviceAddress: OURS, partnerAddress: '10.1.0.2' };
    const links = daemonLinks(read.value, own);
    expect(links.map(({ partnerAddress }) => partnerAddress)).toEqual(['10.1.0.2', undefined]);
    expect([OURS, '10.2.0.1'].map((address) => partnerBeside(links, own, address))).toEqual([
      '10.1.0.2',
      undefined,
    ]);
    expect(partnerBeside([], own, OURS)).toBe('10.1.0.2');
  });

  it('without an IPv6 router are links that we hear on an interface', () => {
    const none = { ipv6_router: 'none' };
    expect(settingsOf({ ...A, ...none }, { ...B, ...none, mode: 'proxy' })).toEqual([]);
    expect(settingsOf({ subnet: '10.1.0.0/24', ...none })).toEqual([
      'dhcp_links[0].ipv6_router needs interface; name it',
    ]);
    expect(settingsOf({ ...A, ...none, mode: 'external' })).toEqual([
      'dhcp_links[0].ipv6_router makes no sense in mode "external"; leave it out',
    ]);
  });

  it('say every problem at once, in the operator’s words', () => {
    const problems = settingsOf(
      {
        ...A,
        pool: { first: '10.9.0.1', last: '10.1.0.9' },
        dns_servers: ['x'],
        reservations: [{ mac: MAC, address: '10.1.0.7' }],
      },
      {
        ...B,
        name: 'a',
        interface: 'eth1',
        subnet: '10.1.0.128/25',
        reservations: [{ mac: MAC, address: '10.2.0.7' }],
      },
      { name: 'c', subnet: '10.3.0.0/24', lease_seconds: 1e9 },
    );
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'dhcp_links[0].dns_servers[0]',
      'dhcp_links[0].pool.first',
      'dhcp_links[0].pool.last',
      'dhcp_links[1].service_address',
      'dhcp_links[1].reservations[0].address',
      'dhcp_links[2].lease_seconds',
      'dhcp_links[2].interface',
      'dhcp_links[1].name',
      'dhcp_links[1].interface',
      'dhcp_links[1].subnet',
      'dhcp_links[1].reservations[0].mac',
    ]);
    expect(problems).toContain(
      `dhcp_links[1].reservations[0].mac is reserved already by dhcp_links[0].reservations[0].mac; a machine has one address`,
    );
    expect(problems.join('\n')).not.toMatch(/serverAddress|dnsServers|leaseSeconds/);
  });

  it('let nobody think that an external link leases', () => {
    const [problem] = settingsOf({ ...A, mode: 'external', pool: { first: '10.1.0.5', last: '10.1.0.9' } });
    expect(problem).toMatch(/^dhcp_links\[0\]\.pool must be left out in mode "external"/);
  });
});

describe('links on their host', () => {
  const HOST: HostFacts = {
    interfaces: new Map([
      ['lo', ['127.0.0.1']],
      ['eth1', [OURS]],
      ['eth2', ['10.2.0.254', '10.2.0.1']],
      ['eth3', []],
    ]),
    refusals: [],
    passed: [],
  };
  const hostOf = (host: Partial<HostFacts>, ...raw: readonly object[]): readonly string[] =>
    said(checkLinkHost(linksOf(...raw), OURS, { ...HOST, ...host }));

  it('are right on a host that has all', () => {
    expect(hostOf({}, A, B)).toEqual([]);
  });

  it('need an interface that is there, and are told which are', () => {
    expect(hostOf({}, { ...A, interface: 'eth9' })).toEqual([
      'dhcp_links[0].interface eth9 is not there; this host has lo, eth1, eth2, eth3',
    ]);
  });

  it('need their address on the host, and on their own interface', () => {
    const problems = hostOf({}, { ...A, service_address: '10.1.0.99' }, { ...B, interface: 'eth3' });
    expect(problems[0]).toMatch(
      /^dhcp_links\[0\]\.service_address 10\.1\.0\.99 is no address of this host;.*10\.1\.0\.1 \(eth1\)/,
    );
    expect(problems[1]).toMatch(
      /^dhcp_links\[1\]\.service_address 10\.2\.0\.1 is on eth2, and eth3 has no IPv4 address/,
    );
  });

  it('say once that the daemon’s own address is not there', () => {
    const interfaces = new Map([['eth1', ['10.1.0.2']]]);
    expect(hostOf({ interfaces }, { name: 'a', subnet: '10.1.0.0/24' })).toEqual([
      expect.stringMatching(/^service_address 10\.1\.0\.1 is no address of this host/),
    ]);
  });

  it('answer from the first address of the interface when the socket was passed in', () => {
    const passed = [{ fd: 3, name: 'lpmos-eth2', transport: 'udp', address: '0.0.0.0', port: 67 }] as const;
    expect(hostOf({ passed }, A, B)).toEqual([
      expect.stringMatching(
        /^dhcp_links\[1\]\.service_address must be 10\.2\.0\.254, the first address of eth2/,
      ),
    ]);
  });

  it('know every socket that was passed in', () => {
    const passed = [{ fd: 3, name: 'dhcp.socket', transport: 'udp', address: '0.0.0.0', port: 67 }] as const;
    expect(hostOf({ passed }, A)).toEqual([
      expect.stringMatching(/a socket named "dhcp\.socket" .* FileDescriptorName= must be lpmos-eth1/),
    ]);
  });

  it('pass on what the kernel refused', () => {
    const refusals = [{ path: 'tftp_port', problem: 'TFTP cannot have it' }];
    expect(hostOf({ refusals }, A)).toEqual(['tftp_port TFTP cannot have it']);
  });
});
