/**
 * Foreign DHCP clients against our server: udhcpc, dhclient and dhcpcd obtain, renew and release a lease across a veth pair between
 * network namespaces; perfdhcp plays a relay. The simulator shares our codec and cannot prove conformance; these can.
 */
import { itWhen } from '../integration/harness/it-when';
import type { LabOptions } from './harness/netboot-dhcp-lab';
import { DhcpLab } from './harness/netboot-dhcp-lab';

jest.setTimeout(90_000);

const PROGRAMS = ['udhcpc', 'dhclient', 'dhcpcd', 'perfdhcp'];
const itNeeds = (program: string): jest.It => itWhen(DhcpLab.obstacle(program));

/** Prints what the client was told, and sets the address, without which it cannot renew by unicast. */
const UDHCPC_SCRIPT = [
  'case $1 in',
  '  bound|renew) ip addr replace $ip/24 dev $interface ;;',
  '  deconfig) ip addr flush dev $interface ;;',
  'esac',
  'echo "$1 ip=$ip mask=$subnet router=$router dns=$dns domain=$domain lease=$lease file=$boot_file next=$siaddr."',
];
const DHCLIENT_SCRIPT = [
  'case $reason in BOUND|REBOOT) ip addr replace $new_ip_address/24 dev $interface ;; esac',
  'echo "$reason ip=$new_ip_address router=$new_routers"',
];

let opened: DhcpLab | undefined;
afterEach(async () => {
  await opened?.close();
  opened = undefined;
});

function dhclientFiles(lab: DhcpLab): string[] {
  const script = lab.script('dhclient.sh', DHCLIENT_SCRIPT);
  return ['-sf', script, '-lf', lab.path('leases'), '-pf', lab.path('pid'), '-cf', '/dev/null'];
}

async function openLab(options?: LabOptions): Promise<DhcpLab> {
  await opened?.close();
  opened = await DhcpLab.open(options);
  return opened;
}

const addressIn = (output: string): string => /ip=(10\.77\.0\.\d+)/.exec(output)?.[1] ?? 'no address';

