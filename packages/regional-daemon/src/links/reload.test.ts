import { readLinkList } from '../boot/link-settings';
import type { LinkSettings } from '../boot/link-settings';
import { daemonLinks } from './daemon-links';
import { planReload } from './reload';
import type { ReloadPlan } from './reload';

function read(...raw: readonly object[]): readonly LinkSettings[] {
  const result = readLinkList(raw);
  if ('problems' in result) throw new Error(result.problems.join('\n'));
  return result.value;
}

const A = { name: 'a', interface: 'eth1', subnet: '10.1.0.0/24' };
const B = { name: 'b', interface: 'eth2', subnet: '10.2.0.0/24', service_address: '10.2.0.1' };

function plan(
  before: readonly object[],
  behind: readonly object[],
  next: Record<string, unknown> = {},
): ReloadPlan {
  return planReload({
    ...{
      settings: { http_port: 80 },
      nextSettings: { http_port: 80, ...next },
      own: { serviceAddress: '10.1.0.1' },
    },
    links: daemonLinks(read(...before), { serviceAddress: '10.1.0.1' }),
    nextLinks: read(...behind),
  });
}

describe('a reload', () => {
  it('of the same changes nothing', () => {
    expect(plan([A, B], [A, B])).toEqual({ changed: [], needRestart: [] });
  });

  it('changes live what is read for each packet, on its link only', () => {
    const now = {
      ...B,
      pool: { first: '10.2.0.5', last: '10.2.0.9' },
      unknown_clients: 'ignore',
      mode: 'observe',
    };
    const { links, changed, needRestart } = plan([A, B], [A, now]);
    expect(changed).toEqual(['dhcp_links[1].mode', 'dhcp_links[1].unknown_clients', 'dhcp_links[1].pool']);
    expect(needRestart).toEqual([]);
    expect(links?.map(({ settings }) => settings)).toEqual(read(A, now));
  });

  it('takes back what is no longer said', () => {
    const { links } = plan([{ ...A, router: '10.1.0.2' }], [A]);
    expect(links?.[0]?.settings).toEqual(read(A)[0]);
  });

  it('waits as a whole where the live half makes no sense without the rest', () => {
    const now = { ...A, subnet: '10.9.0.0/24', pool: { first: '10.9.0.5', last: '10.9.0.9' } };
    const moved = { ...now, service_address: '10.9.0.1', lease_seconds: 60 };
    expect(plan([A, B], [moved, { ...B, router: '10.2.0.254' }])).toEqual({
      changed: [],
      needRestart: [
        'dhcp_links[0].subnet',
        'dhcp_links[0].service_address',
        'dhcp_links[0].lease_seconds',
        'dhcp_links[0].pool',
        'dhcp_links[1].router',
      ],
    });
  });

  it('does the live half at once, and names the rest', () => {
    const now = { ...A, subnet: '10.1.0.0/25', lease_seconds: 60 };
    const { links, changed, needRestart } = plan([A, B], [now, B], { http_port: 8080 });
    expect([changed, needRestart]).toEqual([
      ['dhcp_links[0].lease_seconds'],
      ['http_port', 'dhcp_links[0].subnet'],
    ]);
    expect(links?.[0]?.settings).toMatchObject({ subnet: '10.1.0.0/24', lease_seconds: 60 });
  });

  it.each<[string, object, object]>([
    [
      'to a mode that needs another port',
      { ports: { server: 1067 } },
      { ports: { server: 1067 }, mode: 'proxy' },
    ],
    ['to external', {}, { mode: 'external' }],
    ['from external', { mode: 'external' }, {}],
  ])('%s waits for a restart', (_what, before, behind) => {
    expect(plan([{ ...A, ...before }], [{ ...A, ...behind }])).toEqual({
      changed: [],
      needRestart: ['dhcp_links[0].mode'],
    });
  });

  it.each([[[A]], [[B, A]], [[A, B, { name: 'c', subnet: '10.3.0.0/24', relays: ['10.3.0.1'] }]]])(
    'with other links waits for a restart',
    (behind) => {
      expect(plan([A, B], behind)).toEqual({
        changed: [],
        needRestart: ['dhcp_links (links come, go or change places)'],
      });
    },
  );
});
