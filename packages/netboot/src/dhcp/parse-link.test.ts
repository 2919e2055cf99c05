import { LAB } from './fixtures/lab';
import { parseDhcpLink } from './parse-link';

function problemsOf(raw: unknown): string[] {
  const parsed = parseDhcpLink(raw);
  return parsed.kind === 'problems' ? parsed.problems.map(({ path, problem }) => `${path}: ${problem}`) : [];
}

const without = (field: string): unknown =>
  Object.fromEntries(Object.entries(LAB).filter(([key]) => key !== field));

describe('parseDhcpLink', () => {
  it('takes a right link as it is, with MACs in their canonical form', () => {
    expect(parseDhcpLink(LAB)).toEqual({ kind: 'link', link: LAB });
    const pasted = { ...LAB, reservations: [{ mac: '5254.0000.0009', address: '10.77.0.9' }] };
    expect(parseDhcpLink(pasted)).toMatchObject({ link: { reservations: [{ mac: '52:54:00:00:00:09' }] } });
  });

  it('takes a link without pool, router, domain and HTTP loaders', () => {
    const {
      name,
      serverAddress,
      subnet,
      dnsServers,
      leaseSeconds,
      offerSeconds,
      relays,
      ports,
      unknownClients,
    } = LAB;
    const { nextServer, scriptUrl } = LAB.boot;
    const least = {
      ...{
        name,
        serverAddress,
        subnet,
        dnsServers,
        leaseSeconds,
        offerSeconds,
        relays,
        ports,
        unknownClients,
      },
      ...{ reservations: [], boot: { nextServer, scriptUrl, loaders: {} } },
    };
    expect(problemsOf(least)).toEqual([]);
  });

  it('takes every mode, and a proxy without pool and reservations', () => {
    for (const mode of ['server', 'observe']) expect(problemsOf({ ...LAB, mode })).toEqual([]);
    const { pool: _pool, ...rest } = LAB;
    expect(problemsOf({ ...rest, mode: 'proxy', reservations: [], knownServers: ['10.77.0.3'] })).toEqual([]);
    expect(problemsOf({ ...LAB, mode: 'proxy' })).toEqual([
      expect.stringMatching(/^pool: must be left out in mode "proxy"/),
      expect.stringMatching(/^reservations: must be left out in mode "proxy"/),
    ]);
  });

  it.each<[string, object, RegExp]>([
    ['a mode that is none', { mode: 'external' }, /^mode: must be one of server, proxy, observe/],
    ['known servers that are none', { knownServers: ['x'] }, /^knownServers\[0\]: must be an IPv4 address/],
    [
      'pool outside of the subnet',
      { router: '10.77.0.2', pool: { first: '10.77.0.100', last: '10.77.1.10' } },
      /^pool\.last: is outside of the subnet.*10\.77\.0\.0\/24/,
    ],
    ['pool upside down', { pool: { first: '10.77.0.110', last: '10.77.0.100' } }, /^pool\.last: lies before/],
    [
      'own address in the pool',
      { serverAddress: '10.77.0.105' },
      /^pool: contains serverAddress 10\.77\.0\.105/,
    ],
    [
      'our own address as the partner',
      { partnerAddress: '10.77.0.1' },
      /^partnerAddress: is serverAddress; name the address of the other daemon/,
    ],
    ['a partner elsewhere', { partnerAddress: '192.0.2.1' }, /^partnerAddress: is outside of the subnet/],
    ['the partner in the pool', { partnerAddress: '10.77.0.105' }, /^pool: contains partnerAddress/],
    ['router in the pool', { router: '10.77.0.105' }, /^pool: contains router/],
    [
      'pool with the broadcast address',
      { router: '10.77.0.2', pool: { first: '10.77.0.100', last: '10.77.0.255' } },
      /^pool\.last: /,
    ],
    [
      'pool that is too large',
      { subnet: '10.0.0.0/8', pool: { first: '10.80.0.0', last: '10.81.0.0' } },
      /^pool: has more than 65536/,
    ],
    ['unknown field', { mtu: 1500 }, /^mtu: is unknown; the fields are /],
    [
      'unknown field of the pool',
      { pool: { first: '10.77.0.100', last: '10.77.0.110', size: 3 } },
      /^pool\.size: is unknown/,
    ],
    ['host bits in the subnet', { subnet: '10.77.0.1/24' }, /^subnet: must be a network/],
    ['subnet without hosts', { subnet: '10.77.0.0/31' }, /^subnet: /],
    ['server outside of the subnet', { serverAddress: '10.78.0.1' }, /^serverAddress: is outside/],
    ['leading zeros', { serverAddress: '10.77.0.01' }, /^serverAddress: must be an IPv4 address/],
    ['lease of no length', { leaseSeconds: 0 }, /^leaseSeconds: must be a whole number from 1 /],
    ['a text for a number', { offerSeconds: '30' }, /^offerSeconds: must be a whole number/],
    ['a name server that is a name', { dnsServers: ['dns.example'] }, /^dnsServers\[0\]: must be an IPv4/],
    ['a relay that is none', { relays: '10.77.0.200' }, /^relays: must be a list/],
    [
      'more name servers than fit into an option',
      { dnsServers: Array.from({ length: 64 }, () => '10.77.0.53') },
      /^dnsServers: must have at most 63/,
    ],
    ['a domain with a space', { domain: 'lab example' }, /^domain: /],
    [
      'a policy that does not exist',
      { unknownClients: 'deny' },
      /^unknownClients: must be "lease" or "ignore"/,
    ],
    [
      'client port 0',
      { ports: { server: 67, client: 0, relay: 67 } },
      /^ports\.client: must be a whole number from 1/,
    ],
    [
      'a script that is no URL',
      { boot: { ...LAB.boot, scriptUrl: 'menu.ipxe' } },
      /^boot\.scriptUrl: must be an http/,
    ],
    [
      'a script with a line break',
      { boot: { ...LAB.boot, scriptUrl: 'http://10.77.0.1/a\nb' } },
      /^boot\.scriptUrl: /,
    ],
    [
      'a loader for what does not exist',
      { boot: { ...LAB.boot, loaders: { mips: 'x' } } },
      /^boot\.loaders\.mips: is unknown; the fields are bios, ia32, x64, arm32, arm64, riscv32/,
    ],
    [
      'a loader name that does not fit',
      { boot: { ...LAB.boot, loaders: { bios: 'x'.repeat(128) } } },
      /^boot\.loaders\.bios: .*127/,
    ],
    [
      'an HTTP loader that is a file name',
      { boot: { ...LAB.boot, httpLoaders: { x64: 'ipxe.efi' } } },
      /^boot\.httpLoaders\.x64: must be an http/,
    ],
  ])('refuses %s', (_, change, expected) => {
    const problems = problemsOf({ ...LAB, ...change });
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(expected);
  });

  it('names both places of a double reservation, and refuses own addresses', () => {
    const reservations = [
      { mac: '52:54:00:00:00:09', address: '10.77.0.9' },
      { mac: '52-54-00-00-00-09', address: '10.77.0.10' },
      { mac: '52:54:00:00:00:0a', address: '10.77.0.9', hostname: '-x-' },
      { mac: '01:00:5e:00:00:01', address: '10.77.0.1' },
      'node-1',
    ];
    expect(problemsOf({ ...LAB, reservations })).toEqual([
      'reservations[1].mac: is reserved already by reservations[0].mac',
      'reservations[2].address: is reserved already by reservations[0].address',
      expect.stringMatching(/^reservations\[2\]\.hostname: must be a host name/),
      expect.stringMatching(/^reservations\[3\]\.mac: must be a unicast MAC/),
      'reservations[3].address: is serverAddress; reserve another address',
      expect.stringMatching(/^reservations\[4\]: must be/),
    ]);
  });

  it('reports everything at once, whatever it is given', () => {
    expect(problemsOf({}).map((line) => line.split(':')[0])).toEqual([
      ...[
        'name',
        'subnet',
        'serverAddress',
        'dnsServers',
        'relays',
        'leaseSeconds',
        'offerSeconds',
        'reservations',
      ],
      ...['ports', 'boot', 'unknownClients'],
    ]);
    for (const raw of [undefined, null, 7, 'link', []])
      expect(problemsOf(raw)).toEqual(['link: must be an object']);
    expect(problemsOf(without('boot'))).toHaveLength(1);
  });
});
