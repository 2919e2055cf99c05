import { readLinkList } from './link-settings';

const problemsOf = (value: unknown): readonly string[] => {
  const result = readLinkList(value);
  return 'problems' in result ? result.problems : [];
};

describe('the settings of the links', () => {
  it('need no more than a subnet for one link', () => {
    expect(readLinkList([{ subnet: '10.77.0.0/24', ports: { server: 0 } }])).toEqual({
      value: [
        expect.objectContaining({
          name: 'boot',
          mode: 'server',
          subnet: '10.77.0.0/24',
          lease_seconds: 3600,
          unknown_clients: 'lease',
          ports: { server: 0, client: 68, relay: 67 },
        }) as unknown,
      ],
    });
  });

  it('report every problem of every link at once, each with its place', () => {
    const problems = problemsOf([
      { lease_seconds: 0, offer_seconds: '9', relays: 'x', subnett: 'a', mode: 'dhcp', ports: 67 },
      { name: 'a b', subnet: '10.0.0.0/8', interface: '../eth0', ports: { proxy: 70_000 } },
      null,
    ]);
    expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
      'dhcp_links[0].subnett',
      'dhcp_links[0].subnet',
      'dhcp_links[0].name',
      'dhcp_links[0].mode',
      'dhcp_links[0].lease_seconds',
      'dhcp_links[0].offer_seconds',
      'dhcp_links[0].relays',
      'dhcp_links[0].ports',
      'dhcp_links[1].name',
      'dhcp_links[1].interface',
      'dhcp_links[1].ports.proxy',
      'dhcp_links[2]',
    ]);
  });

  it('may choose what UEFI machines load, among what there is', () => {
    const link = { subnet: '10.77.0.0/24', uefi_chain: 'grub' };
    expect(readLinkList([link])).toMatchObject({ value: [{ uefi_chain: 'grub' }] });
    expect(problemsOf([{ ...link, uefi_chain: 'shim' }])).toEqual([
      'dhcp_links[0].uefi_chain must be one of ipxe, grub',
    ]);
  });

  it('may say that there is no IPv6 router, and nothing else of it', () => {
    const link = { subnet: '10.77.0.0/24', interface: 'eth1', ipv6_router: 'none' };
    expect(readLinkList([link])).toMatchObject({ value: [{ ipv6_router: 'none' }] });
    expect(problemsOf([{ ...link, ipv6_router: 'fe80::1' }])).toEqual([
      'dhcp_links[0].ipv6_router must be none, or be left out',
    ]);
  });

  it('require a name as soon as there are two links', () => {
    const [one, two] = [{ subnet: '10.1.0.0/24' }, { subnet: '10.2.0.0/24', name: 'b' }];
    expect(problemsOf([one, two])).toEqual(['dhcp_links[0].name is required where there are several links']);
  });

  it.each([null, 'text', 7, { subnet: '10.77.0.0/24' }])('are a list, not %j', (value) => {
    expect(problemsOf(value)).toEqual([expect.stringMatching(/^must be a list of links/)]);
  });

  it('are no empty list, and no list without end', () => {
    expect(problemsOf([])).toEqual([expect.stringMatching(/^must have at least one link/)]);
    expect(problemsOf(Array.from({ length: 257 }, () => ({})))).toEqual(['has 257 links; at most 256']);
  });
});
