import type { BootEntry } from '../control-plane';
import { groupBoots } from './boot-groups';
import { HINT_IDS, hintsFor } from './hints';
import type { BootFacts } from './hints';

const START = Date.UTC(2026, 0, 29, 10);

function at(seconds: number, change: Partial<BootEntry>): BootEntry {
  const time = new Date(START + seconds * 1000).toISOString();
  return {
    ...{ first_at: time, last_at: time, count: 1, protocol: 'dhcp', request: 'DHCPDISCOVER' },
    ...{ outcome: 'answered', reason: 'because', peer: '10.77.0.5', ...change },
  };
}

const fw = (seconds: number, change: Partial<BootEntry> = {}) =>
  at(seconds, { stage: 'firmware', decision: 'agent', ...change });
const accepts = (seconds: number) => fw(seconds, { request: 'DHCPREQUEST' });
const tftp = (seconds: number, outcome: BootEntry['outcome'] = 'completed') =>
  at(seconds, { protocol: 'tftp', request: 'RRQ undionly.kpxe', outcome });
const ipxe = (seconds: number) => at(seconds, { stage: 'ipxe', decision: 'agent' });
const address = (seconds: number) =>
  at(seconds, { stage: 'ipxe', decision: 'agent', request: 'DHCPREQUEST' });
const script = (seconds: number, change: Partial<BootEntry> = {}) =>
  at(seconds, {
    protocol: 'http',
    stage: 'ipxe',
    request: 'GET /boot/menu.ipxe',
    decision: 'agent',
    ...change,
  });
const file = (seconds: number, name: string, outcome: BootEntry['outcome'] = 'completed') =>
  at(seconds, { protocol: 'http', stage: 'ipxe', request: `GET /boot/assets/agent/${name}`, outcome });
const os = (seconds: number) => at(seconds, { stage: 'os', decision: 'local-disk' });

const WHOLE = [fw(0), accepts(1), tftp(2), ipxe(5), script(7), file(8, 'vmlinuz'), file(9, 'site.img')];

describe('boots in a history', () => {
  it('are cut where the machine begins anew, and systems are apart', () => {
    const second = [fw(100), tftp(101), ipxe(103), script(104, { decision: 'local-disk' })];
    const groups = groupBoots([...WHOLE, ...second, os(120), os(1920)]);
    expect(groups.map(({ kind, records }) => [kind, records.length])).toEqual([
      ['boot', 7],
      ['boot', 4],
      ['os', 2],
    ]);
  });

  it('of a ROM that is iPXE begin with iPXE', () => {
    expect(groupBoots([ipxe(0), script(1), ipxe(60), script(61)])).toHaveLength(2);
  });

  it('are cut by a long silence', () => {
    expect(groupBoots([fw(0), fw(1000)])).toHaveLength(2);
    expect(groupBoots([fw(0), fw(800)])).toHaveLength(1);
  });
});

describe('hints', () => {
  const hint = (records: readonly BootEntry[], more: Partial<BootFacts> = {}): string[] =>
    hintsFor({ records, silentMs: 60_000, ...more }).map(({ id }) => id);

  const CASES: readonly (readonly [string, readonly BootEntry[], Partial<BootFacts>?])[] = [
    ['foreign-server', [fw(0, { request: 'DHCPOFFER of another server', outcome: 'failed' }), ...WHOLE]],
    [
      'relay-not-listed',
      [
        at(0, {
          outcome: 'ignored',
          reason: 'relay 10.9.0.1 is not in the list of relays of link boot',
          decision: 'agent',
        }),
      ],
    ],
    ['no-address', [fw(0, { outcome: 'refused', reason: 'no free address on link boot' })]],
    [
      'no-loader',
      [fw(0, { outcome: 'refused', reason: 'no TFTP loader is configured for option 93 = 11 (uefi ARM64)' })],
    ],
    [
      'no-architecture',
      [fw(0, { outcome: 'refused', reason: 'the firmware does not say its architecture (option 93)' })],
    ],
    ['address-in-use', [fw(0), fw(1, { request: 'DHCPDECLINE', outcome: 'refused' }), ...WHOLE.slice(2)]],
    ['only-observed', [fw(0, { outcome: 'ignored', reason: 'observed: as server would send DHCPOFFER' })]],
    ['stranger', [fw(0, { decision: 'silent' })]],
    ['offer-not-taken', [fw(0)]],
    ['never-loaded', [fw(0), accepts(1)]],
    ['loader-cut', [fw(0), accepts(1), tftp(2, 'answered'), tftp(10, 'failed')]],
    ['loader-refused', [fw(0), accepts(1), tftp(3, 'refused')]],
    ['loader-silent', [fw(0), accepts(1), tftp(2)]],
    ['script-not-asked', [fw(0), accepts(1), tftp(2), ipxe(5)]],
    ['ipv6-wait', [...WHOLE.slice(0, 4), address(6), script(22), file(23, 'vmlinuz'), file(24, 'site.img')]],
    ['wait', [...WHOLE.slice(0, 4), script(7, { decision: 'wait' })]],
    ['files-not-asked', WHOLE.slice(0, 5)],
    ['files-cut', [...WHOLE.slice(0, 5), file(8, 'vmlinuz', 'failed')]],
    ['agent-silent', WHOLE, { taskStatus: 'booting' }],
  ];

  const named = CASES.map(([id, records, more = {}]) => ({ id, records, more }));
  it.each(named)('$id', ({ id, records, more }) => expect(hint(records, more)).toEqual([id]));

  it('have a case each', () => expect(CASES.map(([id]) => id)).toEqual(HINT_IDS));

  it('are none for a boot that went well, nor for one that is under way', () => {
    expect(hint(WHOLE, { taskStatus: 'pending_approval' })).toEqual([]);
    for (let length = 1; length < WHOLE.length; length += 1) {
      expect(hint(WHOLE.slice(0, length), { silentMs: 5_000, taskStatus: 'booting' })).toEqual([]);
    }
  });

  it('find nothing wrong with shim and GRUB, which ask for names that are not there', () => {
    const read = (seconds: number, name: string, outcome: BootEntry['outcome'] = 'completed') =>
      at(seconds, { protocol: 'tftp', request: `RRQ ${name}`, outcome });
    const loaded = [fw(0), accepts(1), read(2, 'shimx64.efi'), read(3, 'revocations.efi', 'refused')];
    expect(hint(loaded)).toEqual(['loader-silent']);
    const booted = [
      ...loaded,
      read(4, 'grubx64.efi'),
      read(5, '/grub/grub.cfg'),
      read(6, '/grub/machine/x.cfg'),
    ];
    const all = [...booted, read(7, '/agent/vmlinuz'), read(8, '/agent/site.img')];
    expect(hint(all, { taskStatus: 'pending_approval' })).toEqual([]);
    expect(hint(all, { taskStatus: 'booting' })).toEqual(['agent-silent']);
  });

  it('take three seconds for a proxy, and a second attempt of a machine, for no wait for a router', () => {
    const boot = (seconds: number) => [ipxe(0), address(1), script(seconds), file(seconds + 1, 'site.img')];
    expect(hint(boot(4))).toEqual([]);
    expect(hint(boot(75))).toEqual([]);
    expect(hint(boot(16))).toEqual(['ipv6-wait']);
  });

  it('find nothing wrong with firmware that is iPXE itself', () => {
    expect(
      hint([ipxe(0), script(1), file(2, 'vmlinuz'), file(3, 'site.img')], { taskStatus: 'approved' }),
    ).toEqual([]);
  });
});
