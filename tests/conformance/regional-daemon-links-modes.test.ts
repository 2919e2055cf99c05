/**
 * Links whose DHCP is somebody else's, sockets that a service manager opened, and a configuration that changes while machines boot: the built
 * daemon on real wires with foreign clients.
 */
import { itWhen } from '../integration/harness/it-when';
import { missingClient } from './harness/netboot-foreign-clients';
import { missingNamespaces } from './harness/namespace-pair';
import { LinksLab, removeLinksPrograms } from './harness/region-links-lab';

const missing =
  missingNamespaces('udhcpc', 'dnsmasq', 'perl', 'curl', 'setpriv') ?? missingClient('etcd', 'etcd-server');
const test = itWhen(missing);
afterAll(removeLinksPrograms);

function link(lab: LinksLab, name: 'a' | 'b', more: object = {}) {
  const net = name === 'a' ? '10.81.1' : '10.81.2';
  return {
    ...{ name, interface: lab.device(name), service_address: `${net}.1`, subnet: `${net}.0/24` },
    pool: { first: `${net}.100`, last: `${net}.150` },
    ...more,
  };
}

const seen = (lab: LinksLab, words: string): boolean => lab.lines.some((line) => line.includes(words));

describe('a configuration that is read again', () => {
  let lab: LinksLab;
  beforeAll(async () => {
    if (missing !== undefined) return;
    lab = await LinksLab.open({ config: (of) => ({ dhcp_links: [link(of, 'a'), link(of, 'b')] }) });
  }, 120_000);
  afterAll(async () => lab?.close(), 60_000);

  const reload = async (config: unknown, until: string): Promise<void> => {
    lab.writeConfig(config);
    const before = lab.lines.length;
    process.kill(lab.daemonPid, 'SIGHUP');
    await lab.until(until, () => lab.lines.slice(before).some((line) => line.includes(until)));
  };
  const health = (): { status: string; problems: readonly string[] } =>
    JSON.parse(lab.run('a', 'curl', '-skm', '10', 'https://10.81.1.1:8081/health')) as {
      status: string;
      problems: readonly string[];
    };

  test('changes what no socket hangs on, and keeps the leases', async () => {
    const before = [(await lab.lease('a')).get('ip'), (await lab.lease('b')).get('ip')];
    const pool = { first: '10.81.2.200', last: '10.81.2.210' };
    await reload({ dhcp_links: [link(lab, 'a'), link(lab, 'b', { pool })] }, 'configuration reloaded');
    expect(seen(lab, '"changed":["dhcp_links[1].pool"]')).toBe(true);
    expect((await lab.lease('a')).get('ip')).toBe(before[0]);
    expect((await lab.lease('b')).get('ip')).toMatch(/^10\.81\.2\.2(?:0\d|10)$/);
  }, 60_000);

  test('that is wrong changes nothing, says every problem, and is well again once it is right', async () => {
    lab.configure('a', '10.81.1.90', '10.81.1.1');
    const wrong = {
      dhcp_links: [
        link(lab, 'a', { pool: { first: '10.9.0.1', last: '10.9.0.9' } }),
        link(lab, 'b', { subnet: '10.81.0.0/16' }),
      ],
    };
    await reload(wrong, 'reload refused');
    expect(health().status).toBe('degraded');
    const problems = health().problems.join('\n');
    for (const path of ['dhcp_links[0].pool.first', 'dhcp_links[0].pool.last', 'dhcp_links[1].subnet']) {
      expect(problems).toContain(`the last good one stays: ${path} `);
    }
    expect((await lab.lease('b')).get('ip')).toMatch(/^10\.81\.2\.2/);
    await reload('not a mapping', 'reload refused');
    const pool = { first: '10.81.2.200', last: '10.81.2.210' };
    await reload({ dhcp_links: [link(lab, 'a'), link(lab, 'b', { pool })] }, 'nothing to change live');
    expect(health().problems.filter((problem) => problem.includes('last good'))).toEqual([]);
    const metrics = lab.run('a', 'curl', '-skm', '10', 'https://10.81.1.1:8081/metrics');
    expect(metrics).toContain('lpmos_region_config_reloads_total{outcome="refused"} 2');
    expect(metrics).toContain('lpmos_region_config_last_reload_good 1');
  }, 60_000);

  test('names what waits for a restart', async () => {
    const config = {
      dhcp_links: [link(lab, 'a', { lease_seconds: 700 }), link(lab, 'b', { subnet: '10.81.2.0/23' })],
      kernel_arguments: 'quiet',
    };
    await reload(config, 'these settings wait for a restart');
    expect(seen(lab, '"need_restart":["kernel_arguments","dhcp_links[1].subnet"]')).toBe(true);
    await lab.until('the rest is live', () => seen(lab, '"changed":["dhcp_links[0].lease_seconds"'));
    expect((await lab.lease('a')).get('lease')).toBe('700');
  }, 60_000);
});

