import type { OfferedLink } from '@lpmos/core';
import { EXAMPLE_OFFERED_BOOT, EXAMPLE_OFFERED_LINK } from '@lpmos/core/testing';
import { NETWORK_COMMANDS } from '../command-table-machine';
import { CLIENT_NAMES, readBootClient } from './client-table';
import { explainBoot } from './explain';
import { parseInputs } from './explain-inputs';
import type { ExplainInputs } from './explain-inputs';

const BOOT = {
  ...EXAMPLE_OFFERED_BOOT,
  kernel_arguments: 'console=ttyS0 panic=30',
  initrd_urls: [
    'http://10.77.0.1/boot/assets/agent/initramfs.img',
    'http://10.77.0.1/boot/assets/agent/site.img',
  ],
};
const LINK: OfferedLink = { ...EXAMPLE_OFFERED_LINK, lease_seconds: 7200, boot: BOOT };
const TASK = { task_id: '5891b5b5-22d5-8df0-86d0-ff0b110fbd9d', status: 'ready', attempt: 0 } as const;
const INPUTS = parseInputs(
  JSON.stringify({
    schema_version: 1,
    mac: '52:54:00:12:34:56',
    region_id: 'dc1',
    task: TASK,
    links: [LINK],
    boot: BOOT,
  }),
);

const explain = (client: string, change: Partial<ExplainInputs> = {}) =>
  explainBoot({ ...INPUTS, ...change }, readBootClient(client, '--as-if'), Date.UTC(2026, 0, 29, 10));
const onLink = (change: Partial<OfferedLink>) => ({ links: [{ ...LINK, ...change }] });
const fieldsOf = (client: string, change: Partial<ExplainInputs> = {}, at = 0) =>
  Object.fromEntries(
    (explain(client, change).links[0]?.steps[at]?.fields ?? []).map(({ field, value }) => [field, value]),
  );

it('explains firmware through its loader to the script of the region, with no real ticket in it', () => {
  const explanation = explain('bios');
  expect(explanation.decision).toMatchObject({ kind: 'agent', purpose: 'report' });
  expect(explanation.links[0]?.steps.map(({ asks, answer }) => [asks, answer])).toEqual([
    ['bios asks by DHCPDISCOVER', 'DHCPOFFER'],
    ['ipxe-bios asks by DHCPDISCOVER', 'DHCPOFFER'],
  ]);
  expect(fieldsOf('bios')).toMatchObject({
    yiaddr: expect.stringMatching(/^10\.77\.0\.1\d\d$/) as string,
    siaddr: '10.77.0.1',
    file: 'undionly.kpxe',
    'option 60 (vendor class identifier)': 'PXEClient',
    'option 67 (bootfile name)': 'undionly.kpxe',
  });
  expect(explanation.links[0]?.script).toContain('kernel http://10.77.0.1/boot/assets/agent/vmlinuz');
  expect(explanation.links[0]?.script).toContain('lpmos.ticket=TICKET-OF-THAT-MOMENT');
  expect(explanation.links[0]?.script).toContain('platform=pcbios');
  expect(explanation.because.join('\n')).toContain('is ready: the agent is to report the hardware');
});

it.each([
  ['bios', 'undionly.kpxe'],
  ['uefi-x64', 'snponly.efi'],
  ['uefi-http-x64', 'http://10.77.0.1/boot/loaders/snponly.efi'],
  ['ipxe-bios', 'http://10.77.0.1/boot/menu.ipxe?mac=${net0/mac}'],
  ['ipxe-efi', 'http://10.77.0.1/boot/menu.ipxe?mac=${net0/mac}'],
  ['arch=9,class=PXEClient:Arch:00009', 'snponly.efi'],
  ['arch=7,class=PXEClient,user-class=iPXE', 'http://10.77.0.1/boot/menu.ipxe?mac=${net0/mac}'],
  ['arm64', undefined],
  ['ia32', undefined],
  ['os', undefined],
])('%s is told to boot %s', (client, file) =>
  expect(fieldsOf(client)['option 67 (bootfile name)']).toBe(file),
);

describe('where shim and GRUB are in the place of iPXE', () => {
  const boot = {
    ...BOOT,
    grub: { kernel: '/agent/vmlinuz', initrds: ['/agent/initramfs.img', '/agent/site.img'] },
  };
  const shim = { loaders: { x64: 'shimx64.efi' }, boot };

  it('shows the script that GRUB gets of that machine, with no real ticket in it', () => {
    const [link] = explain('uefi-x64', onLink(shim)).links;
    expect(link).toMatchObject({
      reaches_script: true,
      steps: [{ answer: 'DHCPOFFER' }, { answer: 'its own script' }],
    });
    expect(link?.script).toContain("linux '/agent/vmlinuz' 'console=ttyS0'");
    expect(link?.script).toContain("initrd '/agent/initramfs.img' '/agent/site.img'");
    expect(link?.script).toContain("'lpmos.ticket=TICKET-OF-THAT-MOMENT'");
  });

  it('shows the way to the disk of a machine whose task ended', () => {
    const task = { ...TASK, status: 'completed' as const };
    const [link] = explain('uefi-x64', { ...onLink(shim), task }).links;
    expect(link?.script).toContain('boots: the local disk');
    expect(link?.script).not.toContain('linux ');
  });

  it('shows none where the region does not publish how GRUB names its files', () => {
    expect(explain('uefi-x64', onLink({ ...shim, boot: BOOT })).links[0]).not.toHaveProperty('script');
  });
});

