import { readLinkSettings } from './link-settings';

const problemsOf = (value: unknown): readonly string[] => {
  const result = readLinkSettings(value);
  return 'problems' in result ? result.problems : [];
};

describe('the settings of the link', () => {
  it('need no more than a subnet', () => {
    expect(readLinkSettings({ subnet: '10.77.0.0/24' })).toEqual({
      value: expect.objectContaining({
        subnet: '10.77.0.0/24',
        lease_seconds: 3600,
        unknown_clients: 'lease',
        ports: { server: 67, client: 68, relay: 67 },
      }) as unknown,
    });
  });

  it('report every problem at once', () => {
    const problems = problemsOf({ lease_seconds: 0, offer_seconds: '9', relays: 'x', subnett: 'a' });
    expect(problems).toHaveLength(5);
    for (const name of ['subnett', 'subnet is', 'lease_seconds', 'offer_seconds', 'relays']) {
      expect(problems.join('\n')).toContain(name);
    }
  });

  it.each([null, 'text', 7, []])('are a mapping, not %j', (value) => {
    expect(problemsOf(value)).toEqual(['must be a mapping with at least subnet']);
  });
});
