/** The reading of the daemon's log that the machine tests rely on: a promise that was not kept must be found. */
import { isAgentScript, parseBootLog, unservedPromises, withoutLoss } from './harness/boot-log';
import type { BootLogEntry } from './harness/boot-log';

const PEER = '10.77.0.128';
const dhcp: BootLogEntry = {
  ...{ protocol: 'dhcp', peer: '0.0.0.0', request: 'DHCPREQUEST', outcome: 'answered' },
  reason: `DHCPACK ${PEER}, the boot script: task 1 is ready`,
};
const script: BootLogEntry = {
  ...{
    protocol: 'http',
    peer: PEER,
    request: 'GET /boot/menu.ipxe?mac=52:54:00:4c:50:01',
    outcome: 'answered',
  },
  ...{ reason: 'task 1 is booting', decision: 'agent' },
};
const file = (name: string): BootLogEntry => ({
  ...{ protocol: 'http', peer: PEER, request: `GET /boot/assets/agent/${name}`, outcome: 'completed' },
  ...{ reason: 'sent in 5 ms', bytes: 100 },
});
const BOOT = [dhcp, script, file('vmlinuz'), file('initramfs.img'), file('site.img')];

it('finds nothing wrong with a boot in which every promise was kept, nor with two of them', () => {
  expect(unservedPromises([...BOOT, ...BOOT])).toEqual([]);
});

it('forgives on a lossy wire what the loss explains, and nothing else', () => {
  const loader = { ...file('x'), protocol: 'tftp', request: 'RRQ snponly.efi', outcome: 'failed' };
  const lastAckLost = { ...loader, reason: 'every block was sent, but the last was never acknowledged' };
  const log = [dhcp, lastAckLost, dhcp, ...BOOT];
  expect(unservedPromises(log)).toHaveLength(3);
  expect(unservedPromises(withoutLoss([lastAckLost, dhcp, dhcp, ...BOOT]))).toEqual([]);
  expect(unservedPromises(withoutLoss([{ ...loader, reason: 'the socket failed' }, ...BOOT]))).toHaveLength(
    1,
  );
  expect(unservedPromises(withoutLoss([dhcp, script, ...BOOT]))).toHaveLength(3);
});

it.each([
  ['a script that was never fetched', [dhcp, ...BOOT], /was told of a boot script/],
  ['a file that was not sent', BOOT.filter(({ request }) => !request.includes('vmlinuz')), /load vmlinuz/],
  ['a file that was sent only at the next boot', [dhcp, script, ...BOOT], /load site\.img/],
  [
    'a file that was sent to another machine',
    [...BOOT.slice(0, 4), { ...file('site.img'), peer: '10.77.0.9' }],
    /site/,
  ],
  ['a refused request', [...BOOT, { ...file('other'), outcome: 'refused' }], /other: refused/],
  ['a broken transfer', [...BOOT, { ...file('vmlinuz'), outcome: 'failed' }], /vmlinuz: failed/],
])('finds %s', (_what, log, problem) => {
  expect(unservedPromises(log).join('\n')).toMatch(problem);
});

it('reads the boot requests among the lines of a log', () => {
  const lines = [{ msg: 'ready' }, { ...script, msg: 'boot request' }].map((line) => JSON.stringify(line));
  const entries = parseBootLog(`${lines.join('\n')}\n`);
  expect(entries).toMatchObject([script]);
  expect(entries.filter(isAgentScript)).toHaveLength(1);
});