it('gives the network as the link has it', () => {
  expect(fieldsOf('bios')).toMatchObject({
    'option 3 (router)': '10.77.0.254',
    'option 6 (domain name server)': '10.77.0.53',
    'option 51 (lease time)': '7200 s',
  });
  const more = onLink({ domain: 'lab.example', ntp_servers: ['10.77.0.42'] });
  expect(fieldsOf('bios', more)).toMatchObject({ 'option 15 (domain name)': 'lab.example' });
});

describe('a link that only relays reach', () => {
  const { router: _none, ...base } = LINK;
  const row = {
    ...base,
    ...{ name: 'row-4', subnet: '10.21.0.0/16', relayed_only: true },
    pool: { first: '10.21.100.1', last: '10.21.100.9' },
  };

  it.each([
    ['its router', { ...row, router: '10.21.0.254' }, '10.21.0.254'],
    ['a host of the subnet where it has no router', row, '10.21.0.1'],
  ])('is asked through %s', (_what, link, giaddr) => {
    expect(explain('bios', { links: [link] }).links[0]?.steps[0]).toMatchObject({
      asks: 'bios asks by DHCPDISCOVER through a relay',
      answer: 'DHCPOFFER',
      fields: expect.arrayContaining([{ field: 'giaddr', value: giaddr }]) as unknown,
    });
  });
});

it('says what is missing for a firmware without a loader', () => {
  expect(explain('arm64').links[0]?.steps[0]?.fault).toContain('no TFTP loader is configured');
});

it('explains a machine that nobody knows, by the rule of the link', () => {
  const stranger: Partial<ExplainInputs> = { ...onLink({ unknown_clients: 'ignore' }) };
  const { task: _none, ...inputs } = INPUTS;
  const explanation = explainBoot({ ...inputs, ...stranger }, readBootClient('bios', '--as-if'), 0);
  expect(explanation.decision.kind).toBe('silent');
  expect(explanation.links[0]?.steps).toMatchObject([{ answer: 'silence' }]);
  expect(explanation.because[0]).toContain('no task in region dc1 names');
});

it('beside another DHCP server both ports of the proxy are asked', () => {
  const { steps } = explain('uefi-x64', onLink({ mode: 'proxy' })).links[0] ?? { steps: [] };
  expect(steps.map(({ asks, answer }) => [asks, answer])).toEqual([
    ['uefi-x64 asks by DHCPDISCOVER', 'DHCPOFFER'],
    ['uefi-x64 asks by DHCPREQUEST on port 4011', 'DHCPACK'],
    ['ipxe-efi asks by DHCPDISCOVER', 'DHCPOFFER'],
    ['ipxe-efi asks by DHCPREQUEST on port 4011', 'DHCPACK'],
  ]);
});

it.each([
  ['observe', /only observes/],
  ['external', /another server does DHCP/],
])('a link in mode %s answers nothing and says why', (mode, reason) => {
  expect(explain('bios', onLink({ mode })).links[0]?.steps[0]).toMatchObject({
    answer: 'silence',
    reason: expect.stringMatching(reason) as string,
  });
});

it('a link that this version cannot replay says so instead of failing', () => {
  expect(explain('bios', onLink({ subnet: 'nonsense' })).links[0]?.steps[0]?.reason).toContain('subnet');
});

it('a region without links still has its script, and a link its own', () => {
  expect(explain('bios', { links: [] }).script).toContain('kernel http://10.77.0.1/');
  const elsewhere = onLink({ boot: { ...BOOT, kernel_url: 'http://10.88.0.1/vmlinuz' } });
  expect(explain('bios', elsewhere)).not.toHaveProperty('script');
  expect(explain('bios', elsewhere).links[0]?.script).toContain('kernel http://10.88.0.1/vmlinuz');
  expect(explain('os').links[0]).not.toHaveProperty('script');
});

it('an installed machine gets the way to its disk', () => {
  const explanation = explain('uefi-x64', { task: { ...TASK, status: 'completed', exit_method: 'exit-0' } });
  expect(explanation.decision).toMatchObject({ kind: 'local-disk', exitMethod: 'exit-0' });
  expect(explanation.links[0]?.script).toContain('boots: the local disk');
});

it('knows every client by name, names them in its help and refuses others with the list', () => {
  const help = JSON.stringify(NETWORK_COMMANDS.find(({ verb }) => verb === 'explain')?.options);
  for (const name of CLIENT_NAMES) {
    expect(readBootClient(name, '--as-if').name).toBe(name);
    expect(help).toContain(name);
  }
  expect(() => readBootClient('dos', '--as-if')).toThrow(/--as-if must be one of bios, uefi-x64/);
  expect(() => readBootClient('arch=x', '--as-if')).toThrow(/--as-if needs arch as a number/);
  expect(() => readBootClient('colour=7', '--as-if')).toThrow(/knows no "colour"/);
});

it.each([
  ['not JSON', '{'],
  ['schema_version', '[]'],
  ['mac must be', '{"schema_version":1,"mac":"x"}'],
  ['links must be', '{"schema_version":1,"mac":"52:54:00:12:34:56","region_id":"dc1"}'],
  ['links[0] must be an object', saved({ links: [null] })],
  ['links[0].boot.base_url is required', saved({ links: [{ ...LINK, boot: {} }] })],
  ['task.status is required', saved({ task: { task_id: 'x' } })],
  ['boot.initrd_urls must be a list', saved({ boot: { ...BOOT, initrd_urls: 7 } })],
])('refuses a saved file: %s', (problem, text) => expect(() => parseInputs(text)).toThrow(problem));

it('takes the MAC of a saved file in any notation', () =>
  expect(parseInputs(saved({ mac: '5254.0012.3456' })).mac).toBe('52:54:00:12:34:56'));

function saved(change: object): string {
  return JSON.stringify({ ...INPUTS, ...change });
}
