import { ipv6RouterFinding, listensToRouters } from './ipv6-check';

const ZERO = '0'.repeat(32);
const route = (length: string, flags: string, device: string): string =>
  `${ZERO} ${length} ${ZERO} 00 fe800000000000000000000000000001 00000400 00000001 00000000 ${flags}     ${device}`;
const LINK_LOCAL = `fe800000000000000000000000000000 40 ${ZERO} 00 ${ZERO} 00000100 00000002 00000000 00000001     eth1`;

describe('an IPv6 router', () => {
  it('is there when the kernel has a default route by its announcement', () => {
    const routes = [LINK_LOCAL, route('00', '00450003', 'eth1')].join('\n');
    expect(ipv6RouterFinding('eth1', { routes, listens: true })).toMatchObject({ verdict: 'ok' });
  });

  it.each([
    ['a route of another interface', route('00', '00450003', 'eth2')],
    ['a default route that somebody set by hand', route('00', '00000003', 'eth1')],
    ['a route to a network', route('40', '00450001', 'eth1')],
    ['no line at all', ''],
  ])('is not shown by %s', (_what, line) => {
    const { verdict, finding } = ipv6RouterFinding('eth1', {
      routes: `${LINK_LOCAL}\n${line}`,
      listens: true,
    });
    expect([verdict, finding]).toEqual([
      'info',
      expect.stringContaining('none has announced itself on eth1'),
    ]);
    expect(finding).toContain('"ipv6_router": "none"');
  });

  it('is unknown to a host that does not listen, or has no IPv6', () => {
    expect(ipv6RouterFinding('eth1', { routes: LINK_LOCAL, listens: false }).finding).toContain(
      'cannot tell',
    );
    expect(ipv6RouterFinding('eth1', { listens: true }).finding).toContain('has no IPv6');
  });

  it.each([
    ['1', '0', true],
    ['1', '1', false],
    ['2', '1', true],
    ['0', '0', false],
    [undefined, undefined, false],
  ])('accept_ra %s, forwarding %s: listens %s', (acceptRa, forwarding, listens) => {
    expect(listensToRouters(acceptRa, forwarding)).toBe(listens);
  });
});
