import { EXAMPLE_MAC, EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import type { BootEvent } from '@lpmos/netboot';
import { readLinkList } from '../boot/link-settings';
import { daemonLinks } from './daemon-links';
import { routerlessDevices, waitsForRouter } from './router-notices';

const ANSWERED: BootEvent = {
  protocol: 'dhcp',
  mac: EXAMPLE_MAC,
  peer: '0.0.0.0',
  request: 'DHCPDISCOVER',
  stage: 'ipxe',
  decision: { kind: 'agent', purpose: 'report', taskId: EXAMPLE_TASK_ID, reason: 'ready' },
  outcome: 'answered',
  reason: 'DHCPOFFER 10.77.0.5',
};

describe('who is told that there is no router', () => {
  it('is the machine of ours whose iPXE was answered', () => {
    expect(waitsForRouter(ANSWERED)).toBe(EXAMPLE_MAC);
    const disk = { kind: 'local-disk', reason: 'the task is completed' } as const;
    expect(waitsForRouter({ ...ANSWERED, decision: disk })).toBe(EXAMPLE_MAC);
  });

  it.each<[string, Partial<BootEvent>]>([
    ['firmware', { stage: 'firmware' }],
    ['an installed system', { stage: 'os' }],
    ['a stranger with a plain lease', { decision: { kind: 'silent', reason: 'no task' } }],
    ['somebody that we only observe', { outcome: 'ignored' }],
    ['somebody who was refused', { outcome: 'refused' }],
  ])('is not %s', (_who, change) => {
    expect(waitsForRouter({ ...ANSWERED, ...change })).toBeUndefined();
  });
});

it('the links without a router are those that say so, by their interfaces', () => {
  const read = readLinkList([
    { name: 'a', interface: 'eth1', subnet: '10.1.0.0/24', ipv6_router: 'none' },
    { name: 'b', interface: 'eth2', subnet: '10.2.0.0/24' },
    { name: 'c', interface: 'eth3', subnet: '10.3.0.0/24', mode: 'proxy', ipv6_router: 'none' },
  ]);
  if ('problems' in read) throw new Error(read.problems.join('\n'));
  expect(routerlessDevices(daemonLinks(read.value, { serviceAddress: '10.1.0.1' }))).toEqual([
    { device: 'eth1', path: 'dhcp_links[0].ipv6_router' },
    { device: 'eth3', path: 'dhcp_links[2].ipv6_router' },
  ]);
});
