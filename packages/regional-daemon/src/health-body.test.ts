import { healthBody } from './health-body';
import type { HealthFacts } from './health-body';

const WELL: HealthFacts = {
  ...{ regionId: 'dc1', nodeName: 'n1', version: '1', etcdSilentForMs: 5, tasksRead: true, agents: 0 },
  ...{ leadership: 'leading', leader: 'n1', lastHeartbeat: undefined, problems: [], notices: [] },
  services: { dhcp: 'running', tftp: 'running', http: 'running', agent: 'running' },
};

describe('GET /health', () => {
  it('has the fields of the seed', () => {
    expect(healthBody(WELL)).toMatchObject({
      healthy: true,
      body: { status: 'healthy', region_id: 'dc1', etcd_connected: true, services: { dhcp: 'running' } },
    });
  });

  it.each<[string, Partial<HealthFacts>]>([
    ['etcd is silent', { etcdSilentForMs: 30_000 }],
    ['the tasks were never read', { tasksRead: false }],
    ['nobody is elected', { leadership: 'campaigning' }],
    ['the leadership is lost', { leadership: 'cut off' }],
    ['something is missing', { problems: ['no ramdisk'] }],
    ['a service failed', { services: { ...WELL.services, tftp: 'failed: EADDRINUSE' } }],
    ['DHCP should run and does not', { services: { ...WELL.services, dhcp: 'stopped' } }],
  ])('is degraded while %s', (_what, changes) => {
    expect(healthBody({ ...WELL, ...changes })).toMatchObject({
      healthy: false,
      body: { status: 'degraded' },
    });
  });

  it.each<[string, Partial<HealthFacts>]>([
    ['DHCP is somebody else’s', { services: { ...WELL.services, dhcp: 'off' } }],
    ['something is to be known', { notices: ['link c: the other server must name us'] }],
    ['it stands by', { leadership: 'standby', services: { ...WELL.services, dhcp: 'stopped' } }],
  ])('is well while %s', (_what, changes) => {
    expect(healthBody({ ...WELL, ...changes }).healthy).toBe(true);
  });
});
