/**
 * Several links in one daemon, on real wires with foreign clients and a foreign relay: who hears whom, whose addresses machines get, what they
 * are told, and what a reload changes. The daemon is the built program.
 */
import type { MacAddress } from '@lpmos/core';
import { bootRequest, decodePacket, encodePacket, OPTION, textOption } from '@lpmos/netboot';
import { itWhen } from '../integration/harness/it-when';
import { missingClient } from './harness/netboot-foreign-clients';
import { missingNamespaces } from './harness/namespace-pair';
import { LinksLab, removeLinksPrograms } from './harness/region-links-lab';

const missing =
  missingNamespaces('udhcpc', 'dnsmasq', 'perl', 'curl') ?? missingClient('etcd', 'etcd-server');
const test = itWhen(missing);
afterAll(removeLinksPrograms);

const LINK_C = {
  name: 'c',
  subnet: '10.81.3.0/24',
  pool: { first: '10.81.3.100', last: '10.81.3.150' },
  router: '10.81.3.1',
  relays: ['10.81.3.1'],
};

function links(lab: LinksLab) {
  const link = (name: 'a' | 'b', net: string) => ({
    name,
    interface: lab.device(name),
    service_address: `${net}.1`,
    subnet: `${net}.0/24`,
    pool: { first: `${net}.100`, last: `${net}.150` },
  });
  return [link('a', '10.81.1'), link('b', '10.81.2'), LINK_C] as const;
}

/** What iPXE says it is. */
const IPXE = [
  '-V',
  'PXEClient:Arch:00007:UNDI:003016',
  '-x',
  '0x5d:0007',
  '-x',
  '0xaf:130101240101',
  '-O',
  'bootfile',
];

describe('a daemon with three links', () => {
  let lab: LinksLab;
  beforeAll(async () => {
    if (missing !== undefined) return;
    lab = await LinksLab.open({
      config: (of) => ({ dhcp_links: links(of) }),
      tasksFor: ['a', 'b', 'c'],
    });
    await lab.startRelay('10.81.1.1');
  }, 120_000);
  afterAll(async () => lab?.close(), 60_000);

  test('gives clients of both wires and of the relay’s addresses of their own link, all at once', async () => {
    const told = await Promise.all([lab.lease('a'), lab.lease('b'), lab.lease('c')]);
    expect(told.map((one) => [one.get('ip')?.replace(/\d+$/, ''), one.get('serverid')])).toEqual([
      ['10.81.1.', '10.81.1.1'],
      ['10.81.2.', '10.81.2.1'],
      ['10.81.3.', '10.81.1.1'],
    ]);
    expect(told[2]?.get('router')).toBe('10.81.3.1');
  }, 60_000);

  test('tells each machine the address of its own link, in DHCP and in its script', async () => {
    for (const [client, ours, router] of [
      ['a', '10.81.1.1', '10.81.1.254'],
      ['b', '10.81.2.1', '10.81.2.1'],
      ['c', '10.81.1.1', '10.81.3.1'],
    ] as const) {
      const told = await lab.lease(client, ...IPXE);
      lab.configure(client, told.get('ip') ?? '', router);
      const url = told.get('boot_file') ?? told.get('bootfile') ?? '';
      expect([client, new URL(url).host]).toEqual([client, ours]);
      const script = lab.run(client, 'curl', '-sgm', '10', url.replaceAll(/\$\{[^}]*\}/g, ''));
      const named = [...script.matchAll(/(?:https?:\/\/|lpmos\.agent=)([\d.]+)/g)].map(([, host]) => host);
      expect([client, named.length > 3, ...new Set(named)]).toEqual([client, true, ours]);
      const health = lab.run(client, 'curl', '-skm', '10', `https://${ours}:8081/health`);
      expect(JSON.parse(health)).toMatchObject({ services: { dhcp: 'running', http: 'running' } });
    }
  }, 60_000);

  test('is the boot server of each link on port 4011, wire and relay alike', () => {
    for (const [client, ours] of [
      ['b', '10.81.2.1'],
      ['c', '10.81.1.1'],
    ] as const) {
      const ciaddr = lab.run(client, 'hostname', '-I').trim();
      const options = new Map([
        [OPTION.vendorClassIdentifier, textOption('PXEClient:Arch:00007:UNDI:003016')],
        [OPTION.ipxeEncapsulated, Uint8Array.of(0x13, 1, 1)],
      ]);
      const mac = lab.mac(client) as MacAddress;
      const request = bootRequest({ type: 'DHCPREQUEST', mac, xid: 7, ciaddr, options });
      const answer = decodePacket(lab.ask(client, { address: ours, port: 4011 }, encodePacket(request)));
      expect(answer).toMatchObject({ kind: 'packet', packet: { op: 2, xid: 7, siaddr: ours } });
    }
  });

  test('renews a client behind the relay, which then asks without it', async () => {
    const child = lab.start(
      'c',
      'udhcpc',
      '-i',
      'eth0',
      '-f',
      '-t',
      '5',
      '-T',
      '1',
      '-s',
      lab.path('stay.sh'),
    );
    let said = '';
    child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await lab.until('the client is bound', () => said.includes('bound 10.81.3.'));
    child.kill('SIGUSR1');
    await lab.until('the client renewed', () => said.includes('renew 10.81.3.'));
    // By the unicast, and not by the broadcast that a client falls back to.
    const mac = lab.mac('c');
    const renewals = lab
      .events()
      .filter((event) => event.mac === mac && event.peer?.startsWith('10.81.3.1') === true);
    const direct = renewals.filter(({ request, peer }) => request === 'DHCPREQUEST' && peer !== '10.81.3.1');
    expect(direct.map(({ outcome }) => outcome)).toContain('answered');
  }, 60_000);

  test('hears each broadcast on its own wire alone', () => {
    const heard = lab.lines
      .map(
        (line) => JSON.parse(line) as { request?: string; mac?: string; reason?: string; outcome?: string },
      )
      .filter(({ request, mac }) => request === 'DHCPDISCOVER' && mac === lab.mac('b'));
    expect(heard.length).toBeGreaterThan(1);
    for (const { reason } of heard) expect(reason).toContain('10.81.2.');
  });
});