describe(`DHCP in server mode: ${PROGRAMS.join(', ')}`, () => {
  itNeeds('udhcpc')('udhcpc obtains what the link says, renews by unicast and releases', async () => {
    const lab = await openLab();
    const script = lab.script('udhcpc.sh', UDHCPC_SCRIPT);
    const client = lab.client('udhcpc', ['-i', lab.device, '-f', '-n', '-s', script]);
    await lab.until('udhcpc is bound', () => client.output().includes('bound ip='));
    const address = addressIn(client.output());
    expect(client.output()).toContain(
      `bound ip=${address} mask=255.255.255.0 router=10.77.0.254 dns=10.77.0.53 domain=lab.example lease=600 file= next=.`,
    );
    expect(await lab.leases()).toEqual([expect.objectContaining({ address, state: 'bound' })]);
    client.child.kill('SIGUSR1');
    await lab.until('udhcpc renews', () => client.output().includes('renew ip='));
    expect(lab.events.at(-1)).toMatchObject({ request: 'DHCPREQUEST', peer: address, outcome: 'answered' });
    client.child.kill('SIGUSR2');
    await lab.until('udhcpc releases', () => lab.saw('DHCPRELEASE', /was released/));
    expect(await lab.leases()).toEqual([]);
  });

  itNeeds('udhcpc')(
    'a firmware of ours gets its loader, and its system on the same MAC the same address and no file',
    async () => {
      const lab = await openLab({ decision: 'agent' });
      const script = lab.script('udhcpc.sh', UDHCPC_SCRIPT);
      const once = ['-i', lab.device, '-f', '-n', '-q', '-s', script];
      const firmware = lab.run('udhcpc', [...once, '-V', 'PXEClient:Arch:00000:UNDI:002001']);
      expect(firmware).toContain('file=undionly.kpxe next=10.77.0.1.');
      const system = lab.run('udhcpc', [...once, '-C']);
      expect(system).toContain(`bound ip=${addressIn(firmware)} `);
      expect(system).toContain('file= next=.');
    },
  );

  itNeeds('udhcpc')('a wish for a free address is granted', async () => {
    const lab = await openLab();
    const script = lab.script('udhcpc.sh', UDHCPC_SCRIPT);
    const wish = ['-i', lab.device, '-f', '-n', '-q', '-s', script, '-r', '10.77.0.123'];
    expect(lab.run('udhcpc', wish)).toContain('bound ip=10.77.0.123');
  });

  itNeeds('udhcpc')('a stranger on a closed link hears nothing', async () => {
    const lab = await openLab({ link: { unknownClients: 'ignore' } });
    const script = lab.script('udhcpc.sh', UDHCPC_SCRIPT);
    const tries = ['-t', '2', '-T', '1', '-n', '-q'];
    expect(lab.run('udhcpc', ['-i', lab.device, '-f', ...tries, '-s', script])).toContain(
      'no lease, failing',
    );
    await lab.until('the server says why', () => lab.saw('DHCPDISCOVER', /ignores unknown clients/));
  });

  itNeeds('dhclient')(
    'dhclient obtains, renews at half of the lease, asks for its old address and releases',
    async () => {
      const lab = await openLab({ link: { leaseSeconds: 10 } });
      const files = dhclientFiles(lab);
      const client = lab.client('dhclient', ['-4', '-d', ...files, lab.device]);
      await lab.until('dhclient is bound', () => client.output().includes('BOUND ip='));
      const address = addressIn(client.output());
      await lab.until('dhclient renews', () => client.output().includes('RENEW ip='), 30_000);
      await lab.until('the server tells of the renewal', () =>
        lab.events.some(({ request, peer }) => request === 'DHCPREQUEST' && peer === address),
      );
      client.child.kill('SIGKILL');
      lab.events.length = 0;
      const rebooted = lab.client('dhclient', ['-4', '-d', ...files, lab.device]);
      await lab.until('dhclient is acknowledged', () => rebooted.output().includes('REBOOT ip='));
      expect(addressIn(rebooted.output())).toBe(address);
      expect(lab.events.map(({ request }) => request)).not.toContain('DHCPDISCOVER');
      lab.run('dhclient', ['-4', '-r', ...files, lab.device]);
      await lab.until('dhclient releases', () => lab.saw('DHCPRELEASE', /was released/));
      expect(await lab.leases()).toEqual([]);
    },
  );

  itNeeds('dhclient')('dhclient with an address of another network is refused and starts over', async () => {
    const lab = await openLab();
    const files = dhclientFiles(lab);
    const first = lab.client('dhclient', ['-4', '-d', ...files, lab.device]);
    await lab.until('dhclient is bound', () => first.output().includes('BOUND ip='));
    // It runs its script before it writes its lease.
    await lab.until('the lease is in its file', () =>
      lab.run('cat', [lab.path('leases')]).includes('fixed-address'),
    );
    first.child.kill('SIGKILL');
    lab.run('sed', ['-i', 's/fixed-address .*/fixed-address 192.168.7.7;/', lab.path('leases')]);
    const moved = lab.client('dhclient', ['-4', '-d', ...files, lab.device]);
    await lab.until('dhclient is bound again', () => moved.output().includes('BOUND ip='));
    expect(moved.output()).toContain('DHCPNAK');
    expect(addressIn(moved.output().slice(moved.output().indexOf('BOUND')))).toBe(addressIn(first.output()));
  });

  itNeeds('dhcpcd')('dhcpcd obtains, renews and releases, with a DUID for a client identifier', async () => {
    const lab = await openLab();
    const settings = ['-4', '-A', '-c', '/bin/true', lab.device];
    const client = lab.client('dhcpcd', ['-B', '-d', ...settings]);
    await lab.until('dhcpcd has its lease', () => client.output().includes('leased 10.77.0.'));
    const [lease] = await lab.leases();
    expect(client.output()).toContain(`leased ${lease?.address} for 600 seconds`);
    await lab.until('dhcpcd has set its address', () =>
      lab.run('ip', ['addr']).includes(String(lease?.address)),
    );
    lab.run('dhcpcd', ['-4', '-N', lab.device]);
    const renewal = (): boolean =>
      lab.events.some(({ request, peer }) => request === 'DHCPREQUEST' && peer === lease?.address);
    await lab.until('dhcpcd renews', renewal);
    lab.run('dhcpcd', ['-4', '-k', lab.device]);
    await lab.until('dhcpcd releases', () => lab.saw('DHCPRELEASE', /was released/));
  });

  itNeeds('perfdhcp')('perfdhcp plays a relay that we know and loses nothing', async () => {
    const lab = await openLab({ link: { relays: ['10.77.0.2'] } });
    lab.run('ip', ['addr', 'add', '10.77.0.2/24', 'dev', lab.device]);
    const load = ['-4', '-r', '40', '-R', '20', '-n', '60', '-W', '2000000', '10.77.0.1'];
    const counters = (report: string): string[] =>
      report.match(/^(drops|collected packets|orphans): \d+/gm) ?? [];
    const report = lab.run('perfdhcp', load);
    expect(report).toContain('Statistics for: DISCOVER-OFFER');
    expect(new Set(counters(report))).toEqual(new Set(['drops: 0', 'collected packets: 0', 'orphans: 0']));
    expect((await lab.leases()).length).toBeGreaterThan(10);
  });

  itNeeds('perfdhcp')('perfdhcp as a relay that we do not know gets nothing', async () => {
    const lab = await openLab({ link: { relays: ['10.77.0.3'] } });
    lab.run('ip', ['addr', 'add', '10.77.0.2/24', 'dev', lab.device]);
    const report = lab.run('perfdhcp', ['-4', '-r', '40', '-n', '5', '-W', '500000', '10.77.0.1']);
    expect(report).toContain('drops: 5');
    await lab.until('the server says why', () =>
      lab.saw('DHCPDISCOVER', /relay 10\.77\.0\.2 is not in the list/),
    );
  });
});