describe('a DHCP server that nobody ordered', () => {
  let lab: LinksLab;
  beforeAll(async () => {
    if (missing !== undefined) return;
    lab = await LinksLab.open({ config: (of) => ({ dhcp_links: [link(of, 'a'), link(of, 'b')] }) });
  }, 120_000);
  afterAll(async () => lab?.close(), 60_000);

  test('is reported with the link that it is on', async () => {
    const rogue = ['--no-daemon', '--port=0', '--conf-file=/dev/null', '--interface=br0', '--leasefile-ro'];
    const range = '--dhcp-range=10.81.1.200,10.81.1.210';
    const child = lab.start('relay', 'dnsmasq', ...rogue, range, `--pid-file=${lab.path('rogue.pid')}`);
    let said = '';
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await lab.until('the other server runs', () => said.includes('DHCP, IP range'));
    // Its replies are broadcast, as for a client that cannot hear anything else.
    await lab.lease('a', '-B');
    await lab.until('it is reported', () => seen(lab, 'another DHCP server is on link a: 10.81.1.254'));
    expect(seen(lab, 'another DHCP server is on link b')).toBe(false);
  }, 60_000);
});

/** Opens sockets as a service manager does (sd_listen_fds), gives up all rights, and becomes the daemon. */
const OPENER = `
use strict; use Socket; $^F = 255; my (@keep, @names);
while (defined(my $word = shift @ARGV)) {
  last if $word eq '--';
  my ($name, $kind, $device, $address, $port) = split /,/, $word;
  socket(my $s, PF_INET, $kind eq 'tcp' ? SOCK_STREAM : SOCK_DGRAM, 0) or die "socket $!";
  setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
  if ($device ne '') { setsockopt($s, SOL_SOCKET, 25, $device . chr(0)) or die "device $!"; }
  bind($s, sockaddr_in($port, inet_aton($address))) or die "bind $port $!";
  listen($s, 128) if $kind eq 'tcp';
  push @keep, $s; push @names, $name;
}
$ENV{LISTEN_PID} = $$; $ENV{LISTEN_FDS} = scalar @keep; $ENV{LISTEN_FDNAMES} = join ':', @names;
exec { $ARGV[0] } @ARGV or die "exec $!";
`;

describe('a daemon without any right, on sockets that were passed in', () => {
  let lab: LinksLab;
  beforeAll(async () => {
    if (missing !== undefined) return;
    const sockets = (of: LinksLab): readonly string[] => [
      ...(['a', 'b'] as const).flatMap((name) =>
        [67, 4011, 68].map((port) => `lpmos-${of.device(name)},udp,${of.device(name)},0.0.0.0,${port}`),
      ),
      ...['10.81.1.1', '10.81.2.1'].flatMap((address) => [
        `lpmos-boot,udp,,${address},69`,
        `lpmos-boot,tcp,,${address},80`,
      ]),
    ];
    lab = await LinksLab.open({
      config: (of) => ({ dhcp_links: [link(of, 'a'), link(of, 'b')] }),
      prefix: (of) => [
        ...['sh', '-c', `chown -R 65534 ${of.dir} && exec "$@"`, 'sh'],
        ...['perl', '-e', OPENER, ...sockets(of), '--'],
        ...['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'],
        ...['--bounding-set=-all', '--inh-caps=-all', '--no-new-privs'],
      ],
      tasksFor: ['b'],
    });
  }, 120_000);
  afterAll(async () => lab?.close(), 60_000);

  test('really has none', () => {
    const status = lab.run('region', 'cat', `/proc/${lab.daemonPid}/status`);
    expect(status).toMatch(/^Uid:\s+65534\s/m);
    expect(status).toMatch(/^Cap(?:Eff):\s+0{16}$/m);
  });

  test('leases on both wires at once, each its own, and serves scripts and TFTP there', async () => {
    const ipxe = [
      '-V',
      'PXEClient:Arch:00007:UNDI:003016',
      '-x',
      '0x5d:0007',
      '-x',
      '0xaf:130101240101',
      '-O',
      'bootfile',
    ];
    const [a, b] = await Promise.all([lab.lease('a'), lab.lease('b', ...ipxe)]);
    expect([a.get('ip'), a.get('serverid')]).toEqual([expect.stringMatching(/^10\.81\.1\.1/), '10.81.1.1']);
    expect([b.get('ip'), b.get('serverid')]).toEqual([expect.stringMatching(/^10\.81\.2\.1/), '10.81.2.1']);
    lab.configure('b', b.get('ip') ?? '', '10.81.2.1');
    const url = (b.get('boot_file') ?? b.get('bootfile') ?? '').replaceAll(/\$\{[^}]*\}/g, '');
    expect(lab.run('b', 'curl', '-sgm', '10', url)).toContain('http://10.81.2.1/boot/');
    expect(lab.run('b', 'curl', '-sm', '10', 'tftp://10.81.2.1/none', '-w', '%{exitcode}')).toMatch(/68$/);
  }, 60_000);
});

