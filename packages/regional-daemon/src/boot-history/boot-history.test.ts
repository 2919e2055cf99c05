import type { BootDecision, MacAddress } from '@lpmos/core';
import { EXAMPLE_MAC, EXAMPLE_TASK_ID } from '@lpmos/core/testing';
import type { BootEvent } from '@lpmos/netboot';
import { testClock } from '../testing/region-fixtures';
import { createBootHistory } from './boot-history';
import type { HistoryLimits } from './boot-history';
import { addressOf, MOST_RECORDS } from './machine-log';

const AGENT: BootDecision = { kind: 'agent', purpose: 'report', taskId: EXAMPLE_TASK_ID, reason: 'ready' };
const SILENT: BootDecision = { kind: 'silent', reason: 'no task' };
const ADDRESS = '10.77.0.5';
const mac = (index: number): MacAddress =>
  `02:00:00:00:00:${index.toString(16).padStart(2, '0')}` as MacAddress;

function discover(change: Partial<BootEvent> = {}): BootEvent {
  return {
    protocol: 'dhcp',
    mac: EXAMPLE_MAC,
    peer: '0.0.0.0',
    request: 'DHCPDISCOVER',
    stage: 'firmware',
    decision: AGENT,
    outcome: 'answered',
    reason: 'DHCPOFFER 10.77.0.5, loader undionly.kpxe: ready',
    ...change,
  };
}

function history(limits: Partial<HistoryLimits> = {}) {
  const clock = testClock();
  const of = createBootHistory({
    clock,
    machineAt: (address) => (address === ADDRESS ? EXAMPLE_MAC : undefined),
    limits,
  });
  return { clock, of, records: () => of.of(EXAMPLE_MAC)?.records ?? [] };
}

it('makes one line of retries, with a count and both times', () => {
  const { clock, of, records } = history();
  for (const seconds of [4, 8, 16, 32]) {
    of.hear(discover());
    clock.advance(seconds * 1000);
  }
  expect(records()).toEqual([
    {
      first_at: '2026-01-29T10:00:00.000Z',
      last_at: '2026-01-29T10:00:28.000Z',
      count: 4,
      protocol: 'dhcp',
      stage: 'firmware',
      request: 'DHCPDISCOVER',
      decision: 'agent',
      outcome: 'answered',
      reason: 'DHCPOFFER 10.77.0.5, loader undionly.kpxe: ready',
      peer: '0.0.0.0',
    },
  ]);
});

it('joins retries that alternate, and keeps what differs apart', () => {
  const { of, records } = history();
  for (let round = 0; round < 3; round += 1) {
    of.hear(discover());
    of.hear(discover({ stage: 'ipxe' }));
  }
  of.hear(discover({ outcome: 'refused' }));
  expect(records().map(({ stage, outcome, count }) => [stage, outcome, count])).toEqual([
    ['firmware', 'answered', 3],
    ['ipxe', 'answered', 3],
    ['firmware', 'refused', 1],
  ]);
});

it('makes one line of asks that are told to wait, however many download meanwhile', () => {
  const { clock, of, records } = history();
  for (const downloads of [256, 311, 298]) {
    const reason = `${downloads} downloads run already; then ready`;
    const decision: BootDecision = { kind: 'wait', retryAfterSeconds: 10, reason };
    of.hear(discover({ protocol: 'http', request: 'GET /boot/menu.ipxe', stage: 'ipxe', decision, reason }));
    clock.advance(10_000);
  }
  expect(records()).toMatchObject([{ count: 3, reason: '298 downloads run already; then ready' }]);
});

it('keeps two boots apart, and joins what an installed system asks for days', () => {
  const { clock, of, records } = history();
  of.hear(discover());
  of.hear(discover({ stage: 'os' }));
  clock.advance(30 * 60_000);
  of.hear(discover());
  of.hear(discover({ stage: 'os' }));
  expect(records().map(({ stage, count }) => [stage, count])).toEqual([
    ['firmware', 1],
    ['os', 2],
    ['firmware', 1],
  ]);
});