describe('a daemon that systemd starts when somebody asks', () => {
  const noSystemd = missing ?? missingNamespaces('systemd-socket-activate');
  itWhen(noSystemd)(
    'serves on the socket that systemd opened',
    async () => {
      let asking: NodeJS.Timeout | undefined;
      // systemd-socket-activate passes on only the variables that it is told.
      const activate =
        'exec systemd-socket-activate -l 10.81.1.1:80 --fdname=lpmos-boot $(env | sed -n "s/^\\(LPMOS_[A-Z_]*\\)=.*/-E \\1/p") "$@"';
      const lab = await LinksLab.open({
        config: (of) => {
          asking = setInterval(() => of.start('a', 'curl', '-sm', '1', 'http://10.81.1.1/'), 1000);
          of.configure('a', '10.81.1.90', '10.81.1.1');
          return { dhcp_links: [link(of, 'a')] };
        },
        prefix: () => ['sh', '-c', activate, 'sh'],
      }).finally(() => clearInterval(asking));
      try {
        expect(
          lab.run('a', 'curl', '-sgm', '10', 'http://10.81.1.1/boot/menu.ipxe?mac=02-00-00-00-00-01'),
        ).toMatch(/^#!ipxe\n/);
        expect((await lab.lease('a')).get('serverid')).toBe('10.81.1.1');
      } finally {
        await lab.close();
      }
    },
    120_000,
  );
});

describe('a daemon whose interfaces are not to be had', () => {
  test('says which right it lacks, and the ways to it, for every link', async () => {
    const opening = LinksLab.open({
      config: (of) => ({ dhcp_links: [link(of, 'a'), link(of, 'b')] }),
      prefix: () => ['setpriv', '--bounding-set=-net_bind_service', '--inh-caps=-net_bind_service'],
    });
    const text = await opening.then(
      () => 'it started',
      (thrown: unknown) => String(thrown),
    );
    expect(text).toContain('dhcp_links[0] UDP port 67 needs CAP_NET_BIND_SERVICE');
    expect(text).toContain('dhcp_links[1] UDP port 67 needs CAP_NET_BIND_SERVICE');
    expect(text).toContain('http_port HTTP boot cannot have TCP 10.81.2.1 port 80 (EACCES)');
  }, 60_000);

  test('says who has the port', async () => {
    const opening = LinksLab.open({
      config: async (of) => {
        const args = [
          '--no-daemon',
          '--port=0',
          '--conf-file=/dev/null',
          '--bind-interfaces',
          '--leasefile-ro',
        ];
        const where = [`--interface=${of.device('b')}`, '--dhcp-range=10.81.2.50,10.81.2.60'];
        const other = of.start('region', 'dnsmasq', ...args, ...where, `--pid-file=${of.path('other.pid')}`);
        let said = '';
        other.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
        await of.until('the other server runs', () => said.includes('DHCP, IP range'));
        return { dhcp_links: [link(of, 'a'), link(of, 'b')] };
      },
    });
    const text = await opening.then(
      () => 'it started',
      (thrown: unknown) => String(thrown),
    );
    expect(text).toMatch(/dhcp_links\[1\] UDP port 67 of \S+ is taken .*most likely dnsmasq, pid \d+/);
    expect(text).not.toContain('dhcp_links[0] UDP');
  }, 60_000);
});

describe('an external link beside one of ours', () => {
  let lab: LinksLab;
  beforeAll(async () => {
    if (missing !== undefined) return;
    lab = await LinksLab.open({
      config: (of) => {
        const { pool: _theirs, ...external } = link(of, 'b', { mode: 'external' });
        return { dhcp_links: [link(of, 'a'), external] };
      },
      tasksFor: ['b'],
    });
  }, 120_000);
  afterAll(async () => lab?.close(), 60_000);

  test('gets HTTP boot, and neither DHCP nor TFTP', async () => {
    expect([...(await lab.lease('b'))]).toEqual([]);
    lab.configure('b', '10.81.2.77', '10.81.2.1');
    const menu = `http://10.81.2.1/boot/menu.ipxe?mac=${lab.mac('b')}`;
    expect(lab.run('b', 'curl', '-sgm', '10', menu)).toContain('http://10.81.2.1/boot/assets/');
    // No socket at all on that address: the kernel refuses.
    expect(lab.run('region', 'cat', '/proc/net/udp')).not.toContain(hexPort('10.81.2.1', 69));
    expect(lab.run('region', 'cat', '/proc/net/udp')).toContain(hexPort('10.81.1.1', 69));
    expect((await lab.lease('a')).get('serverid')).toBe('10.81.1.1');
  }, 60_000);
});

function hexPort(address: string, port: number): string {
  const bytes = address.split('.').reverse().map(Number);
  const hex = (value: number, digits: number): string =>
    value.toString(16).toUpperCase().padStart(digits, '0');
  return `${bytes.map((byte) => hex(byte, 2)).join('')}:${hex(port, 4)}`;
}