it('gives TFTP and HTTP requests to the machine that has their address', () => {
  const { of, records } = history();
  of.hear({
    protocol: 'tftp',
    peer: `${ADDRESS}:2070`,
    request: 'RRQ undionly.kpxe',
    outcome: 'completed',
    reason: 'sent',
    bytes: 7,
  });
  of.hear({
    protocol: 'http',
    peer: ADDRESS,
    request: 'GET /boot/assets/agent/vmlinuz',
    outcome: 'completed',
    reason: 'sent in 12 ms',
  });
  of.hear({
    protocol: 'http',
    peer: ADDRESS,
    request: 'GET /boot/assets/agent/vmlinuz',
    outcome: 'completed',
    reason: 'sent in 31 ms',
  });
  of.hear({
    protocol: 'tftp',
    peer: '10.77.0.6:2070',
    request: 'RRQ x',
    outcome: 'refused',
    reason: 'nobody knows who',
  });
  expect(records().map(({ protocol, count, peer, bytes }) => [protocol, count, peer, bytes])).toEqual([
    ['tftp', 1, ADDRESS, 7],
    ['http', 2, ADDRESS, undefined],
  ]);
  expect(of.takeChanged({ machines: 9, strangers: 9 }).map((each) => each.mac)).toEqual([EXAMPLE_MAC]);
});

it('learns an address from a script request where another server leases, and never from 0.0.0.0', () => {
  const { of, records } = history();
  of.hear(discover());
  of.hear({ protocol: 'tftp', peer: '0.0.0.0:69', request: 'RRQ x', outcome: 'completed', reason: 'sent' });
  of.hear({
    ...discover(),
    protocol: 'http',
    peer: '10.9.9.9',
    request: 'GET /boot/menu.ipxe?mac=00&serial=x',
    stage: 'ipxe',
  });
  of.hear({
    protocol: 'http',
    peer: '10.9.9.9',
    request: 'GET /boot/assets/agent/vmlinuz',
    outcome: 'answered',
    reason: 'status 200',
  });
  expect(records().map(({ request }) => request)).toEqual([
    'DHCPDISCOVER',
    'GET /boot/menu.ipxe',
    'GET /boot/assets/agent/vmlinuz',
  ]);
});

it('keeps the newest lines of a machine and counts those that went', () => {
  const { of } = history();
  for (let index = 0; index < MOST_RECORDS + 5; index += 1) of.hear(discover({ request: `GET /${index}` }));
  const boots = of.of(EXAMPLE_MAC);
  expect(boots?.records).toHaveLength(MOST_RECORDS);
  expect(boots?.records[0]?.request).toBe('GET /5');
  expect(boots?.dropped).toBe(5);
});

it('a flood of strangers pushes out strangers only', () => {
  const { of } = history({ machines: 2, strangers: 3 });
  of.hear(discover());
  for (let index = 0; index < 50; index += 1) of.hear(discover({ mac: mac(index), decision: SILENT }));
  expect(of.of(EXAMPLE_MAC)?.known).toBe(true);
  expect([46, 47, 49].map((index) => of.of(mac(index))?.known)).toEqual([undefined, false, false]);
  const changed = of.takeChanged({ machines: 9, strangers: 2 });
  expect(changed.map((each) => [each.mac, each.known])).toEqual([
    [EXAMPLE_MAC, true],
    [mac(47), false],
    [mac(48), false],
  ]);
});

it('a stranger that gets a task becomes a machine, and waiting says nothing of it', () => {
  const { of } = history();
  of.hear(discover({ decision: SILENT }));
  of.hear(discover({ decision: { kind: 'wait', retryAfterSeconds: 5, reason: 'cannot know' } }));
  expect(of.of(EXAMPLE_MAC)?.known).toBe(false);
  of.hear(discover());
  of.hear(discover({ decision: { kind: 'wait', retryAfterSeconds: 5, reason: 'cannot know' } }));
  expect(of.of(EXAMPLE_MAC)?.known).toBe(true);
  expect(of.takeChanged({ machines: 9, strangers: 9 })).toEqual([
    { mac: EXAMPLE_MAC, known: true, unread: true },
  ]);
});

it.each([
  ['10.77.0.5:2070', '10.77.0.5'],
  ['10.77.0.5', '10.77.0.5'],
  ['[fd00::1]:69', 'fd00::1'],
  ['fd00::1', 'fd00::1'],
  ['-', '-'],
])('the address in %s is %s', (peer, address) => expect(addressOf(peer)).toBe(address));

it('writes down once in a day that an installed host still renews, and every other event at once', () => {
  const { clock, of } = history();
  const renewal = discover({ stage: 'os', request: 'DHCPREQUEST', reason: 'DHCPACK 10.77.0.5' });
  const news = (): number => of.takeChanged({ machines: 8, strangers: 8 }).length;
  of.hear(renewal);
  expect(news()).toBe(1);
  for (let hour = 1; hour < 24; hour += 1) {
    clock.advance(3_600_000);
    of.hear(renewal);
    expect([hour, news()]).toEqual([hour, 0]);
  }
  clock.advance(3_600_000);
  of.hear(renewal);
  expect([news(), of.of(EXAMPLE_MAC)?.records[0]?.count]).toEqual([1, 25]);
  of.hear(discover());
  expect(news()).toBe(1);
});
